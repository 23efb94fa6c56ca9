"""The long trainings of chapter 07, and what makes its records."""
