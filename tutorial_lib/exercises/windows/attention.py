"""Attention inside windows, with a bias for each offset, as a module."""

import numpy as np
import torch
from torch import nn

from tutorial_lib.checking.modules import ModuleExercise
from tutorial_lib.from_scratch.positions import relative_position_index
from tutorial_lib.layers.multi_head_attention import merge_heads, split_heads


class WindowAttention(nn.Module):
    """Self-attention inside each window, in several heads, with a learned bias for each offset.

    dim, heads  features of a token; how many heads share them; window  its side M, in tokens

    Its parts are to_q, to_k, to_v and to_out (linear maps with biases) and table, a parameter
    (heads, (2M − 1)²) that begins normal with standard deviation 0.02: what a head adds to the
    score of two tokens, by `relative_position_index(M, M)`, int (N, N) with N = M². Scores are
    divided by the root of a head's width before the bias comes to them. Nothing but the parts is
    in the `state_dict`; `register_buffer(..., persistent=False)` keeps a buffer out.
    """

    def __init__(self, dim: int, heads: int, window: int):
        """Make the parts, and keep the index as a buffer, so that it moves with the module."""
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(dim, dim)
        self.to_k = nn.Linear(dim, dim)
        self.to_v = nn.Linear(dim, dim)
        self.to_out = nn.Linear(dim, dim)
        self.table = nn.Parameter(0.02 * torch.randn(heads, (2 * window - 1) ** 2))
        index = torch.as_tensor(relative_position_index(window, window))
        self.register_buffer("index", index, persistent=False)

    def forward(self, windows, mask=None):
        """windows (B, n, N, dim); mask bool (n, N, N), True where a query may look, or None
        ->  (B, n, N, dim)"""
        maps = self.to_q, self.to_k, self.to_v
        q, k, v = (split_heads(to(windows), self.heads) for to in maps)  # (B, n, heads, N, d)
        scores = q @ k.mT / q.shape[-1] ** 0.5 + self.table[:, self.index]
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None], float("-inf"))  # the same for all heads
        return self.to_out(merge_heads(scores.softmax(dim=-1) @ v))


def some_mask(rng, n, N):
    """bool (n, N, N): a query looks at itself, and at others or not; different in all windows."""
    mask = rng.random(size=(n, N, N)) < 0.6
    mask[:, np.arange(N), np.arange(N)] = True
    return torch.from_numpy(mask)


def windows_and_masks(rng):
    for B, n, dim, heads, window, masked in [
        (1, 2, 4, 2, 2, False),
        (2, 3, 6, 2, 2, True),
        (1, 2, 4, 1, 3, True),
        (3, 1, 6, 3, 2, False),
        (2, 2, 4, 2, 1, True),
    ]:
        N = window**2
        windows = torch.from_numpy(rng.normal(size=(B, n, N, dim)))
        mask = some_mask(rng, n, N) if masked else None
        arguments = dict(dim=dim, heads=heads, window=window)
        yield dict(arguments=arguments, windows=windows, mask=mask)


WindowAttention = ModuleExercise(
    WindowAttention,
    level=3,
    minutes=15,
    cases=windows_and_masks,
    initial={"table": (0, 0.02)},
    shared=("mask",),
    hints=(
        "It is chapter 02's multi-head attention with one axis more, the windows, and two things "
        "done to the scores. In which order, and before or after the softmax?",
        "`split_heads(x, heads)` makes (B, n, heads, N, d) of (B, n, N, dim), `merge_heads` undoes "
        "it. `table[:, index]` is (heads, N, N): it broadcasts over the batch and the windows.",
        "`scores = q @ k.mT / d ** 0.5 + self.table[:, self.index]`; the mask, (n, N, N), needs an "
        "axis for the heads, `mask[:, None]`: `scores.masked_fill(~mask[:, None], -inf)`; softmax, "
        "`@ v`, merge, to_out.",
    ),
)


class _Parts(WindowAttention.reference):
    """The reference in steps, for mistakes that change one of them."""

    def forward(self, windows, mask=None):
        q, k, v = self.q_k_v(windows)
        scores = self.raw(q, k) + self.added()
        return self.out(self.weights(scores, mask) @ v)

    def q_k_v(self, windows):
        maps = self.to_q, self.to_k, self.to_v
        return tuple(split_heads(to(windows), self.heads) for to in maps)

    def raw(self, q, k):
        return q @ k.mT / q.shape[-1] ** 0.5

    def added(self):
        return self.table[:, self.index]

    def weights(self, scores, mask):
        return self.hide(scores, mask).softmax(dim=-1)

    def hide(self, scores, mask):
        return scores if mask is None else scores.masked_fill(~mask[:, None], float("-inf"))

    def out(self, z):
        return self.to_out(merge_heads(z))


@WindowAttention.mistake(
    """No bias is added: the table never learns, and to the tokens of a window it is all the same
    where they stand. What is added to the scores?"""
)
class WithoutTheBias(_Parts):
    def added(self):
        return 0 * self.table[0, 0]


@WindowAttention.mistake(
    """Your bias is transposed: query and key have changed places, so "what lies to my left" finds
    what was learned for the right. Which of the two gives the rows of the index?"""
)
class BiasTransposed(_Parts):
    def added(self):
        return self.table[:, self.index].mT


