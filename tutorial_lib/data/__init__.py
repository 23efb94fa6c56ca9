"""Data: real sets that come with installed packages, and generators. Nothing here downloads."""
