"""Chapter 03, the transformer: what is asked, how it is tried, and what people get wrong."""

from tutorial_lib.exercises import in_files

FILES = {  # in the order of the chapter: an exercise and the file that holds it
    "gelu_backward": "feed_forward",
    "feed_forward_backward": "feed_forward",
    "layer_norm": "normalization",
    "layer_norm_backward": "normalization_backward",
    "encoder_layer": "layers",
    "encoder_layer_backward": "layers_backward",
    "EncoderLayer": "module",
    "warmup_cosine": "schedule",
    "shifted_targets": "targets",
    "attend_with_cache": "cache",
    "beam_step": "beam",
    "transformer_cost": "cost",
}
__all__, __getattr__, __dir__ = in_files(__name__, FILES)
