"""Chapter 05, ViT: what is asked, how it is tried, and what people get wrong."""

from tutorial_lib.exercises.vit.backward import (
    patch_embedding_backward,
    prepend_class_token_backward,
)
from tutorial_lib.exercises.vit.convolution import embed_by_convolution
from tutorial_lib.exercises.vit.cost import vit_cost
from tutorial_lib.exercises.vit.debugging import class_probabilities
from tutorial_lib.exercises.vit.distance import attention_distance
from tutorial_lib.exercises.vit.from_nothing import vit_from_nothing
from tutorial_lib.exercises.vit.model import vit
from tutorial_lib.exercises.vit.module import VisionTransformer
from tutorial_lib.exercises.vit.patches import patchify
from tutorial_lib.exercises.vit.positions import interpolate_positions
from tutorial_lib.exercises.vit.rollout import attention_rollout
from tutorial_lib.exercises.vit.tokens import prepend_class_token
from tutorial_lib.exercises.vit.training import training_step

__all__ = [  # in the order of the chapter
    "patchify",
    "patch_embedding_backward",
    "prepend_class_token",
    "prepend_class_token_backward",
    "vit",
    "class_probabilities",
    "embed_by_convolution",
    "VisionTransformer",
    "training_step",
    "interpolate_positions",
    "attention_rollout",
    "attention_distance",
    "vit_cost",
    "vit_from_nothing",
]
