"""What is calibrated, how and against what: what ``calibration.xml`` says."""
