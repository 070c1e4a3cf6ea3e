"""How explanations change: with the input, with the weights, and between models that are the same function."""
