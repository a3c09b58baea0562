"""Raw EMG of a laboratory: read, judged, made into envelopes, and led to MTUs."""
