"""What goes on in deep stacks of layers that nobody has trained. Taught in chapter 03.

After Xiong et al., On Layer Normalization in the Transformer Architecture (ICML 2020, 2002.04745),
sections 3.2 and 3.3, and Liu et al., Understanding the Difficulty of Training Transformers (EMNLP
2020, 2004.08249).
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.layers.transformer import EncoderLayer
from tutorial_lib.notebook import plotting

DIM, CLASSES, DEPTHS = 64, 100, (2, 4, 8, 16, 32)
KINDS = {"Post-LN": False, "Pre-LN": True}  # name -> norm_first


def stack(depth, norm_first):
    """`depth` layers that start as in Xiong et al. (Xavier), with the LayerNorm that Pre-LN needs
    at the end, and a linear head."""
    layers = nn.ModuleList(EncoderLayer(DIM, 4, 4 * DIM, norm_first) for _ in range(depth))
    end = nn.LayerNorm(DIM) if norm_first else nn.Identity()
    model = nn.ModuleDict({"layers": layers, "end": end, "head": nn.Linear(DIM, CLASSES)})
    for part in model.modules():
        if isinstance(part, nn.Linear):
            nn.init.xavier_uniform_(part.weight)
            nn.init.zeros_(part.bias)
    return model


def fresh(depth, norm_first, seed, judged=1, stretch=1):
    """What happens in an untrained stack when the loss is that of the first `judged` of 16 tokens:
    by layer, the gradient of W₂, the size of the residual stream (before and after each layer),
    the angle between a layer's input and output, the share of GELU's inputs that lie where its
    slope is at most 0.05. W₁ starts `stretch` times as large as usual."""
    torch.manual_seed(seed)
    model, bent = stack(depth, norm_first), []
    for layer in model["layers"]:
        layer.feed_forward.up.weight.data *= stretch
        layer.feed_forward.up.register_forward_hook(lambda module, x, y: bent.append(y))
    stream = [torch.randn(1, 16, DIM)]
    for layer in model["layers"]:
        stream.append(layer(stream[-1]))
    logits = model["head"](model["end"](stream[-1]))[0, :judged]  # (judged, CLASSES)
    F.cross_entropy(logits, torch.randint(CLASSES, (judged,))).backward()
    with torch.no_grad():
        return {
            "gradient": [layer.feed_forward.down.weight.grad.norm() for layer in model["layers"]],
            "size": [x[:, 0].square().mean().sqrt() for x in stream],
            "cosine": [F.cosine_similarity(*xs, dim=-1).mean() for xs in pairwise(stream)],
            "flat": [(y < -2.35).float().mean() for y in bent],
        }


@torch.no_grad()
def shaken(depth, norm_first, seed):
    """How far the output of a fresh stack moves, relative to its size, if each weight of its layers
    moves up or down by 0.001, at random."""
    torch.manual_seed(seed)
    model, x = stack(depth, norm_first), torch.randn(16, 16, DIM)
    whole = nn.Sequential(*model["layers"], model["end"])
    before = whole(x)
    for weight in model["layers"].parameters():
        weight += 0.001 * torch.randn_like(weight).sign()
    return ((whole(x) - before).norm() / before.norm()).item()


def power(values):
    """The p of values ~ L^p, fitted through the means over seeds: values (DEPTHS, seeds)."""
    return plotting.fitted_slope(DEPTHS, values.mean(axis=1))
