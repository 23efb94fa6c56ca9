"""Survey section 2.6, efficient transformers: fewer heads, smaller students, fewer bits."""
