"""Time, memory, machines, and the records that are kept of them."""
