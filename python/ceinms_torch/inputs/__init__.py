"""Folders of CEINMS as a whole, read and checked."""
