"""The model, the calibration and the files of CEINMS 0.9, as they are."""
