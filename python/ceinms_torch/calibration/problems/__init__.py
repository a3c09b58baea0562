"""Calibration steps as optimisers see them: a point in, an objective and its derivatives out."""
