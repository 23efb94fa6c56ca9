"""The long trainings of chapter 19, and what was recorded of them."""
