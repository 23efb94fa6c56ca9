"""RegionViT: regional tokens among themselves, then each with its local tokens, as a module."""

import torch
from torch import nn

from tutorial_lib.checking.modules import ModuleExercise
from tutorial_lib.exercises.local_and_global.maps import normal
from tutorial_lib.layers.multi_head_attention import MultiHeadAttention
from tutorial_lib.layers.transformer import FeedForward, Residual


class RegionalToLocal(nn.Module):
    """R2L attention and a feed-forward network.

    dim, heads, hidden  as in EncoderLayer

    First the regional tokens attend to each other. Then every region by itself: its regional token,
    as it is now, in front of its local tokens, and these 1 + m tokens attend to one another. Both
    attentions are the same one, with the same weights. At last all tokens of either kind pass the
    feed-forward network.

    Its parts are named attention (`MultiHeadAttention(dim, heads)`), feed_forward
    (`FeedForward(dim, hidden)`) and around_regional, around_local, around_feed_forward, the
    residuals (`Residual(dim, norm_first=True)`, called with x and what it goes around) of the three
    steps. The paper's bias for the offset of two local tokens is left out.
    """

    def __init__(self, dim: int, heads: int, hidden: int):
        """Make the five parts."""
        super().__init__()
        self.attention = MultiHeadAttention(dim, heads)
        self.feed_forward = FeedForward(dim, hidden)
        self.around_regional = Residual(dim, norm_first=True)
        self.around_local = Residual(dim, norm_first=True)
        self.around_feed_forward = Residual(dim, norm_first=True)

    def forward(self, regional, local):
        """regional (B, n, dim), one for each of n regions; local (B, n, m, dim), the m tokens of
        each  ->  both, in the same shapes"""
        regional = self.around_regional(regional, self.attention)
        x = torch.cat([regional[:, :, None], local], dim=2)  # (B, n, 1 + m, dim)
        x = x.flatten(0, 1)  # every region is an example of its own
        x = self.around_local(x, self.attention)
        x = self.around_feed_forward(x, self.feed_forward)
        x = x.unflatten(0, local.shape[:2])
        return x[:, :, 0], x[:, :, 1:]


def two_kinds_of_tokens(rng):
    for B, n, m, dim, heads, hidden in [
        (1, 2, 1, 2, 1, 3),
        (2, 3, 2, 4, 2, 2),
        (2, 2, 3, 6, 3, 4),
        (1, 1, 4, 2, 2, 5),
    ]:
        yield dict(
            arguments=dict(dim=dim, heads=heads, hidden=hidden),
            regional=normal(rng, B, n, dim),
            local=normal(rng, B, n, m, dim),
        )


RegionalToLocal = ModuleExercise(
    RegionalToLocal,
    level=4,
    minutes=15,
    cases=two_kinds_of_tokens,
    hints=(
        "Three steps, three residuals. Which tokens does each of them go around?",
        "`Residual` is called with x and with what it goes around. In the second step a region "
        "must not hear another: make the regions examples of the batch.",
        "`torch.cat([regional[:, :, None], local], dim=2).flatten(0, 1)` is (B · n, 1 + m, dim). "
        "After two residuals `unflatten(0, local.shape[:2])`; the first token is the regional one.",
    ),
)


class _Parts(RegionalToLocal.reference):
    """The reference in steps, for mistakes that change one of them."""

    def forward(self, regional, local):
        x = self.meet(self.speak(regional), local)
        x = self.think(self.listen(x.flatten(0, 1)).view_as(x))
        return x[:, :, 0], x[:, :, 1:]

    def speak(self, regional):
        return self.around_regional(regional, self.attention)

    def meet(self, regional, local):
        return torch.cat([regional[:, :, None], local], dim=2)

    def listen(self, x):
        return self.around_local(x, self.attention)

    def think(self, x):
        return self.around_feed_forward(x, self.feed_forward)


@RegionalToLocal.mistake(
    """No region hears of another, however many layers there are: the regional tokens do not attend
    to each other, or those in front of the local tokens are the ones that came in. What does
    around_regional give, and where does it go?"""
)
class RegionsStaySilent(_Parts):
    def speak(self, regional):
        return regional


@RegionalToLocal.mistake(
    """The regional tokens return as they were after the first step: they hear nothing of their
    local tokens, so these are never told to anybody. Which token of x is the regional one?"""
)
class HearsNoLocals(_Parts):
    def forward(self, regional, local):
        spoken = self.speak(regional)
        return self.think(spoken), super().forward(regional, local)[1]


@RegionalToLocal.mistake(
    """The local tokens attend among themselves alone, and never to their regional token: nothing
    from other regions reaches them. Who are the 1 + m tokens of the second step?"""
)
class LocalsAmongThemselves(_Parts):
    def listen(self, x):
        def attend(y):
            return torch.cat([self.attention(y)[:, :1], self.attention(y[:, 1:])], dim=1)

        return self.around_local(x, attend)


@RegionalToLocal.mistake(
    """Your local tokens ask, and the regional token alone answers: cross-attention. With one key
    the softmax is 1, and every local token of a region hears the same. In R2L attention the local
    tokens answer too."""
)
class LocalsAskTheRegional(_Parts):
    def listen(self, x):
        def attend(y):
            return torch.cat([self.attention(y)[:, :1], self.attention(y[:, 1:], y[:, :1])], dim=1)

        return self.around_local(x, attend)


