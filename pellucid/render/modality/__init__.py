"""Painters for what is no picture: tokens of a text, rows of a table, series, several inputs."""
