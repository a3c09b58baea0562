"""What a laboratory recorded, before any model: markers, forces, events; and filters."""
