"""Masks found by gradient descent: what must stay, or may go, for the score to hold."""
