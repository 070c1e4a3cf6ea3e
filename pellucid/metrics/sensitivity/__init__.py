"""Metrics that explain again: on perturbed inputs, on randomised models, and on other implementations of the same function."""
