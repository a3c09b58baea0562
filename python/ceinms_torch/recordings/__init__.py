"""What a lab recorded, before any model: markers, ground forces, events, cycles."""
