"""Chapter 01: the missing halves of patches, and what is looked up in a memory."""
