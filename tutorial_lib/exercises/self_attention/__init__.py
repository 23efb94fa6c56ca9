"""Chapter 01, self-attention: what is asked, how it is tried, and what people get wrong."""

from tutorial_lib.exercises import in_files

FILES = {  # in the order of the chapter: an exercise and the file that holds it
    "scores": "weights",
    "softmax": "weights",
    "masked_softmax": "masks",
    "attention": "forward",
    "dot_product_attention": "pytorch",
    "Attention": "module",
    "completion_step": "training",
    "attention_from_nothing": "from_nothing",
    "causal_mask": "masks",
    "causal_attention": "experiments",
    "softmax_backward": "backward",
    "attention_backward": "backward",
    "equivariance_error": "experiments",
    "cross_attention": "forward",
    "online_attention": "cost",
    "softmax_row": "rows",
    "flash_tile": "tiles",
    "attention_flops": "cost",
}
__all__, __getattr__, __dir__ = in_files(__name__, FILES)
