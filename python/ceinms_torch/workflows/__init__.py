"""What users do: simulate a trial, calibrate a subject, judge the fit, write the results."""
