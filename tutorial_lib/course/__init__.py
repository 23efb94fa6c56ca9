"""What runs the course: the survey's index and map, the learner's copy, progress, doctor."""
