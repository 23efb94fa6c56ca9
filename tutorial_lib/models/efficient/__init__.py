"""Survey section 2.6, efficient transformers: fewer bits, fewer weights, fewer operations."""
