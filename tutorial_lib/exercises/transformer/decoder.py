"""The decoder layer as a module."""

import torch
from torch import nn

from tutorial_lib.checking.modules import ModuleExercise
from tutorial_lib.layers.multi_head_attention import MultiHeadAttention
from tutorial_lib.layers.transformer import FeedForward, Residual


class DecoderLayer(nn.Module):
    """Causal self-attention, attention to the encoder's memory, a feed-forward network, each inside
    a residual with its norm in the branch (Pre-LN).

    dim, heads  features of a token, of the memory's too; how many heads share them
    hidden      features between the two maps of the feed-forward network

    Its parts are named attention and cross_attention (each a `MultiHeadAttention(dim, heads)`; the
    second is called with tokens, memory and `mask=...`), feed_forward (`FeedForward(dim, hidden)`),
    around_attention, around_cross_attention and around_feed_forward (each a `Residual(dim,
    norm_first=True)`). The memory has passed a norm already, the encoder's last: it is read as it
    comes.
    """

    def __init__(self, dim: int, heads: int, hidden: int):
        """Make the parts."""
        super().__init__()
        self.attention = MultiHeadAttention(dim, heads)
        self.cross_attention = MultiHeadAttention(dim, heads)
        self.feed_forward = FeedForward(dim, hidden)
        self.around_attention = Residual(dim, norm_first=True)
        self.around_cross_attention = Residual(dim, norm_first=True)
        self.around_feed_forward = Residual(dim, norm_first=True)

    def forward(self, x, memory, memory_mask=None):
        """x (B, N, dim) the words so far, memory (B, M, dim), memory_mask bool (B, 1, M) or None:
        True for a token of the memory that may be looked at
        ->  (B, N, dim); place i depends on places 0 … i of x alone, and on the whole memory"""
        causal = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).tril()
        x = self.around_attention(x, lambda y: self.attention(y, mask=causal))
        x = self.around_cross_attention(
            x, lambda y: self.cross_attention(y, memory, mask=memory_mask)
        )
        return self.around_feed_forward(x, self.feed_forward)


def sizes_and_tokens(rng):
    for B, N, M, dim, heads, hidden, masked in [
        (1, 3, 2, 3, 1, 3, False),
        (2, 4, 5, 6, 3, 4, True),
        (3, 2, 4, 4, 2, 6, True),
        (2, 1, 3, 4, 4, 8, False),
        (2, 4, 4, 4, 2, 5, True),
    ]:
        case = dict(arguments=dict(dim=dim, heads=heads, hidden=hidden))
        case["x"] = torch.from_numpy(rng.normal(size=(B, N, dim)))  # float32 rounds too much
        case["memory"] = torch.from_numpy(rng.normal(size=(B, M, dim)))
        if masked:
            mask = torch.from_numpy(rng.random(size=(B, 1, M)) < 0.5)
            mask[..., 0] = True  # something is left to be looked at
            mask[..., -1] = False
            case["memory_mask"] = mask
        yield case


DecoderLayer = ModuleExercise(
    DecoderLayer,
    level=3,
    minutes=15,
    cases=sizes_and_tokens,
    hints=(
        "Your `EncoderLayer` with one part more between its two. Which of the two attentions may "
        "see everything, and which must not see what comes later?",
        "A causal mask is True on and below the diagonal: `torch.ones(N, N, dtype=torch.bool)"
        ".tril()`, on the device of x. Cross-attention takes its queries from the words and its "
        "keys and values from the memory.",
        "Three residuals, one after the other, each reading what the one before has left. The "
        "functions in them are `lambda y: self.attention(y, mask=...)`, `lambda y: "
        "self.cross_attention(y, memory, mask=...)` and the feed-forward network itself.",
    ),
)
_Reference = DecoderLayer.reference


class _Parts(_Reference):
    """The reference in steps, for mistakes that change one of them."""

    def forward(self, x, memory, memory_mask=None):
        x = self.look_back(x)
        return self.around_feed_forward(self.look_over(x, memory, memory_mask), self.feed_forward)

    def look_back(self, x):
        causal = self.causal(x.shape[1])
        return self.around_attention(x, lambda y: self.attention(y, mask=causal))

    def causal(self, n):
        return torch.ones(n, n, dtype=torch.bool).tril()

    def look_over(self, x, memory, mask):
        return self.around_cross_attention(x, lambda y: self.cross_attention(y, memory, mask=mask))


@DecoderLayer.mistake(
    """Self-attention has no mask: each place sees the words after it, the one it has to write too.
    In training the loss is wonderful; what will it see when it writes by itself?"""
)
class SeesTheFuture(_Parts):
    def look_back(self, x):
        return self.around_attention(x, self.attention)


@DecoderLayer.mistake(
    """Your causal mask hides a place from itself, and the first place sees nothing. At place i the
    word written last is read already: may the place see itself?"""
)
class HidesAPlaceFromItself(_Parts):
    def causal(self, n):
        return torch.ones(n, n, dtype=torch.bool).tril(-1)


