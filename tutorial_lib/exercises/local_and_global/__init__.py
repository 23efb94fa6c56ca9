"""Chapter 07, local and global: what is asked, how it is tried, and what people get wrong."""

from tutorial_lib.exercises import in_files

FILES = {  # in the order of the chapter: an exercise and the file that holds it
    "unscrambled": "scrambling",
    "pixel_tokens": "cutting",
    "inner_attention": "inner",
    "PixelsToPatch": "joining",
    "TNTBlock": "block",
    "TNT": "model",
    "rivals_step": "rivals",
    "tnt_from_nothing": "from_nothing",
    # the family: Twins, CAT, RegionViT
    "SubsampledAttention": "summaries",
    "twins_cost": "costs",
    "PositionGenerator": "borders",
    "channel_patches": "channels",
    "RegionalToLocal": "regions",
    # the labs
    "pixels_to_patch_backward": "joining_backward",
}
__all__, __getattr__, __dir__ = in_files(__name__, FILES)
