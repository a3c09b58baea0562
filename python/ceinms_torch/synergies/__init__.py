"""Muscle synergies: what they are made of, and excitations that nobody recorded."""
