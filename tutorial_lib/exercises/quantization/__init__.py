"""Chapter 36, quantization: what is asked, how it is tried, and what people get wrong."""

from tutorial_lib.exercises import in_files

FILES = {  # in the order of the chapter: an exercise and the file that holds it
    "searched_weight": "selection",
    "instability": "freezing",
    "xnor_product": "packed",
    "fused_glue": "packed",
    "prox_binary": "prox",
    "kmeans": "sharing",
}
__all__, __getattr__, __dir__ = in_files(__name__, FILES)
