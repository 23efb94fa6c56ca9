"""Chapter 36, quantization: what is asked, how it is tried, and what people get wrong."""

from tutorial_lib.exercises import in_files

FILES = {  # in the order of the chapter: an exercise and the file that holds it
    "to_integers": "integers",
    "scales_per_channel": "channels",
    "best_scale": "clipping",
    "int8_matmul": "product",
    "QuantizedLinear": "module",
    "few_bit_step": "training",
    "two_bits_from_nothing": "from_nothing",
    "ranking_loss": "ranking",
    "searched_weight": "selection",
    "instability": "freezing",
    "xnor_product": "packed",
    "fused_glue": "glue",
    "prox_binary": "prox",
    "kmeans": "sharing",
    "fake_quantize_backward": "backward",
    "linear_of_integers": "bug",
}
__all__, __getattr__, __dir__ = in_files(__name__, FILES)
