"""Chapter 09, T2T-ViT: what is asked, how it is tried, and what people get wrong."""

from tutorial_lib.exercises import in_files

FILES = {  # in the order of the chapter: an exercise and the file that holds it
    "token_count": "counting",
    "soft_split": "splitting",
    "SoftSplit": "cutting",
    "restructure": "restructuring",
    "TokenTransformer": "token_layer",
    "T2TViT": "model",
    "training_step": "training",
    "t2t_from_nothing": "from_nothing",
    "squeeze_excitation": "gates",
    "ghost_module": "ghosts",
    "soft_split_backward": "folding",
    "positive_features": "performer",
    "t2t_cost": "cost",
}
__all__, __getattr__, __dir__ = in_files(__name__, FILES)
