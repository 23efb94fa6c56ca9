"""What trains the checkpoints of chapter 14 and measures its records."""
