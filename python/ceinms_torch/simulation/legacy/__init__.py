"""The model of CEINMS 0.9."""
