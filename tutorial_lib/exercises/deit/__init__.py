"""Chapter 06, DeiT: what is asked, how it is tried, and what people get wrong."""

from tutorial_lib.exercises import in_files

FILES = {  # in the order of the chapter: an exercise and the file that holds it
    "soft_distillation": "soft",
    "soft_distillation_backward": "soft",
    "hard_distillation": "hard",
    "divergence_from_teacher": "debugging",
    "predict_with_two_heads": "tokens",
    "mixup": "mixing",
    "cutmix": "cutting",
    "token_similarity": "tokens",
}
__all__, __getattr__, __dir__ = in_files(__name__, FILES)
