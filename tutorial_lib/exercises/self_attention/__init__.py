"""Chapter 01, self-attention: what is asked, how it is tried, and what people get wrong."""

from tutorial_lib.exercises.self_attention.backward import attention_backward, softmax_backward
from tutorial_lib.exercises.self_attention.cost import attention_flops, online_attention
from tutorial_lib.exercises.self_attention.experiments import causal_attention, equivariance_error
from tutorial_lib.exercises.self_attention.forward import attention, cross_attention
from tutorial_lib.exercises.self_attention.masks import causal_mask, masked_softmax
from tutorial_lib.exercises.self_attention.pytorch import dot_product_attention
from tutorial_lib.exercises.self_attention.weights import scores, softmax

__all__ = [  # in the order of the chapter
    "scores",
    "softmax",
    "masked_softmax",
    "causal_mask",
    "attention",
    "cross_attention",
    "softmax_backward",
    "attention_backward",
    "dot_product_attention",
    "online_attention",
    "equivariance_error",
    "causal_attention",
    "attention_flops",
]
