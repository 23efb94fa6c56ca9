"""What trains the checkpoint of chapter 03 and measures its records."""
