"""Chapter 09, T2T-ViT: what is asked, how it is tried, and what people get wrong."""

from tutorial_lib.exercises import in_files

FILES = {  # in the order of the chapter: an exercise and the file that holds it
    "token_count": "counting",
    "soft_split": "splitting",
    "soft_split_backward": "folding",
    "restructure": "restructuring",
    "tokens_to_token": "steps",
    "positive_features": "performer",
    "linear_attention": "linear",
    "t2t_cost": "cost",
    "dense_block": "dense",
    "sum_of_branches": "branches",
    "squeeze_excitation": "gates",
    "ghost_module": "ghosts",
}
__all__, __getattr__, __dir__ = in_files(__name__, FILES)
