"""What a cell uses: set-up, claims, figures, schematics, the attention explorer."""
