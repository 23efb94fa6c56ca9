"""The systems of the survey, one file a system, in folders named after its sections."""
