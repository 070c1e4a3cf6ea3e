"""Optimisation: gradient ascent on the numbers of a canvas, its step rules, its history and its result.

What is optimised for whom is a recipe, in `recipes/`.
"""
