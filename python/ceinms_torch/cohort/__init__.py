"""Many people: a study's calibrations and runs side by side, and their tables."""
