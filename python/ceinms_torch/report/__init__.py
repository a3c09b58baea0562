"""One self-contained page that explains a calibration, from the folder it was saved in."""