@DecoderLayer.mistake(
    """Your causal mask is the wrong way round: each place sees itself and what comes after it.
    Which side of the diagonal is the past, if rows ask and columns answer?"""
)
class SeesTheFutureAlone(_Parts):
    def causal(self, n):
        return torch.ones(n, n, dtype=torch.bool).triu()


@DecoderLayer.mistake(
    """The mask marks what may *not* be seen, True above the diagonal, as `nn.MultiheadAttention`
    wants it. In this course, what does True say?"""
)
class MarksWhatIsForbidden(_Parts):
    def causal(self, n):
        return torch.ones(n, n, dtype=torch.bool).triu(1)


@DecoderLayer.mistake(
    """The memory's mask is never used: padding of the source is read like words. Which attention
    is it for?"""
)
class ForgetsTheMemorysMask(_Parts):
    def look_over(self, x, memory, mask):
        return super().look_over(x, memory, None)


@DecoderLayer.mistake(
    """The second attention looks at the words once more and never at the memory: whatever the
    encoder has read does not arrive. Where do its keys and values come from?"""
)
class NeverLooksOver(_Parts):
    def look_over(self, x, memory, mask):
        return self.around_cross_attention(x, self.cross_attention)


@DecoderLayer.mistake(
    """The memory comes first: the words look at it before they have looked at each other. In which
    order does the schematic show the three parts?"""
)
class LooksOverFirst(_Parts):
    def forward(self, x, memory, memory_mask=None):
        x = self.look_back(self.look_over(x, memory, memory_mask))
        return self.around_feed_forward(x, self.feed_forward)


@DecoderLayer.mistake(
    """The feed-forward network stands between the two attentions. In which order does the schematic
    show the three parts?"""
)
class FeedForwardInTheMiddle(_Parts):
    def forward(self, x, memory, memory_mask=None):
        x = self.around_feed_forward(self.look_back(x), self.feed_forward)
        return self.look_over(x, memory, memory_mask)


@DecoderLayer.mistake(
    """What self-attention has found is lost: the second residual is called with the layer's input
    once more. Which x does each part build on?"""
)
class ForgetsWhatItFound(_Parts):
    def forward(self, x, memory, memory_mask=None):
        self.look_back(x)
        return self.around_feed_forward(self.look_over(x, memory, memory_mask), self.feed_forward)


@DecoderLayer.mistake(
    """What cross-attention has found is lost: the last residual is called with what stood before
    it. Which x does each part build on?"""
)
class ForgetsWhatItSaw(_Parts):
    def forward(self, x, memory, memory_mask=None):
        x = self.look_back(x)
        self.look_over(x, memory, memory_mask)
        return self.around_feed_forward(x, self.feed_forward)


@DecoderLayer.mistake(
    """One attention does the work of both: `self.attention` is called with the memory, and
    `cross_attention` is made and never used, so it gets no gradient. Who reads what?"""
)
class OneAttentionForBoth(_Parts):
    def look_over(self, x, memory, mask):
        return self.around_cross_attention(x, lambda y: self.attention(y, memory, mask=mask))


@DecoderLayer.mistake(
    """The memory goes through the words' norm before it is read. It has passed the encoder's own
    already: what does the task say of it?"""
)
class NormsTheMemory(_Parts):
    def look_over(self, x, memory, mask):
        return super().look_over(x, self.around_cross_attention.norm(memory), mask)


@DecoderLayer.mistake(
    """Cross-attention reads x as it stands, without the norm: the function that you hand to
    `Residual` does not use its argument. What does `Residual` call it with?"""
)
class AsksWithoutTheNorm(_Parts):
    def look_over(self, x, memory, mask):
        return self.around_cross_attention(
            x, lambda y, x=x: self.cross_attention(x, memory, mask=mask)
        )


@DecoderLayer.mistake(
    """The norms stand after the sums (Post-LN). Here they belong into the branches: which argument
    of `Residual` says so?"""
)
class NormsAfterTheSums(_Reference):
    def __init__(self, dim, heads, hidden):
        super().__init__(dim, heads, hidden)
        for part in (self.around_attention, self.around_cross_attention, self.around_feed_forward):
            part.norm_first = False


@DecoderLayer.mistake(
    """One norm does the work of two: both attentions go through the same `Residual`, and the other
    one is made and never used. Which name stands before each call?"""
)
class OneResidualForBoth(_Parts):
    def look_over(self, x, memory, mask):
        return self.around_attention(x, lambda y: self.cross_attention(y, memory, mask=mask))


@DecoderLayer.mistake(
    """The memory asks and the words answer: what comes back has a row for each token of the memory.
    Who is to get something in this layer, and so asks?"""
)
class MemoryAsks(_Parts):
    def look_over(self, x, memory, mask):
        return self.around_cross_attention(x, lambda y: self.cross_attention(memory, y, mask=mask))
