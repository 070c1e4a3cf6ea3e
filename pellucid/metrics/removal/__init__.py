"""Faithfulness by removal: curves of the score while parts are taken away in order, and what is read off them."""
