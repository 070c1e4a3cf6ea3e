"""Faithfulness by chance: correlation, infidelity and sensitivity-n, over random sets of places."""
