"""From a plan and trials to a calibrated subject."""
