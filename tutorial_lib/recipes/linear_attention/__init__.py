"""What trains the checkpoint of chapter 38 and measures its records."""
