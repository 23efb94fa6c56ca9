"""Chapter 02, multi-head attention and positions: what is asked, tried, and often got wrong."""

from tutorial_lib.exercises import in_files

FILES = {  # in the order of the chapter: an exercise and the file that holds it
    "split_heads": "splitting",
    "merge_heads": "splitting",
    "multi_head_attention": "forward",
    "MultiHeadAttention": "module",
    "AddPlaces": "places",
    "round_table_step": "training",
    "round_table_from_nothing": "from_nothing",
    "sinusoidal": "absolute",
    "shift_matrix": "absolute",
    "sinusoidal_2d": "absolute",
    "relative_position_index": "relative",
    "RelativeBias": "places",
    "rotary": "relative",
    "multi_head_attention_backward": "backward",
    "packed_attention": "debugging",
    "multi_head_cost": "cost",
}
__all__, __getattr__, __dir__ = in_files(__name__, FILES)
