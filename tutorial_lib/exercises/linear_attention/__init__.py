"""Chapter 38, linear attention: what is asked, how it is tried, and what people get wrong."""

from tutorial_lib.exercises import in_files

FILES = {  # in the order of the chapter: an exercise and the file that holds it
    "elu_plus_one": "features",
    "linear_attention": "brackets",
    "causal_linear_attention": "running_sums",
    "recurrent_step": "steps",
    "LinearAttention": "module",
    "training_step": "training",
    "pixels_from_nothing": "from_nothing",
    "big_bird_mask": "patterns",
    "diameter": "graph",
    "causal_linear_attention_backward": "backward",
    "attend_chunk": "chunks",
    "chunked_attention": "debugging",
    "delta_step": "delta",
}
__all__, __getattr__, __dir__ = in_files(__name__, FILES)
