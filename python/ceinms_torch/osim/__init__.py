"""OpenSim's files and programs."""
