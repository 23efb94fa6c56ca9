"""Chapter 05, ViT: what is asked, how it is tried, and what people get wrong."""

from tutorial_lib.exercises import in_files

FILES = {  # in the order of the chapter: an exercise and the file that holds it
    "patchify": "patches",
    "VisionTransformer": "module",
    "training_step": "training",
    "vit_from_nothing": "from_nothing",
    "prepend_class_token": "tokens",
    "vit": "model",
    "class_probabilities": "debugging",
    "prepend_class_token_backward": "backward",
    "patch_embedding_backward": "backward",
    "embed_by_convolution": "convolution",
    "interpolate_positions": "positions",
    "attention_rollout": "rollout",
    "attention_distance": "distance",
    "vit_cost": "cost",
}
__all__, __getattr__, __dir__ = in_files(__name__, FILES)
