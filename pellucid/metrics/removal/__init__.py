"""Faithfulness by removal: curves of the score while regions are removed in order of relevance, and metrics read off them."""
