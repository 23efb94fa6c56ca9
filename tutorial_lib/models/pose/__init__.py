"""Points, hands and bodies: where they are and what they are. Taught in chapters 19 to 22."""
