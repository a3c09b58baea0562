"""What CEINMS documents say, as small frozen objects that can be written back."""
