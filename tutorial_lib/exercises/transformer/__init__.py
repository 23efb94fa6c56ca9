"""Chapter 03, the transformer: what is asked, how it is tried, and what people get wrong."""

from tutorial_lib.exercises.transformer.beam import beam_step
from tutorial_lib.exercises.transformer.cache import attend_with_cache
from tutorial_lib.exercises.transformer.cost import transformer_cost
from tutorial_lib.exercises.transformer.feed_forward import feed_forward_backward, gelu_backward
from tutorial_lib.exercises.transformer.layers import encoder_layer
from tutorial_lib.exercises.transformer.layers_backward import encoder_layer_backward
from tutorial_lib.exercises.transformer.normalization import layer_norm
from tutorial_lib.exercises.transformer.normalization_backward import layer_norm_backward
from tutorial_lib.exercises.transformer.training import shifted_targets, warmup_cosine

__all__ = [  # in the order of the chapter
    "gelu_backward",
    "feed_forward_backward",
    "layer_norm",
    "layer_norm_backward",
    "encoder_layer",
    "encoder_layer_backward",
    "warmup_cosine",
    "shifted_targets",
    "attend_with_cache",
    "beam_step",
    "transformer_cost",
]
