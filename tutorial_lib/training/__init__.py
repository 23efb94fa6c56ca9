"""The training loop, generation, and where tensors live."""
