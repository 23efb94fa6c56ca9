"""NumPy: forward and backward of each component. Arrays are (..., tokens, features)."""
