"""What all commands share: options, progress, streams, outputs, and how failures are told."""
