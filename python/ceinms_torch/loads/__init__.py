"""What joints bear: contact forces from muscle forces, by OpenSim's dynamics of the skeleton."""
