"""What trains the checkpoint of chapter 05 and measures its records."""
