"""Layers of the course beside those that people would pick instead, with the same weights.

    python -m benchmarks.layers [--only NAME] [--quick]

How it is measured: `benchmarks/side_by_side.py`. Attention and encoders meet PyTorch's own and
timm's; causal linear attention its paper's code (pytorch-fast-transformers) and the definition
as it is written; the int8 linear map PyTorch's dynamically quantized one; farthest-point sampling
fpsample. Writes results/layers-<device>.json.
"""

import numpy as np
import torch
from torch import nn

from benchmarks import peers, side_by_side
from benchmarks.side_by_side import FORWARD, Contest, stirred
from tutorial_lib.layers.attention import Attention
from tutorial_lib.layers.linear_attention import attend_in_chunks, phi
from tutorial_lib.layers.multi_head_attention import MultiHeadAttention
from tutorial_lib.layers.point_sets import farthest_points
from tutorial_lib.layers.quantization import QuantizedLinear, affine_scale, symmetric_scale
from tutorial_lib.layers.transformer import EncoderLayer
from tutorial_lib.models.backbones.t2t import T2TModule, T2TViT, TokenTransformer
from tutorial_lib.models.pose.pointnet import AlignedPointNet
from tutorial_lib.models.pose.pointnet2 import single_scale

# batch, tokens, features, heads
SIZES = {"quick": (2, 10, 16, 2), "cpu": (8, 197, 192, 3), "cuda": (64, 197, 768, 12)}


def size_of(device, quick):
    return SIZES["quick" if quick else "cpu" if device.type == "cpu" else "cuda"]


class Itself(nn.Module):
    """PyTorch's attention of tokens among themselves."""

    def __init__(self, attention):
        super().__init__()
        self.attention = attention

    def forward(self, x):
        return self.attention(x, x, x, need_weights=False)[0]


def attention(device, quick):
    """One head."""
    batch, tokens, dim, _ = size_of(device, quick)
    ours = stirred(Attention(dim))
    theirs = nn.MultiheadAttention(dim, 1, bias=False, batch_first=True)
    peers.give(theirs, ours.state_dict(), peers.IN_PYTORCH)
    x = torch.randn(batch, tokens, dim)
    return Contest({"ours": ours, "PyTorch": Itself(theirs)}, (x,))


def multi_head(device, quick):
    batch, tokens, dim, heads = size_of(device, quick)
    ours = stirred(MultiHeadAttention(dim, heads))
    theirs = nn.MultiheadAttention(dim, heads, batch_first=True)
    peers.give(theirs, ours.state_dict(), peers.IN_PYTORCH)
    x = torch.randn(batch, tokens, dim)
    contest = Contest({"ours": ours, "PyTorch": Itself(theirs)}, (x,))
    return contest.beside("timm", lambda: peers.timm_attention(ours))


def encoder(device, quick):
    """Two layers, pre-norm."""
    batch, tokens, dim, heads = size_of(device, quick)
    ours = nn.Sequential(*(stirred(EncoderLayer(dim, heads, 4 * dim)) for _ in range(2)))
    options = dict(activation="gelu", norm_first=True, batch_first=True, dropout=0.0)
    layer = nn.TransformerEncoderLayer(dim, heads, 4 * dim, **options)
    theirs = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    peers.give(theirs, ours.state_dict(), peers.IN_PYTORCH)
    return Contest({"ours": ours, "PyTorch": theirs}, (torch.randn(batch, tokens, dim),))


def definition(q, k, v):
    """Causal linear attention with all N × N weights."""
    A = (phi(q) @ phi(k).mT).tril()
    return A @ v / A.sum(-1, keepdim=True)


def in_chunks(q, k, v):
    return attend_in_chunks(phi(q), phi(k), v)[0]


def linear_attention(device, quick):
    """Causal, of long sequences."""
    tokens = 40 if quick else 1024 if device.type == "cpu" else 8192
    qkv = tuple(torch.randn(4, 4, tokens, 64) for _ in range(3))
    ours = in_chunks
    if device.type == "cuda":
        from tutorial_lib.kernels.linear_attention import linear_attention as kernel

        ours = lambda q, k, v: kernel(phi(q), phi(k), v)  # noqa: E731
    methods = {"ours": ours, "PyTorch, as defined": definition}
    return Contest(methods, qkv).beside("pytorch-fast-transformers", peers.fast_transformers)


def int8_linear(device, quick):
    """A linear map with int8 weights. Theirs finds the inputs' scale anew in each call, and uses
    half of their range, so results are a few percent apart."""
    N, K, M = (20, 16, 8) if quick else (2048, 512, 512)
    x, linear = torch.randn(N, K), nn.Linear(K, M)
    scale = symmetric_scale(linear.weight, 8)
    ours = QuantizedLinear(K, M).take(linear, scale, *affine_scale(x.flatten(), 8))
    methods, rest = {"ours": ours}, dict(modes=(FORWARD,), counted="floats", tolerance=5e-2)
    if device.type == "cpu":
        methods["PyTorch, quantize_dynamic"] = peers.quantized_by_pytorch(linear)
    return Contest(methods | {"floats": linear}, (x,), **rest)


def sampling(device, quick):
    """Farthest-point sampling: 512 of 1024 points of each cloud."""
    points, count, clouds = (64, 16, 2) if quick else (1024, 512, 4)
    x = torch.randn(clouds, points, 3)

    def fpsample():
        from fpsample import fps_sampling

        def sample(x):
            first = (x - x.mean(1, keepdim=True)).square().sum(-1).argmax(1)
            chosen = [
                fps_sampling(cloud.numpy(), count, start_idx=start)
                for cloud, start in zip(x, first.tolist())
            ]
            return torch.from_numpy(np.stack(chosen).astype(np.int64))

        return sample

    contest = Contest({"ours": lambda x: farthest_points(x, count)}, (x,), modes=(FORWARD,))
    return contest.beside("fpsample", fpsample) if device.type == "cpu" else contest


def t2t(device, quick):
    embed = T2TModule(1, ((7, 4, 2), (3, 2, 1)), 16, 64, TokenTransformer)
    ours = T2TViT(embed, [EncoderLayer(64, 4, 128) for _ in range(4)], 64, 10)
    return Contest({"ours": ours}, (torch.randn(2 if quick else 64, 1, 28, 28),))


def clouds_of(make):
    """A contest of one model that reads clouds of points."""
    return lambda device, quick: Contest(
        {"ours": make()}, (torch.randn(2, 600, 3) if quick else torch.randn(8, 1024, 3),)
    )


CONTESTS = {
    "attention": attention,
    "multi-head attention": multi_head,
    "transformer encoder": encoder,
    "linear attention": linear_attention,
    "int8 linear": int8_linear,
    "farthest-point sampling": sampling,
    "PointNet": clouds_of(lambda: AlignedPointNet(10)),
    "PointNet++": clouds_of(lambda: single_scale(10)),
    "T2T-ViT": t2t,
}


if __name__ == "__main__":
    side_by_side.run("layers", CONTESTS)
