"""Chapter 05, ViT: what is asked, how it is tried, and what people get wrong."""

from tutorial_lib.exercises import in_files

FILES = {  # in the order of the chapter: an exercise and the file that holds it
    "patchify": "patches",
    "patch_embedding_backward": "backward",
    "prepend_class_token": "tokens",
    "prepend_class_token_backward": "backward",
    "vit": "model",
    "class_probabilities": "debugging",
    "embed_by_convolution": "convolution",
    "VisionTransformer": "module",
    "training_step": "training",
    "interpolate_positions": "positions",
    "attention_rollout": "rollout",
    "attention_distance": "distance",
    "vit_cost": "cost",
    "vit_from_nothing": "from_nothing",
}
__all__, __getattr__, __dir__ = in_files(__name__, FILES)
