"""Chapter 06, DeiT: what is asked, how it is tried, and what people get wrong."""

from tutorial_lib.exercises import in_files

FILES = {  # in the order of the chapter: an exercise and the file that holds it
    "soft_distillation": "soft",
    "hard_distillation": "hard",
    "DeiT": "module",
    "distillation_step": "training",
    "deit_from_nothing": "from_nothing",
    "soft_distillation_backward": "soft",
    "divergence_from_teacher": "debugging",
    "predict_with_two_heads": "tokens",
    "token_similarity": "tokens",
    "mixup": "mixing",
    "cutmix": "cutting",
}
__all__, __getattr__, __dir__ = in_files(__name__, FILES)
