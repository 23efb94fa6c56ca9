"""What the trainings and measurements of chapter 36 share, and its records."""
