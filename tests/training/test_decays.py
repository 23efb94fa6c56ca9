"""Which parameters weight decay shrinks, decided by what they are: by name, for every model."""

import pytest
import torch
from torch import nn

from tutorial_lib.layers.positions import LearnedPositions2D, RelativeBias
from tutorial_lib.models.backbones.cnn import SmallCNN
from tutorial_lib.models.backbones.deit import DeiT
from tutorial_lib.models.backbones.t2t import T2TViT
from tutorial_lib.models.formulation.transformer import Transformer, WordEmbedding
from tutorial_lib.training.loop import decays

VIT = dict(image_size=6, patch=2, channels=3, classes=5, dim=8, depth=1, heads=2, hidden=12)


def spared(model):
    """The last word of the name of each parameter with two axes or more that is not shrunk."""
    names = {name for name, p in model.named_parameters() if p.ndim >= 2} - decays(model)
    return {name.rpartition(".")[2] for name in names}


@pytest.mark.parametrize(
    "model, tables",
    [
        (DeiT(**VIT), {"class_token", "distillation_token", "distillation_position", "table"}),
        (T2TViT(nn.Identity(), [], 8, 5), {"class_token"}),
        (Transformer(WordEmbedding(7, 8), 5, 8, 2, 12, depth=1), {"weight"}),  # embeddings
        (LearnedPositions2D(2, 3, 4), {"row", "column"}),
        (RelativeBias(2, 3, 4), {"table"}),
        (nn.MultiheadAttention(8, 2), set()),
        (nn.GRU(4, 8), set()),
        (nn.LayerNorm((3, 4)), {"weight", "bias"}),
        (nn.ParameterDict({"W_Q": torch.ones(2, 2), "E_pos": torch.ones(2, 2)}), {"E_pos"}),
        (SmallCNN(1, 10, 4), set()),
    ],
    ids=lambda x: type(x).__name__,
)
def test_tokens_positions_and_tables_are_spared(model, tables):
    assert spared(model) == tables


@pytest.mark.parametrize("model", [DeiT(**VIT), SmallCNN(1, 10, 4)], ids=lambda m: type(m).__name__)
def test_the_matrix_of_every_linear_map_and_convolution_is_shrunk(model):
    kinds = (nn.Linear, nn.Conv2d)
    wanted = {f"{n}.weight" for n, m in model.named_modules() if isinstance(m, kinds)}
    assert decays(model) == wanted