@WindowAttention.mistake(
    """You divide the bias as well. The root belongs to the product of queries and keys, whose size
    grows with their width; what is learned for an offset comes to the score as it is."""
)
class ScalesTheBias(_Parts):
    def forward(self, windows, mask=None):
        q, k, v = self.q_k_v(windows)
        scores = (q @ k.mT + self.added()) / q.shape[-1] ** 0.5
        return self.out(self.weights(scores, mask) @ v)


@WindowAttention.mistake(
    """The bias comes after the softmax: your weights no longer sum to one, and some may be
    negative. To what does the task add it?"""
)
class BiasAfterTheSoftmax(_Parts):
    def forward(self, windows, mask=None):
        q, k, v = self.q_k_v(windows)
        return self.out((self.weights(self.raw(q, k), mask) + self.added()) @ v)


@WindowAttention.mistake("""All heads add the first one's bias. Each has a row of the table.""")
class OneBiasForAll(_Parts):
    def added(self):
        return self.table[:1, self.index]


@WindowAttention.mistake(
    """The mask is never used: in shifted windows, tokens from opposite edges of the grid attend to
    each other."""
)
class WithoutTheMask(_Parts):
    def hide(self, scores, mask):
        return scores


@WindowAttention.mistake(
    """Your mask is the wrong way round: those who may attend are hidden. `masked_fill` fills where
    it finds True; what does True mean in the mask?"""
)
class MaskTheWrongWay(_Parts):
    def hide(self, scores, mask):
        return scores if mask is None else scores.masked_fill(mask[:, None], float("-inf"))


@WindowAttention.mistake(
    """You multiply by the mask. A score of 0 is no ban: exp(0) = 1, and the token is heard. Which
    score gives a weight of 0?"""
)
class MultipliesByTheMask(_Parts):
    def hide(self, scores, mask):
        return scores if mask is None else scores * mask[:, None]


@WindowAttention.mistake(
    """You add the mask itself, True as 1 and False as 0: those who may look get a little more, and
    nobody is hidden. Which score gives a weight of 0?"""
)
class AddsTheMask(_Parts):
    def hide(self, scores, mask):
        return scores if mask is None else scores + mask[:, None]


@WindowAttention.mistake(
    """You hide weights after the softmax: what is left of a row no longer sums to one. When must
    the hidden tokens be out?"""
)
class MaskAfterTheSoftmax(_Parts):
    def weights(self, scores, mask):
        p = scores.softmax(dim=-1)
        return p if mask is None else p * mask[:, None]


@WindowAttention.mistake(
    """The mask of the first window hides tokens in all of them. Each window has its own, and only
    those at the far edges hide anything."""
)
class FirstMaskForAll(_Parts):
    def hide(self, scores, mask):
        return super().hide(scores, None if mask is None else mask[:1])


@WindowAttention.mistake(
    """Your scores are not divided by anything before the bias comes. By what does the task divide
    them?"""
)
class WithoutTheScale(_Parts):
    def raw(self, q, k):
        return q @ k.mT


@WindowAttention.mistake(
    """You divide by the root of dim, the width of a whole token. The queries of a head are shorter.
    Right with one head."""
)
class ScalesByDim(_Parts):
    def raw(self, q, k):
        return q @ k.mT / (q.shape[-1] * self.heads) ** 0.5


@WindowAttention.mistake(
    """Your softmax runs over the queries: the weights of a key sum to one, and those of a query do
    not. Over whom does a token share out its attention?"""
)
class SoftmaxOverQueries(_Parts):
    def weights(self, scores, mask):
        return self.hide(scores, mask).softmax(dim=-2)


@WindowAttention.mistake(
    """Queries and keys are exchanged: your rows belong to the keys. In q kᵀ, which of the two gives
    the rows?"""
)
class KeysAsk(_Parts):
    def raw(self, q, k):
        return super().raw(k, q)


@WindowAttention.mistake(
    """to_out is made and never called. What does the attention's output pass at the end?"""
)
class SkipsTheOutput(_Parts):
    def out(self, z):
        return merge_heads(z)


@WindowAttention.mistake(
    """The heads are put back by a reshape that moves nothing: a token gets features of others.
    Which two axes must change places first?"""
)
class MergesByReshape(_Parts):
    def out(self, z):
        B, n, heads, N, d = z.shape
        return self.to_out(z.reshape(B, n, N, heads * d))


@WindowAttention.mistake(
    """The heads are split by a reshape that moves nothing: your head 0 holds all features of the
    first tokens and not the first features of all tokens. Which two axes must change places?"""
)
class SplitsByReshape(_Parts):
    def q_k_v(self, windows):
        B, n, N, dim = windows.shape
        shape = (B, n, self.heads, N, dim // self.heads)
        return tuple(to(windows).reshape(shape) for to in (self.to_q, self.to_k, self.to_v))


@WindowAttention.mistake(
    """Your mask is the wrong way round: those who may attend get a very low score. What does True
    mean in the mask?"""
)
class LowScoresTheWrongWay(_Parts):
    def hide(self, scores, mask):
        return scores if mask is None else scores.masked_fill(mask[:, None], -1e9)


@WindowAttention.mistake(
    """You deal the features out to the heads in turn. A head's features stand beside each other:
    when dim is cut in two, which axis comes first, heads or features of a head?"""
)
class FeaturesInTurn(_Parts):
    def q_k_v(self, windows):
        maps = self.to_q, self.to_k, self.to_v
        return tuple(to(windows).unflatten(-1, (-1, self.heads)).movedim(-1, 2) for to in maps)
