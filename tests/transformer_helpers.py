"""A small Transformer in which every weight counts, for the tests of it and of generation."""

import pytest
import torch
from torch import nn

from tutorial_lib.models.formulation.transformer import Transformer, WordEmbedding

END, BEGIN, WORDS = 0, 1, 5  # ids of words; how many there are
BOTH = pytest.mark.parametrize("norm_first", [True, False], ids=["pre", "post"])


def make(norm_first=True, seed=0, embed_source=None, vocabulary=WORDS):
    """A small model in float64 in which every weight counts, and which does not write one word for
    ever, as a fresh one does: it finds the word just read most like itself."""
    torch.manual_seed(seed)
    embed_source = embed_source or WordEmbedding(7, 8)
    model = Transformer(embed_source, vocabulary, 8, 2, 12, depth=2, norm_first=norm_first).double()
    for name, parameter in model.named_parameters():
        if parameter.ndim == 1:  # a bias, or the scale of a norm, here of either sign
            nn.init.normal_(parameter, std=1 if name.endswith("norm.weight") else 0.1)
        elif "table" not in name:
            parameter.data.mul_(2)
    return model


def lengths_mask(lengths, m):
    return (torch.arange(m) < torch.tensor(lengths)[:, None])[:, None]  # (B, 1, M)
