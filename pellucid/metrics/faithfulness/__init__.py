"""Faithfulness under random perturbations: correlation, sensitivity-n, infidelity. In order of relevance: `removal/`."""
