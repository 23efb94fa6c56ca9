"""Chapter 09, T2T-ViT: what is asked, how it is tried, and what people get wrong."""

from tutorial_lib.exercises.t2t.branches import sum_of_branches
from tutorial_lib.exercises.t2t.cost import t2t_cost
from tutorial_lib.exercises.t2t.counting import token_count
from tutorial_lib.exercises.t2t.dense import dense_block
from tutorial_lib.exercises.t2t.folding import soft_split_backward
from tutorial_lib.exercises.t2t.gates import squeeze_excitation
from tutorial_lib.exercises.t2t.ghosts import ghost_module
from tutorial_lib.exercises.t2t.performer import linear_attention, positive_features
from tutorial_lib.exercises.t2t.restructuring import restructure
from tutorial_lib.exercises.t2t.splitting import soft_split
from tutorial_lib.exercises.t2t.steps import tokens_to_token

__all__ = [  # in the order of the chapter
    "token_count",
    "soft_split",
    "soft_split_backward",
    "restructure",
    "tokens_to_token",
    "positive_features",
    "linear_attention",
    "t2t_cost",
    "dense_block",
    "sum_of_branches",
    "squeeze_excitation",
    "ghost_module",
]
