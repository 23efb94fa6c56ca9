"""Hugging Face's DETR as the course's. Taught in chapter 14.

With a network, any published one whose images have one size:

    from transformers import DetrForObjectDetection
    model = from_huggingface(DetrForObjectDetection.from_pretrained("facebook/detr-resnet-50"))
"""

import re

from torch import nn

from tutorial_lib.models.detection.detr import DETR

OUTSIDE = {
    "model.query_position_embeddings.weight": "queries",
    "model.input_projection": "project",
    "model.decoder.layernorm": "norm",
    "class_labels_classifier": "class_head",
    "bbox_predictor.layers.0": "box_head.0",
    "bbox_predictor.layers.1": "box_head.2",
    "bbox_predictor.layers.2": "box_head.4",
}
IN_A_LAYER = {
    "self_attn": "attention",
    "encoder_attn": "cross_attention",
    "q_proj": "to_q",
    "k_proj": "to_k",
    "v_proj": "to_v",
    "o_proj": "to_out",
    "self_attn_layer_norm": "around_attention.norm",
    "encoder_attn_layer_norm": "around_cross_attention.norm",
    "mlp": "feed_forward",
    "fc1": "up",
    "fc2": "down",
    "final_layer_norm": "around_feed_forward.norm",
}


class Backbone(nn.Module):
    """The convolutional network of their model, as DETR wants one."""

    def __init__(self, theirs):
        super().__init__()
        self.model = theirs.model.backbone.model
        self.channels = theirs.model.backbone.intermediate_channel_sizes[-1]

    def forward(self, images):
        """images (B, 3, H, W)  ->  (B, channels, h, w)"""
        return self.model(images).feature_maps[-1]


def from_huggingface(theirs):
    """The course's DETR with the weights of a `DetrForObjectDetection`; they share the backbone.

    Raises ValueError for one whose encoder and decoder differ in size or whose positions are
    learned.
    """
    config = theirs.config
    sizes = [
        (config.encoder_layers, config.encoder_attention_heads, config.encoder_ffn_dim),
        (config.decoder_layers, config.decoder_attention_heads, config.decoder_ffn_dim),
    ]
    if sizes[0] != sizes[1]:
        raise ValueError(f"layers, heads and hidden of encoder and decoder are {sizes}, not equal")
    if config.position_embedding_type != "sine":
        raise ValueError(f"positions are {config.position_embedding_type!r}, expected 'sine'")
    depth, heads, hidden = sizes[0]
    kinds, queries = config.num_labels, config.num_queries
    ours = DETR(Backbone(theirs), kinds, queries, config.d_model, depth, heads, hidden)
    ours.load_state_dict({our_name(name): x for name, x in theirs.state_dict().items()})
    return ours.train(theirs.training)


def our_name(name):
    """What DETR calls a parameter of theirs. Raises ValueError for one that it does not have."""
    module, _, parameter = name.rpartition(".")
    if name.startswith("model.backbone."):
        return name.removeprefix("model.")
    if name in OUTSIDE:
        return OUTSIDE[name]
    if module in OUTSIDE:
        return f"{OUTSIDE[module]}.{parameter}"
    layer = re.fullmatch(r"model\.(encoder|decoder)\.layers\.(\d+)\.(.+)", module)
    parts = layer[3].split(".") if layer else [""]
    if not all(part in IN_A_LAYER for part in parts):
        raise ValueError(f"{name!r} is no weight of Hugging Face's DetrForObjectDetection")
    return ".".join([layer[1], layer[2], *(IN_A_LAYER[part] for part in parts), parameter])
