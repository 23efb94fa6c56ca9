"""Chapter 00: an exercise to meet the checks, and PyTorch's module and training step."""

from tutorial_lib.exercises import in_files

FILES = {  # in the order of the chapter: an exercise and the file that holds it
    "weighted_mean": "mean",
    "DigitReader": "module",
    "learning_step": "training",
    "digits_from_nothing": "from_nothing",
}
__all__, __getattr__, __dir__ = in_files(__name__, FILES)
