"""Chapter 08, windows: what is asked, how it is tried, and what people get wrong."""

from tutorial_lib.exercises import in_files

FILES = {  # in the order of the chapter: an exercise and the file that holds it
    "window_partition": "partition",
    "window_reverse": "reversing",
    "shift_mask": "masks",
    "shifted_attention": "shifting",
    "WindowAttention": "attention",
    "SwinBlock": "block",
    "Swin": "model",
    "train_until": "training",
    "swin_from_nothing": "from_nothing",
    "layers_until_all_hear": "hearing",
    "LePE": "lepe",
    "CrossShapedAttention": "cross",
    "spread": "shuffling",
    "gather": "gathering",
    "trade": "messengers",
    "biased_attention_backward": "backward",
    "swin_cost": "cost",
}
__all__, __getattr__, __dir__ = in_files(__name__, FILES)
