"""Chapter 08, windows: what is asked, how it is tried, and what people get wrong."""

from tutorial_lib.exercises import in_files

FILES: dict[str, str] = {  # in the order of the chapter: an exercise and the file that holds it
    "LePE": "lepe",
    "CrossShapedAttention": "cross",
    "spread": "shuffling",
    "gather": "shuffling",
    "trade": "messengers",
    "layers_until_all_hear": "hearing",
}
__all__, __getattr__, __dir__ = in_files(__name__, FILES)
