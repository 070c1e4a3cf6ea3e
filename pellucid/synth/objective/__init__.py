"""The objective: targets read from a network's activations, differentiably, as one number per picture.

Targets themselves are in `pellucid.target`; penalties are priors, in `prior/`.
"""
