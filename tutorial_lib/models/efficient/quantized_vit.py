"""A ViT in which both sides of every matrix product are quantized, as floats that take few values.

Taught in chapter 36. What post-training quantization searches scales for, and quantization-aware
training learns with: the linear maps, the patch embedding, the attention's two products. Softmax,
norms, GELU and residual sums stay as they are, as in Liu et al., Post-Training Quantization for
Vision Transformer (NeurIPS 2021, 2106.14156).
"""

import copy

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.layers.multi_head_attention import MultiHeadAttention, merge_heads
from tutorial_lib.layers.patches import PatchEmbedding
from tutorial_lib.layers.quantization import fake_quantize, symmetric_scale


class Product(nn.Module):
    """a @ b with both sides quantized, symmetric and with one scale each; bits None: as they are.

    Buffers: scale_a and scale_b (). While `seen` is a list, what goes in is added to it.
    """

    def __init__(self):
        super().__init__()
        self.bits, self.seen = None, None
        self.register_buffer("scale_a", torch.ones(()))
        self.register_buffer("scale_b", torch.ones(()))

    def forward(self, a, b):
        """a (..., N, K), b (..., K, M)  ->  (..., N, M)"""
        if self.seen is not None:
            self.seen.append((a, b))
        if self.bits is None:
            return a @ b
        a = fake_quantize(a, self.scale_a, bits=self.bits)
        return a @ fake_quantize(b, self.scale_b, bits=self.bits)


class ProductLinear(nn.Module):
    """A linear map through a `Product`: a is the input, b the weights."""

    def __init__(self, linear):
        super().__init__()
        self.weight, self.bias = linear.weight, linear.bias
        self.product = Product()

    def forward(self, x):
        """(..., inputs)  ->  (..., outputs)"""
        return self.product(x, self.weight.flatten(1).mT) + self.bias


class ProductPatches(nn.Module):
    """The patch embedding, cut first and then mapped by a `ProductLinear`."""

    def __init__(self, embed: PatchEmbedding):
        super().__init__()
        self.patch, self.grid = embed.patch, embed.grid
        self.project = ProductLinear(embed.project)

    def forward(self, images):
        """(B, C, H, W)  ->  (B, n, dim)"""
        return self.project(F.unfold(images, self.patch, stride=self.patch).mT)


class ProductAttention(MultiHeadAttention):
    """Attention whose scores and mixtures are products of `Product`s, without masks.

    While `maps` is a list, every attention map (B, heads, N, N) is added to it.
    """

    def __init__(self, attention: MultiHeadAttention):
        nn.Module.__init__(self)
        self.heads, self.maps = attention.heads, None
        for name in ("to_q", "to_k", "to_v", "to_out"):
            setattr(self, name, ProductLinear(getattr(attention, name)))
        self.scores, self.mixture = Product(), Product()

    def forward(self, x, mask=None):
        """(B, N, dim)  ->  (B, N, dim)"""
        k, v = self.keys_values(x)
        q = self.queries(x)  # (B, heads, N, d)
        p = (self.scores(q, k.mT) / q.shape[-1] ** 0.5).softmax(-1)
        if self.maps is not None:
            self.maps.append(p)
        return self.to_out(merge_heads(self.mixture(p, v)))


def with_products(model):
    """A copy of a `ViT` whose every matrix product is a `Product`, nothing quantized yet."""
    model = copy.deepcopy(model)
    model.embed = ProductPatches(model.embed)
    model.head = ProductLinear(model.head)
    for layer in model.encoder:
        layer.attention = ProductAttention(layer.attention)
        layer.feed_forward.up = ProductLinear(layer.feed_forward.up)
        layer.feed_forward.down = ProductLinear(layer.feed_forward.down)
    return model


def products(model) -> dict[str, Product]:
    """Name -> `Product` of a model, in the order in which they are called."""
    return {name: part for name, part in model.named_modules() if isinstance(part, Product)}


@torch.no_grad()
def record(model, images) -> dict[str, tuple]:
    """What the products of a model read for these images: name -> (a, b)."""
    parts = products(model)
    for part in parts.values():
        part.seen = []
    model(images)
    found = {name: part.seen[0] for name, part in parts.items()}
    for part in parts.values():
        part.seen = None
    return found


@torch.no_grad()
def attention_maps(model, images) -> list:
    """The attention maps of every layer: a list of (B, heads, N, N)."""
    for layer in model.encoder:
        layer.attention.maps = []
    model(images)
    maps = [layer.attention.maps[0] for layer in model.encoder]
    for layer in model.encoder:
        layer.attention.maps = None
    return maps


def set_min_max(model, seen, bits):
    """Quantize every product of a model with min-max scales of what it has `seen`; bits is a number
    or {name: number}."""
    for name, part in products(model).items():
        part.bits = bits[name] if isinstance(bits, dict) else bits
        for side, x in zip(("scale_a", "scale_b"), seen[name]):
            getattr(part, side).copy_(symmetric_scale(x.flatten(), part.bits))
    return model
