"""Chapter 02, multi-head attention and positions: what is asked, tried, and often got wrong."""

from tutorial_lib.exercises.multi_head_attention.absolute import (
    shift_matrix,
    sinusoidal,
    sinusoidal_2d,
)
from tutorial_lib.exercises.multi_head_attention.backward import multi_head_attention_backward
from tutorial_lib.exercises.multi_head_attention.cost import multi_head_cost
from tutorial_lib.exercises.multi_head_attention.debugging import packed_attention
from tutorial_lib.exercises.multi_head_attention.forward import multi_head_attention
from tutorial_lib.exercises.multi_head_attention.pytorch import batched_heads
from tutorial_lib.exercises.multi_head_attention.relative import relative_position_index, rotary
from tutorial_lib.exercises.multi_head_attention.splitting import merge_heads, split_heads

__all__ = [  # in the order of the chapter
    "split_heads",
    "merge_heads",
    "multi_head_attention",
    "packed_attention",
    "multi_head_attention_backward",
    "batched_heads",
    "sinusoidal",
    "shift_matrix",
    "sinusoidal_2d",
    "relative_position_index",
    "rotary",
    "multi_head_cost",
]
