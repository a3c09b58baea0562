"""A trial through the model: forces, fibres and joint moments."""
