"""Results on disk: written, read, found again."""
