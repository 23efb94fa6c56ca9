"""Swin Transformer: attention in windows that move by half. Taught in chapter 08.

Liu et al., Swin Transformer: Hierarchical Vision Transformer using Shifted Windows (ICCV 2021,
2103.14030). There is no dropout and no stochastic depth.
"""

import re

from torch import nn

from tutorial_lib.layers.transformer import FeedForward, Residual
from tutorial_lib.layers.windows import PatchMerging, ShiftedWindowAttention
from tutorial_lib.models.backbones.pyramid import ConvEmbedding, Pyramid


class SwinBlock(nn.Module):
    """Attention in windows, moved by shift tokens, then a feed-forward network.

    dim, heads, hidden  as in EncoderLayer; window  tokens, its side; shift  tokens, 0 … window − 1
    """

    def __init__(self, dim: int, heads: int, hidden: int, window: int, shift: int = 0):
        super().__init__()
        self.attention = ShiftedWindowAttention(dim, heads, window, shift)
        self.feed_forward = FeedForward(dim, hidden)
        self.around_attention = Residual(dim, norm_first=True)
        self.around_feed_forward = Residual(dim, norm_first=True)

    def forward(self, x):
        """(B, H, W, dim)  ->  (B, H, W, dim)"""
        x = self.around_attention(x, self.attention)
        return self.around_feed_forward(x, self.feed_forward)


class Swin(Pyramid):
    """Stages of blocks in windows, every second one shifted; the grid is halved between stages.

    patch, window      pixels and tokens, the sides of a patch and of a window, in all stages
    channels, classes  of the image; how many there are to choose from
    dim                features of a token in the first stage, doubled by every merge
    depths, heads      blocks and heads of each stage: (2, 2, 6, 2) and (3, 6, 12, 24) in Swin-T
    shifted            False is a control: all windows stay where they are

    It takes images of any size whose grid, in every stage, divides into windows.
    """

    def __init__(
        self,
        patch: int,
        window: int,
        channels: int,
        classes: int,
        dim: int,
        depths: tuple[int, ...],
        heads: tuple[int, ...],
        shifted: bool = True,
    ):
        if len(depths) != len(heads):
            raise ValueError(f"depths of {len(depths)} stages, heads of {len(heads)}")
        dims = [dim * 2**i for i in range(len(depths))]
        shifts = 0, window // 2 if shifted else 0
        stages = [
            [SwinBlock(d, h, 4 * d, window, shifts[i % 2]) for i in range(depth)]
            for d, h, depth in zip(dims, heads, depths)
        ]
        merges = [PatchMerging(d) for d in dims[:-1]]
        embed = ConvEmbedding(channels, dim, patch, patch)
        super().__init__(
            embed, stages, merges, nn.LayerNorm(dims[-1]), nn.Linear(dims[-1], classes)
        )


# Modules of Hugging Face's SwinForImageClassification, and ours. In a checkpoint's file some have
# other names than in a model in memory (from version 5).
OUTSIDE = {
    "swin.embeddings.patch_embeddings.projection": "embed.project",
    "swin.embeddings.norm": "embed.norm",
    "swin.layernorm": "norm",
    "classifier": "head",
}
IN_A_BLOCK = {
    "layernorm_before": "around_attention.norm",
    "layernorm_after": "around_feed_forward.norm",
    "attention.q_proj": "attention.attention.to_q",
    "attention.k_proj": "attention.attention.to_k",
    "attention.v_proj": "attention.attention.to_v",
    "attention.o_proj": "attention.attention.to_out",
    "mlp.fc1": "feed_forward.up",
    "mlp.fc2": "feed_forward.down",
    "attention.self.query": "attention.attention.to_q",
    "attention.self.key": "attention.attention.to_k",
    "attention.self.value": "attention.attention.to_v",
    "attention.output.dense": "attention.attention.to_out",
    "intermediate.dense": "feed_forward.up",
    "output.dense": "feed_forward.down",
}
IN_A_MERGE = {"norm": "norm", "reduction": "reduce"}
TABLE = "relative_position_bias_table"


def from_huggingface(state):
    """The weights of Hugging Face's SwinForImageClassification, such as the checkpoint
    microsoft/swin-tiny-patch4-window7-224, in the names and shapes of `Swin`, for
    `load_state_dict`.

    state  dict of tensors by name  ->  dict of the same tensors by our names

    Raises ValueError for a name that belongs to no part of `Swin`.
    """
    return {
        _our_name(name): tensor.T if name.endswith(TABLE) else tensor  # heads last, there
        for name, tensor in state.items()
        if not name.endswith("relative_position_index")  # constants, in a checkpoint's file
    }


def _our_name(name):
    module, _, parameter = name.rpartition(".")
    if module in OUTSIDE:
        return f"{OUTSIDE[module]}.{parameter}"
    block = re.fullmatch(r"swin\.encoder\.layers\.(\d+)\.blocks\.(\d+)\.(.+)", module)
    merge = re.fullmatch(r"swin\.encoder\.layers\.(\d+)\.downsample\.(.+)", module)
    if block and parameter == TABLE:
        return f"stages.{block[1]}.{block[2]}.attention.bias.table"
    if block and block[3] in IN_A_BLOCK:
        return f"stages.{block[1]}.{block[2]}.{IN_A_BLOCK[block[3]]}.{parameter}"
    if merge and merge[2] in IN_A_MERGE:
        return f"merges.{merge[1]}.{IN_A_MERGE[merge[2]]}.{parameter}"
    raise ValueError(f"{name!r} is no weight of Hugging Face's SwinForImageClassification")