@RegionalToLocal.mistake(
    """Two things at once: your local tokens ask and the regional token alone answers, so that all
    of them hear the same; and the regional token hears none of them. In R2L attention it is one of
    1 + m tokens that attend to one another."""
)
class CrossAttention(_Parts):
    def listen(self, x):
        def attend(y):
            return torch.cat([0 * y[:, :1], self.attention(y[:, 1:], y[:, :1])], dim=1)

        return self.around_local(x, attend)


@RegionalToLocal.mistake(
    """All tokens of all regions attend to one another in your second step. Then the regional
    tokens have no work left, and it costs n times as much. What keeps a region by itself?"""
)
class AllRegionsAtOnce(_Parts):
    def forward(self, regional, local):
        x = self.meet(self.speak(regional), local)
        x = self.listen(x.flatten(1, 2)).view_as(x)
        x = self.think(x)
        return x[:, :, 0], x[:, :, 1:]


@RegionalToLocal.mistake(
    """Local tokens of the same number attend to each other across the regions, and those of one
    region do not: your attention runs along the axis of the regions. Which axis must be the last
    but one?"""
)
class AlongTheRegions(_Parts):
    def forward(self, regional, local):
        x = self.meet(self.speak(regional), local).transpose(1, 2)
        x = self.listen(x.flatten(0, 1)).view_as(x).transpose(1, 2)
        x = self.think(x)
        return x[:, :, 0], x[:, :, 1:]


@RegionalToLocal.mistake(
    """The feed-forward network is missing: your tokens attend twice, and that is all."""
)
class WithoutTheFeedForward(_Parts):
    def think(self, x):
        return x


@RegionalToLocal.mistake(
    """Only the local tokens pass the feed-forward network. Both kinds do, through the same one."""
)
class ThinksOfLocalsOnly(_Parts):
    def think(self, x):
        return torch.cat([x[:, :, :1], super().think(x[:, :, 1:])], dim=2)


@RegionalToLocal.mistake(
    """Your regional tokens pass the feed-forward network twice, once after each attention. It
    stands at the end of the layer, once, for both kinds."""
)
class ThinksTwice(_Parts):
    def speak(self, regional):
        return self.think(super().speak(regional))


@RegionalToLocal.mistake(
    """The regional tokens' step has no residual: they are replaced by what they hear. What does
    around_regional add?"""
)
class RegionalWithoutResidual(_Parts):
    def speak(self, regional):
        return self.attention(self.around_regional.norm(regional))


@RegionalToLocal.mistake(
    """You add the attention yourself in the first step, without a norm. What does `Residual` do?"""
)
class RegionalWithoutNorm(_Parts):
    def speak(self, regional):
        return regional + self.attention(regional)


@RegionalToLocal.mistake(
    """around_regional goes around both attentions, and around_local around none. Each residual has
    a norm of its own: which one belongs to the second step?"""
)
class OneNormForBoth(_Parts):
    def listen(self, x):
        return self.around_regional(x, self.attention)


@RegionalToLocal.mistake(
    """You put the regional token behind the local ones, and read the first one as regional: it is a
    local token. On which side does the task put it?"""
)
class RegionalBehind(_Parts):
    def meet(self, regional, local):
        return torch.cat([local, regional[:, :, None]], dim=2)


@RegionalToLocal.mistake(
    """Local tokens come first and regional ones second. The task gives back both in the order in
    which they came."""
)
class LocalsFirst(_Parts):
    def forward(self, regional, local):
        return super().forward(regional, local)[::-1]


@RegionalToLocal.mistake(
    """The regional tokens hear each other, and those in front of the local tokens are the ones that
    came in, so no local token hears of another region. What does "as it is now" mean?"""
)
class OldRegionalInFront(_Parts):
    def forward(self, regional, local):
        x = self.meet(regional, local)
        x = self.think(self.listen(x.flatten(0, 1)).view_as(x))
        return self.think(self.speak(regional)), x[:, :, 1:]


@RegionalToLocal.mistake(
    """You read the last of the 1 + m tokens as regional. The regional one stood in front when they
    went in: where is it now?"""
)
class ReadsTheLast(_Parts):
    def forward(self, regional, local):
        x = self.meet(*super().forward(regional, local))
        return x[:, :, -1], x[:, :, :-1]


@RegionalToLocal.mistake(
    """Regions come first in yours, and the regional tokens attend to each other at the end: what
    they tell each other reaches no local token in this layer. Which step is the first?"""
)
class LocalStepFirst(_Parts):
    def forward(self, regional, local):
        x = self.meet(regional, local)
        x = self.listen(x.flatten(0, 1)).view_as(x)
        x = self.think(self.meet(self.speak(x[:, :, 0]), x[:, :, 1:]))
        return x[:, :, 0], x[:, :, 1:]


@RegionalToLocal.mistake(
    """around_local goes around both attentions, and around_regional around none. Each residual has
    a norm of its own: which one belongs to the first step?"""
)
class LocalNormForBoth(_Parts):
    def speak(self, regional):
        return self.around_local(regional, self.attention)


@RegionalToLocal.mistake(
    """The regional tokens of all images hear each other. What is the batch of the first step?"""
)
class AcrossImages(_Parts):
    def speak(self, regional):
        return super().speak(regional.flatten(0, 1)[None]).view_as(regional)
