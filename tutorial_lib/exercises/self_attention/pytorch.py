"""The same attention in PyTorch."""

import numpy as np
import torch

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.self_attention.cases import queries_keys_values_mask
from tutorial_lib.layers import attention as torch_attention


def _tensor(array):
    return torch.from_numpy(array.copy()).requires_grad_(array.dtype.kind == "f")


def tensors(rng):
    for case in queries_keys_values_mask(rng):
        named = {name.lower() if name != "mask" else name: value for name, value in case.items()}
        yield {name: value if value is None else _tensor(value) for name, value in named.items()}
    single = {name: rng.normal(size=(2, 3, 4)).astype(np.float32) for name in "qkv"}
    yield {n: _tensor(x) for n, x in single.items()} | {"mask": torch.ones(3, 3).tril().bool()}


dot_product_attention = Exercise(
    torch_attention.dot_product_attention,
    level=2,
    minutes=10,
    cases=tensors,
    hints=(
        "The same four steps; tensors have `@`, `.mT` and `.softmax(dim=...)`.",
        "`s.masked_fill(condition, value)` puts the value where the condition is True. The mask is "
        "True where a query *may* look.",
        "Scores `q @ k.mT` over the root of `q.shape[-1]`; fill with −∞ where `~mask`, if there "
        "is a mask; then the softmax over the keys, filled once more, now with 0, for a query that "
        "may look nowhere; and the product with v.",
    ),
)


def _steps(q, k, v, mask, *, divide_by=1.0, fill=float("-inf"), dim=-1, flip=False, keys=None):
    """The steps with another scale, number in forbidden places, axis of the softmax, mask turned
    round or keys turned otherwise."""
    s = q @ (k.mT if keys is None else keys) / divide_by
    if mask is None:
        p = s.softmax(dim=dim)
    else:
        hidden = mask if flip else ~mask
        p = s.masked_fill(hidden, fill).softmax(dim=dim)
        p = p.masked_fill(hidden, 0) if fill == float("-inf") else p
    return p @ v, p


def _root(q):
    return q.shape[-1] ** 0.5


@dot_product_attention.mistake(
    """Right as long as each query may look somewhere. The softmax of a row of −∞ is NaN, and one
    NaN spoils every gradient behind it. What gets a query that may look nowhere?"""
)
def nan_for_who_may_look_nowhere(q, k, v, mask=None):
    s = q @ k.mT / _root(q)
    if mask is not None:  # added, so that its gradient is NaN wherever a learner's may be
        s = s + torch.zeros_like(s).masked_fill(~mask, float("-inf"))
    p = s.softmax(dim=-1)
    return p @ v, p


@dot_product_attention.mistake(
    """Right as long as each query may look somewhere. One that may look nowhere should get zeros:
    yours looks at all keys alike, or wherever the lowest finite score is. Which score is it that
    you fill in, and what does the softmax of a row of equal scores give?"""
)
def uniform_for_who_may_look_nowhere(q, k, v, mask=None):
    return _steps(q, k, v, mask, divide_by=_root(q), fill=torch.finfo(q.dtype).min)


@dot_product_attention.mistake(
    """`softmax(dim=1)` is right for a batch of vectors. In (B, N, M), axis 1 holds the queries:
    which axis holds the keys, whatever the number of axes?"""
)
def softmax_over_axis_one(q, k, v, mask=None):
    return _steps(q, k, v, mask, divide_by=_root(q), dim=1)


@dot_product_attention.mistake(
    """You fill where the mask is True, which is where a query *may* look. Turn the condition
    round: `~mask`."""
)
def fills_the_allowed(q, k, v, mask=None):
    return _steps(q, k, v, mask, divide_by=_root(q), flip=True)


@dot_product_attention.mistake(
    """`k.transpose(0, 1)` (and `k.T`) is right for one matrix only. In a batch the first axis
    counts the sequences: swap the last two, `k.mT`."""
)
def transposes_the_batch(q, k, v, mask=None):
    return _steps(q, k, v, mask, divide_by=_root(q), keys=k.transpose(0, 1))


@dot_product_attention.mistake(
    """You scale by the number of tokens, `shape[-2]`. The dot product runs over the features:
    `shape[-1]`."""
)
def scales_by_tokens(q, k, v, mask=None):
    return _steps(q, k, v, mask, divide_by=q.shape[-2] ** 0.5)


@dot_product_attention.mistake(
    """`.detach()` or `.data` cuts the graph: the numbers are right and no gradient reaches q, k
    or v. Where did you leave autograd?"""
)
def cuts_the_graph(q, k, v, mask=None):
    z, p = torch_attention.dot_product_attention(q.detach(), k.detach(), v.detach(), mask)
    return z, p


@dot_product_attention.mistake(
    """The scale is missing: scores are √d times too large and the weights too sharp. What keeps the
    variance of a sum of d products near one?"""
)
def forgets_the_scale(q, k, v, mask=None):
    return _steps(q, k, v, mask)


@dot_product_attention.mistake(
    """You divide by d itself, and the weights come out nearly equal. Which power of d does the
    standard deviation of q·k grow with?"""
)
def divides_by_d(q, k, v, mask=None):
    return _steps(q, k, v, mask, divide_by=q.shape[-1])


@dot_product_attention.mistake("""You do not use the mask: right without one, wrong with one.""")
def ignores_the_mask(q, k, v, mask=None):
    return _steps(q, k, v, None, divide_by=_root(q))


@dot_product_attention.mistake(
    """Forbidden scores become zero, which is an ordinary score: exp(0) = 1. Which score gives a
    weight of zero?"""
)
def fills_with_zero(q, k, v, mask=None):
    return _steps(q, k, v, mask, divide_by=_root(q), fill=0.0)


@dot_product_attention.mistake(
    """Forbidden scores become a large negative number, which is a score like others. Where all that
    a query may look at scores lower still, it looks where it may not. Which score loses against
    every number?"""
)
def fills_with_a_finite_number(q, k, v, mask=None):
    return _steps(q, k, v, mask, divide_by=_root(q), fill=-1e4)


@dot_product_attention.mistake(
    """You mask the weights after the softmax, and a masked row no longer sums to one. At which of
    the four steps do forbidden places have to go?"""
)
def masks_the_weights(q, k, v, mask=None):
    p = (q @ k.mT / _root(q)).softmax(dim=-1)
    p = p if mask is None else p * mask
    return p @ v, p


@dot_product_attention.mistake(
    """You normalise over the queries: in each column of p the weights sum to one. Which axis holds
    the keys of one query?"""
)
def softmax_over_queries(q, k, v, mask=None):
    return _steps(q, k, v, mask, divide_by=_root(q), dim=-2)


@dot_product_attention.mistake(
    """`torch.sqrt(torch.tensor(d))` is a float32 tensor: with float64 queries the root is right to
    seven digits only, and so is all that follows. Which kind of number takes the precision of what
    it divides?"""
)
def takes_the_root_in_float32(q, k, v, mask=None):
    return _steps(q, k, v, mask, divide_by=torch.sqrt(torch.tensor(q.shape[-1])))
