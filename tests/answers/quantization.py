"""Answers to chapter 36's core: integers, products, the module, a step with few bits, rankings."""

import itertools

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from answers import right, wrong
from tutorial_lib.layers.quantization import int8_product
from tutorial_lib.recipes.quantization.straight import few_bits, matrices

# to_integers


@right("quantization.to_integers", "min and max as arrays, rint, z from the upper end's formula")
def _(x, bits):
    n = 2**bits - 1
    low, high = np.minimum(np.min(x), 0), np.maximum(np.max(x), 0)
    if high - low == 0:
        return {"q": np.zeros_like(x, dtype=np.int8), "s": 1.0, "z": 0}
    s = float(high - low) / n
    z = int(np.rint(-(2 ** (bits - 1)) - low / s))
    q = np.rint(x / s).astype(int) + z
    return {"q": q.clip(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1).astype(np.int8), "s": s, "z": z}


def _range(x, bits):
    low, high = min(x.min(), 0), max(x.max(), 0)
    s = (high - low) / (2**bits - 1) or 1.0
    return s, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1, low


@wrong("quantization.to_integers", "adds z before rounding and truncates", says="rounding")
def _(x, bits):
    s, least, largest, low = _range(x, bits)
    z = int(round(least - low / s)) if np.any(x) else 0
    return {"q": np.clip(np.trunc(x / s) + z, least, largest).astype(np.int8), "s": s, "z": z}


@wrong("quantization.to_integers", "unsigned integers", says="0 and end at 2^b − 1")
def _(x, bits):
    s, least, largest, low = _range(x, bits)
    z = int(round(-low / s)) if np.any(x) else 2 ** (bits - 1)
    z = z if np.any(x) else 0
    q = np.clip(np.round(x / s) + z, 0, 2**bits - 1).astype(np.int64).astype(np.int8)
    return {"q": q, "s": s, "z": z}


