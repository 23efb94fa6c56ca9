"""Systems of the survey's section 2.6: transformers that cost less."""
