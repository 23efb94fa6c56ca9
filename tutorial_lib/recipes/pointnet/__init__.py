"""What trains the checkpoint of chapter 19 and measures its records."""
