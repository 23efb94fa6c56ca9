"""Survey section 1, the formulation: the transformer itself."""
