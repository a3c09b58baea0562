"""A complete CEINMS folder from a lab's recordings and a scaled model."""
