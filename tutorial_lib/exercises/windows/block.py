"""A block of Swin as a module."""

import torch
from torch import nn

from tutorial_lib.checking.modules import ModuleExercise
from tutorial_lib.exercises.windows.attention import WindowAttention as attention_exercise
from tutorial_lib.layers import windows as on_tensors
from tutorial_lib.layers.transformer import FeedForward, Residual

WindowAttention = attention_exercise.reference


class SwinBlock(nn.Module):
    """Attention in windows that are moved by `shift` tokens, then a feed-forward network, each
    inside a residual.

    dim, heads, hidden  features of a token; heads of the attention; hidden of the feed-forward
    window, shift       side of a window, in tokens; 0 … window − 1

    Its parts are attention (`WindowAttention(dim, heads, window)`), feed_forward
    (`FeedForward(dim, hidden)`), around_attention and around_feed_forward (each
    `Residual(dim, norm_first=True)`, called with x and what it goes around). Where the grid is one
    window high or one window wide, nothing is moved along either axis. Your three functions for
    tensors are `on_tensors.window_partition`, `.window_reverse` and `.shift_mask`.
    """

    def __init__(self, dim: int, heads: int, hidden: int, window: int, shift: int):
        """Make the parts, and keep what `forward` needs."""
        super().__init__()
        self.window, self.shift = window, shift
        self.attention = WindowAttention(dim, heads, window)
        self.feed_forward = FeedForward(dim, hidden)
        self.around_attention = Residual(dim, norm_first=True)
        self.around_feed_forward = Residual(dim, norm_first=True)

    def forward(self, x):
        """x (B, H, W, dim)  ->  (B, H, W, dim); a window's side divides H and W"""
        H, W = x.shape[1:3]
        M, s = self.window, self.shift if min(x.shape[1:3]) > self.window else 0

        def in_windows(x):
            windows = on_tensors.window_partition(x.roll((-s, -s), (1, 2)), M, M)
            mask = on_tensors.shift_mask(H, W, M, s) if s else None
            found = self.attention(windows, mask)
            return on_tensors.window_reverse(found, M, M, H, W).roll((s, s), (1, 2))

        x = self.around_attention(x, in_windows)
        return self.around_feed_forward(x, self.feed_forward)


def sizes_and_grids(rng):
    for B, H, W, dim, heads, hidden, window, shift in [
        (1, 2, 4, 2, 1, 3, 2, 0),
        (2, 8, 12, 4, 2, 6, 4, 3),
        (1, 2, 2, 4, 2, 4, 2, 1),  # one window: nothing is moved
        (1, 2, 4, 4, 2, 4, 2, 1),  # one row of windows, and one column of them
        (1, 4, 2, 2, 1, 4, 2, 1),
    ]:
        arguments = dict(dim=dim, heads=heads, hidden=hidden, window=window, shift=shift)
        yield dict(arguments=arguments, x=torch.from_numpy(rng.normal(size=(B, H, W, dim))))


SwinBlock = ModuleExercise(
    SwinBlock,
    level=3,
    minutes=10,
    cases=sizes_and_grids,
    hints=(
        "It is chapter 03's encoder layer, with another attention. Write a small function that "
        "takes the grid of tokens to what attention found, a grid again: `Residual` goes around "
        "that.",
        "`x.roll((-s, -s), (1, 2))` for tensors; the same five steps as in `shifted_attention`. "
        "`Residual` is called with x and a function f and gives x + f(LN(x)).",
        "Inside the function: roll, `on_tensors.window_partition`, `self.attention(windows, "
        "mask)`, `on_tensors.window_reverse`, roll back. No mask and no roll if the shift is 0 or "
        "`min(H, W) <= self.window`.",
    ),
)


class _Steps(SwinBlock.reference):
    """The reference in steps, for mistakes that change one of them."""

    def forward(self, x):
        x = self.around_attention(x, self.in_windows)
        return self.around_feed_forward(x, self.feed_forward)

    def moved(self, x):
        return self.shift if min(x.shape[1:3]) > self.window else 0

    def in_windows(self, x):
        s = self.moved(x)
        windows = on_tensors.window_partition(self.there(x, s), self.window, self.window)
        found = self.attention(windows, self.mask(x, s))
        found = on_tensors.window_reverse(found, self.window, self.window, *x.shape[1:3])
        return self.back(found, s)

    def there(self, x, s):
        return x.roll((-s, -s), (1, 2))

    def back(self, x, s):
        return x.roll((s, s), (1, 2))

    def mask(self, x, s):
        return on_tensors.shift_mask(*x.shape[1:3], self.window, s) if s else None


@SwinBlock.mistake(
    """Your windows never move: two such blocks take nothing out of one. Where is `shift` used?"""
)
class NeverMoves(_Steps):
    def moved(self, x):
        return 0


@SwinBlock.mistake(
    """No mask reaches your attention: at the far edges, tokens from opposite sides of the grid hear
    each other. What does `shift_mask` give, and who takes it?"""
)
class WithoutMask(_Steps):
    def mask(self, x, s):
        return None


@SwinBlock.mistake(
    """What attention found stays rolled: the residual adds to each token what another one has
    found. What must be undone before the sum?"""
)
class StaysRolled(_Steps):
    def back(self, x, s):
        return x