@wrong("quantization.to_integers", "divides by 2 ** bits", says="2^b steps")
def _(x, bits):
    low, high = min(x.min(), 0), max(x.max(), 0)
    if low == high:
        return {"q": np.zeros(x.shape, np.int8), "s": 1.0, "z": 0}
    s = (high - low) / 2**bits
    z = round(-(2 ** (bits - 1)) - low / s)
    q = np.clip(np.round(x / s) + z, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return {"q": q.astype(np.int8), "s": s, "z": z}


# scales_per_channel


@right("quantization.scales_per_channel", "a loop over the columns")
def _(W, bits):
    found = [max(abs(c) for c in column) / (2 ** (bits - 1) - 1) for column in W.T]
    return np.array([s if s > 0 else 1.0 for s in found])


@wrong("quantization.scales_per_channel", "axis 1", says="for each row")
def _(W, bits):
    s = abs(W).max(1) / (2 ** (bits - 1) - 1)
    s[s == 0] = 1
    return s


# best_scale


@right("quantization.best_scale", "all scales at once")
def _(x, scales, bits):
    s = scales[:, None]
    q = np.clip(np.rint(x.reshape(1, -1) / s), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return float(scales[((q * s - x.reshape(1, -1)) ** 2).sum(1).argmin()])


@wrong("quantization.best_scale", "no clip", says="Nothing is clipped")
def _(x, scales, bits):
    return float(min(scales, key=lambda s: ((np.round(x / s) * s - x) ** 2).mean()))


# int8_matmul


@right("quantization.int8_matmul", "differences in int64, then down")
def _(q_x, z_x, q_w, z_w):
    a, b = q_x.astype(np.int64) - z_x, q_w.astype(np.int64) - z_w.astype(np.int64)
    return (a @ b).astype(np.int32)


@right("quantization.int8_matmul", "einsum of wide integers")
def _(q_x, z_x, q_w, z_w):
    a, b = q_x.astype("i4") - z_x, q_w.astype("i4") - z_w
    return np.einsum("nk,km->nm", a, b)


@wrong("quantization.int8_matmul", "matmul of int8", says="summed in 8 bits")
def _(q_x, z_x, q_w, z_w):
    K = q_x.shape[1]
    wide = q_w.astype(np.int32), q_x.astype(np.int32), z_w.astype(np.int32)
    out = np.matmul(q_x, q_w).astype(np.int32) - z_x * wide[0].sum(0)
    return out - wide[1].sum(1)[:, None] * wide[2] + K * z_x * wide[2]


@wrong("quantization.int8_matmul", "no K", says="without K")
def _(q_x, z_x, q_w, z_w):
    q_x, q_w, z_w = q_x.astype(int), q_w.astype(int), z_w.astype(int)
    out = q_x @ q_w - z_x * q_w.sum(0)[None] - q_x.sum(1)[:, None] * z_w[None] + z_x * z_w
    return out.astype(np.int32)


# QuantizedLinear


@right("quantization.QuantizedLinear", "a product of int32, zero points off first, own names")
class QuantizedLinear(nn.Module):
    def __init__(self, linear, low, high, bits=8):
        super().__init__()
        self.n = 2 ** (bits - 1)
        W = linear.weight.data
        scale = W.abs().max(1).values / (self.n - 1)
        low, high = min(0.0, low), max(0.0, high)
        s = (high - low) / (2 * self.n - 1)
        self.register_buffer("weight", torch.round(W / scale.unsqueeze(1)).char())
        self.register_buffer("weight_scale", scale)
        self.register_buffer("input_scale", torch.tensor(s))
        self.register_buffer("input_zero", torch.tensor(round(-self.n - low / s)).int())
        self.register_buffer("bias", linear.bias.data.clone())

    def forward(self, x):
        q = torch.clamp(torch.round(x / self.input_scale) + self.input_zero, -self.n, self.n - 1)
        shifted = q.int() - self.input_zero
        return (
            shifted.double().matmul(self.weight.double().T).float()
            * (self.input_scale * self.weight_scale)
            + self.bias
        )


@wrong("quantization.QuantizedLinear", "the zero point stays", says="never taken off")
class QuantizedLinear(QuantizedLinear):
    def forward(self, x):
        q = torch.clamp(torch.round(x / self.input_scale) + self.input_zero, -self.n, self.n - 1)
        product = int8_product(q.to(torch.int8).flatten(0, -2), self.weight.T)
        out = product * self.input_scale * self.weight_scale + self.bias
        return out.reshape(*x.shape[:-1], -1)


# few_bit_step


@right("quantization.few_bit_step", "a state dict kept, .data written")
def _(model, optimizer, images, labels, bits):
    model.train()
    optimizer.zero_grad()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for W in matrices(model):
        W.data = few_bits(W.data, bits)
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    for name, p in model.named_parameters():
        p.data = before[name]
    optimizer.step()
    return loss.item()


@wrong("quantization.few_bit_step", "never restores", says="The float weights are lost")
def _(model, optimizer, images, labels, bits):
    model.train()
    optimizer.zero_grad()
    for W in matrices(model):
        W.data = few_bits(W.data, bits)
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


# ranking_loss


@right("quantization.ranking_loss", "pairs by itertools")
def _(found, wanted, theta=0.0):
    total = 0
    for j, k in itertools.combinations(range(found.shape[-1]), 2):
        sign = torch.sign(wanted[..., j] - wanted[..., k])
        total = total + torch.relu(theta - (found[..., j] - found[..., k]) * sign)
    return total.mean()


@right("quantization.ranking_loss", "the square, its upper triangle")
def _(found, wanted, theta=0.0):
    f, w = (x.unsqueeze(-1) - x.unsqueeze(-2) for x in (found, wanted))
    return torch.relu(theta - f * w.sign()).triu(1).sum((-2, -1)).mean()


@wrong("quantization.ranking_loss", "half of the square", says="Each key is compared with itself")
def _(found, wanted, theta=0.0):
    f, w = (x.unsqueeze(-1) - x.unsqueeze(-2) for x in (found, wanted))
    return torch.relu(theta - f * w.sign()).triu().sum((-2, -1)).mean()


# fake_quantize_backward


@right("quantization.fake_quantize_backward", "three cases by masks")
def _(dy, x, s, bits):
    lo, hi = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    r = np.rint(x / s)
    below, above = r < lo, r > hi
    ok = ~(below | above)
    dx = np.zeros_like(dy)
    dx[ok] = dy[ok]
    ds = (dy * (r - x / s))[ok].sum() + lo * dy[below].sum() + hi * dy[above].sum()
    return {"dx": dx, "ds": float(ds)}


@wrong("quantization.fake_quantize_backward", "no clipping in dx", says="All of dy passes")
def _(dy, x, s, bits):
    lo, hi = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    r = np.rint(x / s)
    ok = (r >= lo) & (r <= hi)
    ds = np.where(ok, r - x / s, r.clip(lo, hi))
    return {"dx": dy, "ds": float((dy * ds).sum())}


# linear_of_integers


@right("quantization.linear_of_integers", "by floats")
def _(q_x, s_x, z_x, q_w, s_w, b):
    return (s_x * (q_x.astype(float) - float(z_x))) @ (q_w * s_w) + b


@wrong("quantization.linear_of_integers", "clips to int8", says="cut off")
def _(q_x, s_x, z_x, q_w, s_w, b):
    d = (q_x.astype(int) - int(z_x)).clip(-128, 127)
    return s_x * s_w * (d @ q_w.astype(int)) + b
