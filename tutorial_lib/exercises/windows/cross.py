"""CSWin's attention: half of the heads in upright stripes, half in level ones."""

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.checking.modules import ModuleExercise
from tutorial_lib.exercises.windows.lepe import LePE as lepe_exercise
from tutorial_lib.layers import windows as on_tensors
from tutorial_lib.layers.multi_head_attention import merge_heads, split_heads
from tutorial_lib.layers.windows import window_partition, window_reverse

LePE = lepe_exercise.reference


class CrossShapedAttention(nn.Module):
    """Every token hears its column with one half of its heads, and its row with the other.

    dim, heads  features of a token, how many heads share them; heads even
    width       tokens, of a stripe

    Its parts are named to_q, to_k, to_v, to_out (linear maps), upright_lepe and level_lepe (`LePE`
    of half the features). The first half of the features, and of the heads, works in upright
    stripes, `width` columns each and as high as the map; the second in level ones, `width` rows
    each. In a stripe it is plain attention plus LePE of the values. `on_tensors.window_partition`
    and `on_tensors.window_reverse` cut windows of any size.
    """

    def __init__(self, dim: int, heads: int, width: int):
        """Make the parts, and keep what `forward` needs."""
        super().__init__()
        self.heads, self.width = heads, width
        self.to_q, self.to_k, self.to_v = (nn.Linear(dim, dim) for _ in range(3))
        self.upright_lepe, self.level_lepe = LePE(dim // 2), LePE(dim // 2)
        self.to_out = nn.Linear(dim, dim)

    def forward(self, x):
        """x (B, H, W, dim), H and W multiples of the width  ->  (B, H, W, dim)"""
        H, W = x.shape[1:3]
        halves = zip(*(to(x).chunk(2, dim=-1) for to in (self.to_q, self.to_k, self.to_v)))
        upright, level = halves  # q, k, v of each, (B, H, W, dim / 2)
        upright = self.in_stripes(*upright, self.upright_lepe, H, self.width)
        level = self.in_stripes(*level, self.level_lepe, self.width, W)
        return self.to_out(torch.cat([upright, level], dim=-1))

    def in_stripes(self, q, k, v, lepe, rows, columns):
        """One half: q, k, v (B, H, W, dim / 2), stripes of rows × columns  ->  the same shape"""
        B, H, W = q.shape[:3]
        q, k, v = (on_tensors.window_partition(t, rows, columns).flatten(0, 1) for t in (q, k, v))
        heads = (split_heads(t, self.heads // 2) for t in (q, k, v))
        z = merge_heads(F.scaled_dot_product_attention(*heads))
        z = z + lepe(v, rows, columns)  # (B · stripes, rows · columns, dim / 2)
        return on_tensors.window_reverse(z.unflatten(0, (B, -1)), rows, columns, H, W)


def sizes_and_maps(rng):
    for B, H, W, dim, heads, width in [
        (1, 2, 4, 8, 4, 1),
        (2, 6, 4, 8, 4, 2),
        (1, 3, 6, 16, 4, 3),
        (2, 4, 4, 12, 2, 2),
    ]:
        x = torch.from_numpy(rng.normal(size=(B, H, W, dim)))
        yield dict(arguments=dict(dim=dim, heads=heads, width=width), x=x)


CrossShapedAttention = ModuleExercise(
    CrossShapedAttention,
    level=4,
    minutes=20,
    cases=sizes_and_maps,
    hints=(
        "An upright stripe is a window of H × width tokens, a level one of width × W. You have a "
        "function that cuts windows of any size, and one that puts them back.",
        "Split the features in two before you cut. Then both halves do the same: cut, attention in "
        "heads / 2 heads, plus LePE, put back. Only the size of the stripe and the LePE differ.",
        "`to(x).chunk(2, dim=-1)` splits; `on_tensors.window_partition(t, rows, columns)` and "
        "`.flatten(0, 1)` make (B · stripes, tokens, dim / 2); `split_heads`, "
        "`F.scaled_dot_product_attention`, `merge_heads`, then `+ lepe(v, rows, columns)`; "
        "`.unflatten(0, (B, -1))` before `window_reverse`.",
    ),
)


def _attention(q, k, v, heads):
    q, k, v = (split_heads(t, heads) for t in (q, k, v))
    return merge_heads(F.scaled_dot_product_attention(q, k, v))


class _Parts(CrossShapedAttention.reference):
    """The reference in steps, for mistakes that change one of them."""

    def forward(self, x):
        upright, level = zip(*(self.halves(to(x)) for to in (self.to_q, self.to_k, self.to_v)))
        (a, b), (c, d) = self.sizes(*x.shape[1:3])
        upright = self.in_stripes(*upright, self.upright_lepe, a, b)
        return self.out(self.join(upright, self.in_stripes(*level, self.level_lepe, c, d)))

    def halves(self, t):
        return t.chunk(2, dim=-1)

    def sizes(self, H, W):
        return (H, self.width), (self.width, W)

    def join(self, upright, level):
        return torch.cat([upright, level], dim=-1)

    def out(self, z):
        return self.to_out(z)

    def in_stripes(self, q, k, v, lepe, rows, columns):
        B, H, W = q.shape[:3]
        q, k, v = (window_partition(t, rows, columns).flatten(0, 1) for t in (q, k, v))
        z = self.with_lepe(self.attend(q, k, v), q, k, v, lepe, rows, columns)
        return window_reverse(z.unflatten(0, (B, -1)), rows, columns, H, W)

    def attend(self, q, k, v):
        return _attention(q, k, v, self.heads // 2)

    def with_lepe(self, z, q, k, v, lepe, rows, columns):
        return z + lepe(v, rows, columns)


@CrossShapedAttention.mistake(
    """Both halves of yours work in upright stripes: a token hears its columns twice and its row
    never. What is the size of a level stripe?"""
)
class UprightTwice(_Parts):
    def sizes(self, H, W):
        return (H, self.width), (H, self.width)


@CrossShapedAttention.mistake(
    """Both halves of yours work in level stripes: a token hears its rows twice and its column
    never. What is the size of an upright stripe?"""
)
class LevelTwice(_Parts):
    def sizes(self, H, W):
        return (self.width, W), (self.width, W)


@CrossShapedAttention.mistake(
    """The two halves have changed places: your first half works in level stripes. A stripe of H ×
    width tokens is as high as the map; which half is it for?"""
)
class HalvesExchanged(_Parts):
    def sizes(self, H, W):
        return (self.width, W), (H, self.width)


@CrossShapedAttention.mistake(
    """Height and width of the map have changed places: your stripes are as high as the map is
    wide. Right on square maps alone."""
)
class HeightForWidth(_Parts):
    def sizes(self, H, W):
        return (W, self.width), (self.width, H)


@CrossShapedAttention.mistake(
    """Neither half has LePE: two tokens of a stripe that change places get each other's output,
    and nothing says who stands beside whom. What is added to what attention gives?"""
)
class WithoutLePE(_Parts):
    def with_lepe(self, z, q, k, v, lepe, rows, columns):
        return z


@CrossShapedAttention.mistake(
    """The level half has no LePE. Each half has one of its own: where do you call the second?"""
)
class LevelWithoutLePE(_Parts):
    def with_lepe(self, z, q, k, v, lepe, rows, columns):
        return z if lepe is self.level_lepe else z + lepe(v, rows, columns)


@CrossShapedAttention.mistake(
    """The two LePEs have changed places: the upright half calls level_lepe. Right if they were
    the same; they are not."""
)
class LePEsExchanged(_Parts):
    def with_lepe(self, z, q, k, v, lepe, rows, columns):
        other = self.level_lepe if lepe is self.upright_lepe else self.upright_lepe
        return z + other(v, rows, columns)


@CrossShapedAttention.mistake(
    """Your stripes are laid down again by a reshape: the tokens of an upright stripe end up in a
    row. Which function undoes the cutting?"""
)
class LaidOutByAReshape(_Parts):
    def in_stripes(self, q, k, v, lepe, rows, columns):
        shape = q.shape
        q, k, v = (window_partition(t, rows, columns).flatten(0, 1) for t in (q, k, v))
        return self.with_lepe(self.attend(q, k, v), q, k, v, lepe, rows, columns).reshape(shape)


@CrossShapedAttention.mistake(
    """Your scores are divided by nothing, or not by the root of a head's width. PyTorch's
    function does it by itself; what is the width of one head's queries?"""
)
class WithoutTheScale(_Parts):
    def attend(self, q, k, v):
        heads = self.heads // 2
        return super().attend(q * (q.shape[-1] / heads) ** 0.5, k, v)


@CrossShapedAttention.mistake(
    """Your LePE runs over attention's output. In the task it reads the values. Which of the two
    has mixed its tokens already?"""
)
class LePEOfTheOutput(_Parts):
    def with_lepe(self, z, q, k, v, lepe, rows, columns):
        return z + lepe(z, rows, columns)


@CrossShapedAttention.mistake(
    """One LePE serves both halves of yours. Upright and level stripes have one each: which of the
    two do you never call?"""
)
class OneLePEForBoth(_Parts):
    def with_lepe(self, z, q, k, v, lepe, rows, columns):
        return z + self.upright_lepe(v, rows, columns)


@CrossShapedAttention.mistake(
    """Your LePE looks across the borders of stripes: it runs over the whole map. Cut first: a
    stripe is a picture of its own, with zeros around it."""
)
class LePEOverTheMap(_Parts):
    def in_stripes(self, q, k, v, lepe, rows, columns):
        H, W = v.shape[1:3]
        beside = lepe(v.flatten(1, 2), H, W).unflatten(1, (H, W))
        return (
            super().in_stripes(q, k, v, lambda v, *_: torch.zeros_like(v), rows, columns) + beside
        )


@CrossShapedAttention.mistake(
    """Each half of yours has all the heads, so every head is half as wide and its scores are
    divided by another root. How many heads has a half?"""
)
class AllHeadsInEachHalf(_Parts):
    def attend(self, q, k, v):
        return _attention(q, k, v, self.heads)


@CrossShapedAttention.mistake(
    """The level half stands first when you join them. to_out expects the upright half in
    front."""
)
class JoinedTheOtherWayRound(_Parts):
    def join(self, upright, level):
        return torch.cat([level, upright], dim=-1)


@CrossShapedAttention.mistake(
    """to_out is made and never called: the two halves stand side by side and never meet. What
    comes after the heads in any attention?"""
)
class SkipsTheOutput(_Parts):
    def out(self, z):
        return z


@CrossShapedAttention.mistake(
    """Your attention runs over the whole map: every token hears every other. Cut q, k and v into
    stripes first. Which axis should hold the stripes when attention is called?"""
)
class OverTheWholeMap(_Parts):
    def sizes(self, H, W):
        return (H, W), (H, W)


@CrossShapedAttention.mistake(
    """LePE gets columns before rows, and lays each stripe on its side: the token below another is
    no longer its neighbour. In which order does it want the two numbers?"""
)
class LePEOnItsSide(_Parts):
    def with_lepe(self, z, q, k, v, lepe, rows, columns):
        return z + lepe(v, columns, rows)


@CrossShapedAttention.mistake(
    """Your stripes are cut and laid down by a reshape alone. Level ones come out right, being runs
    of whole rows; your upright ones are level too. Which function cuts a map?"""
)
class CutByAReshape(_Parts):
    def in_stripes(self, q, k, v, lepe, rows, columns):
        shape = q.shape
        q, k, v = (t.reshape(-1, rows * columns, shape[-1]) for t in (q, k, v))
        return self.with_lepe(self.attend(q, k, v), q, k, v, lepe, rows, columns).reshape(shape)
