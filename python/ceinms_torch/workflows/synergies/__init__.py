"""Muscle synergies: extraction, their number, and how much they repeat themselves."""
