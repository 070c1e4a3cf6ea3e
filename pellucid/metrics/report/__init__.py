"""The result of an evaluation: its table, confidence intervals and advice."""
