"""The encoder layer as a module."""

import torch
from torch import nn

from tutorial_lib.checking.modules import ModuleExercise
from tutorial_lib.layers.multi_head_attention import MultiHeadAttention
from tutorial_lib.layers.transformer import FeedForward, Residual


class EncoderLayer(nn.Module):
    """Self-attention, then a feed-forward network, each inside a residual with its norm in the
    branch (Pre-LN).

    dim, heads  features of a token; how many heads share them
    hidden      features between the two maps of the feed-forward network
    eps         of both norms

    Its parts are named attention (`MultiHeadAttention(dim, heads)`, called with tokens and
    `mask=mask`), feed_forward (`FeedForward(dim, hidden)`), around_attention and
    around_feed_forward (each a `Residual(dim, norm_first=True, eps=eps)`, called with x and a
    function f of tokens: it gives x + f(LN(x))).
    """

    def __init__(self, dim: int, heads: int, hidden: int, eps: float = 1e-5):
        """Make the parts. How many norms does a layer have?"""
        super().__init__()
        self.attention = MultiHeadAttention(dim, heads)
        self.feed_forward = FeedForward(dim, hidden)
        self.around_attention = Residual(dim, norm_first=True, eps=eps)
        self.around_feed_forward = Residual(dim, norm_first=True, eps=eps)

    def forward(self, x, mask=None):
        """x (B, N, dim), mask bool (B, N, N) or None: True where a token may look
        ->  (B, N, dim)"""
        x = self.around_attention(x, lambda y: self.attention(y, mask=mask))
        return self.around_feed_forward(x, self.feed_forward)


def sizes_and_tokens(rng):
    for B, N, dim, heads, hidden, eps, masked in [
        (1, 2, 3, 1, 3, 1e-5, False),
        (2, 3, 4, 2, 6, 1e-2, True),
        (3, 5, 6, 3, 4, 1e-5, True),
        (2, 1, 4, 4, 8, 1e-6, False),
    ]:
        case = dict(arguments=dict(dim=dim, heads=heads, hidden=hidden, eps=eps))
        case["x"] = torch.from_numpy(rng.normal(size=(B, N, dim)))  # float32 rounds too much
        if masked:
            mask = torch.from_numpy(rng.random(size=(B, N, N)) < 0.5)
            case["mask"] = mask | torch.eye(N, dtype=torch.bool)  # each token sees itself
        yield case


EncoderLayer = ModuleExercise(
    EncoderLayer,
    level=2,
    minutes=10,
    cases=sizes_and_tokens,
    hints=(
        "Four parts in `__init__`, two lines in `forward`: each residual is called with x and with "
        "what it goes around.",
        "`Residual` calls your function with one argument, the normalised tokens. The mask has to "
        "come from outside: a `lambda y: ...` can hold it.",
        "`x = self.around_attention(x, lambda y: self.attention(y, mask=mask))`, and the "
        "feed-forward network likewise, without a mask, around what came out of that.",
    ),
)
_Reference = EncoderLayer.reference


@EncoderLayer.mistake(
    """The mask is never used: every token sees all others. Where does the attention get it, if
    `Residual` hands it the tokens alone?"""
)
class ForgetsTheMask(_Reference):
    def forward(self, x, mask=None):
        return self.around_feed_forward(self.around_attention(x, self.attention), self.feed_forward)


@EncoderLayer.mistake(
    """The feed-forward network comes first. Which of the two lets tokens exchange something, so
    that the other can work on it?"""
)
class FeedForwardFirst(_Reference):
    def forward(self, x, mask=None):
        x = self.around_feed_forward(x, self.feed_forward)
        return self.around_attention(x, lambda y: self.attention(y, mask=mask))


@EncoderLayer.mistake(
    """The second residual is called with the layer's input once more, so what attention has found
    is lost. Which x is the second half built on?"""
)
class TheInputOnceMore(_Reference):
    def forward(self, x, mask=None):
        self.around_attention(x, lambda y: self.attention(y, mask=mask))
        return self.around_feed_forward(x, self.feed_forward)


@EncoderLayer.mistake(
    """The halves stand side by side: both read the layer's input, and their results are added. In
    this layer the second reads what the first has left."""
)
class SideBySide(_Reference):
    def forward(self, x, mask=None):
        found = self.around_attention(x, lambda y: self.attention(y, mask=mask))
        return found + self.around_feed_forward(x, self.feed_forward) - x


@EncoderLayer.mistake(
    """The parts are called one after the other without their residuals: each token is replaced by
    what a branch makes of it, and nothing carries it past. What are `around_attention` and
    `around_feed_forward` for?"""
)
class WithoutResiduals(_Reference):
    def forward(self, x, mask=None):
        x = self.attention(self.around_attention.norm(x), mask=mask)
        return self.feed_forward(self.around_feed_forward.norm(x))


@EncoderLayer.mistake(
    """The norms stand after the sums (Post-LN). Here they belong into the branches, so that x
    itself passes through untouched: which argument of `Residual` says so?"""
)
class NormsAfterTheSums(_Reference):
    def __init__(self, dim, heads, hidden, eps=1e-5):
        super().__init__(dim, heads, hidden, eps)
        for around in (self.around_attention, self.around_feed_forward):
            around.norm_first = False


@EncoderLayer.mistake(
    """The second half has no residual: what attention has found goes into the feed-forward network
    and nothing carries it past. How many sums does a layer have?"""
)
class WithoutTheSecondResidual(_Reference):
    def forward(self, x, mask=None):
        x = self.around_attention(x, lambda y: self.attention(y, mask=mask))
        return self.feed_forward(self.around_feed_forward.norm(x))


@EncoderLayer.mistake(
    """x is added twice in the second half: `Residual` adds it already. What does it give back?"""
)
class AddsTwice(_Reference):
    def forward(self, x, mask=None):
        x = self.around_attention(x, lambda y: self.attention(y, mask=mask))
        return x + self.around_feed_forward(x, self.feed_forward)


@EncoderLayer.mistake(
    """Attention reads x as it came in, without the norm: the function that you hand to `Residual`
    does not use its argument. What does `Residual` call it with?"""
)
class AttendsToWhatIsNotNormalised(_Reference):
    def forward(self, x, mask=None):
        x = self.around_attention(x, lambda y, x=x: self.attention(x, mask=mask))
        return self.around_feed_forward(x, self.feed_forward)


@EncoderLayer.mistake(
    """The mask is the wrong way round: tokens look exactly where they may not. What does True
    mean in it?"""
)
class MaskTheWrongWayRound(_Reference):
    def forward(self, x, mask=None):
        return super().forward(x, None if mask is None else ~mask)
