"""What trains the checkpoints of chapter 06 and measures its records."""
