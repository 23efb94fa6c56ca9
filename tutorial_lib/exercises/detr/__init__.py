"""Chapter 14, DETR: what is asked, how it is tried, and what people get wrong."""

from tutorial_lib.exercises import in_files

FILES = {  # in the order of the chapter: an exercise and the file that holds it
    "pairwise_iou": "boxes",
    "generalized_iou": "generalized",
    "matching_cost": "cost",
    "cheapest_matching": "matching",
    "assign": "assigning",
    "set_loss": "loss",
    "DETR": "module",
    "training_step": "training",
    "detr_from_nothing": "from_nothing",
    "augment": "hungarian",
    "iou_backward": "backward",
    "right_boxes": "right",
    "average_precision": "precision",
    "QueryLayer": "decoder",
}
__all__, __getattr__, __dir__ = in_files(__name__, FILES)
