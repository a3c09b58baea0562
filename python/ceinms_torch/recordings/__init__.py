"""What a laboratory recorded, before any model: EMG, markers, forces, events; and filters."""