@SwinBlock.mistake(
    """You roll twice in the same direction, so the residual adds to each token what another one has
    found. You know that bug."""
)
class RollsOn(_Steps):
    def back(self, x, s):
        return x.roll((-s, -s), (1, 2))


@SwinBlock.mistake(
    """Your roll goes down and to the right, and the mask is made for one up and to the left. Which
    sign brings the first row to the end?"""
)
class TheOtherWay(RollsOn):
    def there(self, x, s):
        return x.roll((s, s), (1, 2))


@SwinBlock.mistake(
    """You roll the rows alone: windows move down, not to the right. Which axes are the grid's?"""
)
class RollsRowsAlone(_Steps):
    def there(self, x, s):
        return x.roll(-s, 1)

    def back(self, x, s):
        return x.roll(s, 1)


@SwinBlock.mistake(
    """Where one window spans the grid, yours moves it all the same: the mask then cuts the only
    window into pieces. What does the task say of that?"""
)
class MovesTheOnlyWindow(_Steps):
    def moved(self, x):
        return self.shift


@SwinBlock.mistake(
    """You keep windows in place only where the grid is one window in *both* directions. The task,
    and the published code, ask for either one. Which of the two sides decides?"""
)
class MovesAStripOfWindows(_Steps):
    def moved(self, x):
        return self.shift if max(x.shape[1:3]) > self.window else 0


@SwinBlock.mistake(
    """You decide for rows and columns apart: where one window spans the grid in one direction,
    yours still moves in the other. The task stops both at once. Which sides do you look at?"""
)
class MovesTheOtherDirection(_Steps):
    def moved(self, x):
        return tuple(self.shift if n > self.window else 0 for n in x.shape[1:3])

    def there(self, x, s):
        return x.roll((-s[0], -s[1]), (1, 2))

    def back(self, x, s):
        return x.roll(s, (1, 2))

    def mask(self, x, s):
        M, (down, right) = self.window, (torch.arange(n) - t for n, t in zip(x.shape[1:3], s))
        home = 99 * (down // M)[:, None] + right // M  # the uneven window of each token
        home = on_tensors.window_partition(self.there(home[None, ..., None], s), M, M)[0, ..., 0]
        return home[:, :, None] == home[:, None]


@SwinBlock.mistake(
    """Every block of yours moves by half a window, whatever `shift` says. Who decides that?"""
)
class AlwaysHalf(_Steps):
    def moved(self, x):
        return self.window // 2 if min(x.shape[1:3]) > self.window else 0


@SwinBlock.mistake(
    """The feed-forward network is missing: what you return has only attended. What does the second
    residual go around?"""
)
class WithoutFeedForward(_Steps):
    def forward(self, x):
        return self.around_attention(x, self.in_windows)


@SwinBlock.mistake(
    """The first residual is missing: a token is now nothing but a mean over its window. What should
    be kept of the token?"""
)
class WithoutTheFirstResidual(_Steps):
    def forward(self, x):
        x = self.in_windows(self.around_attention.norm(x))
        return self.around_feed_forward(x, self.feed_forward)


@SwinBlock.mistake(
    """You add x to what around_attention gives: it is in there twice. What does `Residual` do?"""
)
class AddsTwice(_Steps):
    def forward(self, x):
        x = x + self.around_attention(x, self.in_windows)
        return self.around_feed_forward(x, self.feed_forward)


@SwinBlock.mistake(
    """The first norm is missing: you add the attention to x yourself. What does `Residual` do
    besides the sum?"""
)
class WithoutTheFirstNorm(_Steps):
    def forward(self, x):
        return self.around_feed_forward(x + self.in_windows(x), self.feed_forward)


@SwinBlock.mistake(
    """Your feed-forward network has no residual and no norm: what it was given is gone. What is
    around_feed_forward for?"""
)
class WithoutTheSecondResidual(_Steps):
    def forward(self, x):
        return self.feed_forward(self.around_attention(x, self.in_windows))


@SwinBlock.mistake(
    """Your feed-forward network comes before the attention. The order is that of chapter 03's
    layer: first tokens hear each other, then each thinks for itself."""
)
class FeedForwardFirst(_Steps):
    def forward(self, x):
        return self.around_attention(
            self.around_feed_forward(x, self.feed_forward), self.in_windows
        )


@SwinBlock.mistake(
    """You look at the height alone, of the grid. Which other side can one window span?"""
)
class LooksAtTheHeight(_Steps):
    def moved(self, x):
        return self.shift if x.shape[1] > self.window else 0


@SwinBlock.mistake(
    """Your norms come after the sums, Post-LN. Which argument of `Residual` does the task give?"""
)
class PostNorm(_Steps):
    def __init__(self, dim, heads, hidden, window, shift):
        super().__init__(dim, heads, hidden, window, shift)
        self.around_attention.norm_first = self.around_feed_forward.norm_first = False


@SwinBlock.mistake(
    """Attention and feed-forward network of yours both read x. What should the second one read?"""
)
class SideBySide(_Steps):
    def forward(self, x):
        thought = self.feed_forward(self.around_feed_forward.norm(x))
        return self.around_attention(x, self.in_windows) + thought


@SwinBlock.mistake(
    """Your mask is made for a grid on its side. In which order does `shift_mask` want its sides?"""
)
class MaskOnItsSide(_Steps):
    def mask(self, x, s):
        return super().mask(x.transpose(1, 2), s)
