"""Comparisons of methods, models and data, each with a table and what it was drawn from."""
