"""How far muscle forces and joint moments may be off: parameter sets that fit alike."""
