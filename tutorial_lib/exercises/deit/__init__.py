"""Chapter 06, DeiT: what is asked, how it is tried, and what people get wrong."""

from tutorial_lib.exercises.deit.cutting import cutmix
from tutorial_lib.exercises.deit.debugging import divergence_from_teacher
from tutorial_lib.exercises.deit.hard import hard_distillation
from tutorial_lib.exercises.deit.mixing import mixup
from tutorial_lib.exercises.deit.soft import soft_distillation, soft_distillation_backward
from tutorial_lib.exercises.deit.tokens import predict_with_two_heads, token_similarity

__all__ = [  # in the order of the chapter
    "soft_distillation",
    "soft_distillation_backward",
    "hard_distillation",
    "divergence_from_teacher",
    "predict_with_two_heads",
    "mixup",
    "cutmix",
    "token_similarity",
]
