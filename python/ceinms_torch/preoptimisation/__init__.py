"""Start values from a generic model, before a calibration."""
