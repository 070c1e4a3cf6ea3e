"""Masks found by gradient descent: meaningful and extremal perturbation. Random masks are designs, in sampling/."""
