"""Calibration while a stream goes on."""
