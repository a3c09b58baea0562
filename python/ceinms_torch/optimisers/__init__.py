"""Searches for the minimum of a problem; they know no problem."""
