"""Chapter 02: guests at a round table, letters that are followed, and where patches stand."""
