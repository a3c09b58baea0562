"""Files of one program as those of another."""
