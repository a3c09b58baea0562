"""Excitations that explain measured moments, for muscles that are recorded and that are not."""
