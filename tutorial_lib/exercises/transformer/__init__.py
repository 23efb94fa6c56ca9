"""Chapter 03, the transformer: what is asked, how it is tried, and what people get wrong."""

from tutorial_lib.exercises import in_files

FILES = {  # in the order of the chapter: an exercise and the file that holds it
    "layer_norm": "normalization",
    "FeedForward": "network",
    "EncoderLayer": "module",
    "DecoderLayer": "decoder",
    "NumberReader": "reader",
    "shifted_targets": "targets",
    "teach": "training",
    "decoder_from_nothing": "from_nothing",
    "attend_with_cache": "cache",
    "likely_words": "sampling",
    "beam_step": "beam",
    "warmup_cosine": "schedule",
    "encoder_layer": "layers",
    "gelu_backward": "feed_forward",
    "feed_forward_backward": "feed_forward",
    "layer_norm_backward": "normalization_backward",
    "encoder_layer_backward": "layers_backward",
    "transformer_cost": "cost",
}
__all__, __getattr__, __dir__ = in_files(__name__, FILES)
