"""The long trainings of chapter 08."""
