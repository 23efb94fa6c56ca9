"""Answers to the family part of chapter 07: Twins, CAT, RegionViT."""

import torch
import torch.nn.functional as F
from torch import nn

from answers import right, wrong
from tutorial_lib.layers.multi_head_attention import MultiHeadAttention
from tutorial_lib.layers.transformer import FeedForward, Residual
from tutorial_lib.layers.windows import window_partition

# SubsampledAttention


class Gsa(nn.Module):
    """The parts; answers differ in what they do with them."""

    def __init__(self, dim, heads, k):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.attention = MultiHeadAttention(dim, heads)
        self.summarize = nn.Conv2d(dim, dim, kernel_size=k, stride=k)
        self.k = k


@right("local_and_global.SubsampledAttention", "windows by hand, and a matrix")
class _(Gsa):
    def forward(self, x):
        B, H, W, dim = x.shape
        windows = window_partition(x, self.k, self.k)  # (B, n, k², dim)
        kernel = self.summarize.weight.permute(2, 3, 1, 0).reshape(-1, dim)  # (k² dim, dim)
        summaries = windows.flatten(2) @ kernel + self.summarize.bias
        return self.attention(x.reshape(B, H * W, dim), self.norm(summaries)).reshape(B, H, W, dim)


@right("local_and_global.SubsampledAttention", "with transposes")
class _(Gsa):
    def forward(self, x):
        s = self.summarize(x.transpose(1, 3).transpose(2, 3))
        s = self.norm(s.flatten(-2).transpose(1, 2))
        return self.attention(x.flatten(1, 2), memory=s).unflatten(1, x.shape[1:3])


@wrong(
    "local_and_global.SubsampledAttention",
    "one transpose instead of a permute",
    says="Rows and columns of the image are exchanged",
)
class _(Gsa):
    def forward(self, x):
        s = self.summarize(x.transpose(1, 3)).transpose(2, 3)
        s = self.norm(s.flatten(2).transpose(1, 2))
        return self.attention(x.flatten(1, 2), s).view(x.shape)


@wrong(
    "local_and_global.SubsampledAttention",
    "one transpose, and the list by columns too",
    says="Rows and columns of the image are exchanged",
)
class _(Gsa):
    def forward(self, x):
        s = self.norm(self.summarize(x.transpose(1, 3)).flatten(2).mT)
        return self.attention(x.flatten(1, 2), s).view(x.shape)


@wrong("local_and_global.SubsampledAttention", "forgets the norm", says="norm is made and never")
class _(Gsa):
    def forward(self, x):
        s = self.summarize(x.permute(0, 3, 1, 2)).flatten(2).mT
        return self.attention(x.flatten(1, 2), s).view_as(x)


@wrong(
    "local_and_global.SubsampledAttention",
    "view as an image",
    says="The map is reshaped into an image",
)
class _(Gsa):
    def forward(self, x):
        B, H, W, dim = x.shape
        s = self.summarize(x.contiguous().view(B, dim, H, W))
        return self.attention(x.flatten(1, 2), self.norm(s.flatten(2).mT)).view_as(x)


@wrong(
    "local_and_global.SubsampledAttention",
    "means of windows and the convolution unused",
    says="Your summaries are the means of their windows",
)
class _(Gsa):
    def forward(self, x):
        s = window_partition(x, self.k, self.k).mean(2)
        return self.attention(x.flatten(1, 2), self.norm(s)).view_as(x)


@wrong(
    "local_and_global.SubsampledAttention",
    "with the residual",
    says="x is added to what was heard",
)
class _(Gsa):
    def forward(self, x):
        s = self.norm(self.summarize(x.permute(0, 3, 1, 2)).flatten(2).mT)
        return x + self.attention(x.flatten(1, 2), s).view_as(x)


@wrong(
    "local_and_global.SubsampledAttention",
    "queries of normalised tokens",
    says="The tokens that ask pass the norm too",
)
class _(Gsa):
    def forward(self, x):
        s = self.norm(self.summarize(x.permute(0, 3, 1, 2)).flatten(2).mT)
        return self.attention(self.norm(x).flatten(1, 2), s).view_as(x)


@wrong(
    "local_and_global.SubsampledAttention",
    "the summaries ask the tokens",
    says="Your summaries ask and the tokens answer",
)
class _(Gsa):
    def forward(self, x):
        s = self.norm(self.summarize(x.permute(0, 3, 1, 2)).flatten(2).mT)
        heard = self.attention(s, x.flatten(1, 2))
        heard = heard.unflatten(1, (x.shape[1] // self.k, -1))
        return heard.repeat_interleave(self.k, 1).repeat_interleave(self.k, 2)


@wrong(
    "local_and_global.SubsampledAttention",
    "stays flat",
    says="The answers come back as a list of tokens",
)
class _(Gsa):
    def forward(self, x):
        s = self.norm(self.summarize(x.permute(0, 3, 1, 2)).flatten(2).mT)
        return self.attention(x.flatten(1, 2), s)


# twins_cost


@right("local_and_global.twins_cost", "in MACs, doubled at the end")
def _(height, width, k, dim):
    n = height * width
    m = (height // k) * (width // k)
    macs = dict(
        local_maps=4 * n * dim * dim,
        local_scores=m * (k * k) * (k * k) * dim * 2,
        global_maps=n * dim * dim * 3 + 2 * m * dim * dim,
        global_scores=n * m * dim * 2,
    )
    return {key: 2 * value for key, value in macs.items()}


@wrong("local_and_global.twins_cost", "MACs", says="You count a multiplication and its addition")
def _(height, width, k, dim):
    n, m = height * width, height * width // k**2
    return dict(
        local_maps=4 * n * dim**2,
        local_scores=2 * n * k**2 * dim,
        global_maps=3 * n * dim**2 + 2 * m * dim**2,
        global_scores=2 * n * m * dim,
    )


@wrong(
    "local_and_global.twins_cost",
    "no convolution",
    says="The convolution that makes the summaries is missing",
)
def _(height, width, k, dim):
    n, m = height * width, height * width // k**2
    return dict(
        local_maps=8 * n * dim**2,
        local_scores=4 * n * k**2 * dim,
        global_maps=4 * n * dim**2 + 4 * m * dim**2,
        global_scores=4 * n * m * dim,
    )


@wrong(
    "local_and_global.twins_cost",
    "keys and values of all tokens",
    says="Keys and values of your global attention are made of all",
)
def _(height, width, k, dim):
    n, m = height * width, height * width // k**2
    return dict(
        local_maps=8 * n * dim**2,
        local_scores=4 * n * k**2 * dim,
        global_maps=8 * n * dim**2 + 2 * n * dim**2,
        global_scores=4 * n * m * dim,
    )


@wrong("local_and_global.twins_cost", "k for k squared", says="Your windows hold k tokens")
def _(height, width, k, dim):
    n, m = height * width, height * width // k**2
    return dict(
        local_maps=8 * n * dim**2,
        local_scores=4 * n * k * dim,
        global_maps=6 * n * dim**2 + 4 * m * dim**2,
        global_scores=4 * n * m * dim,
    )


@wrong(
    "local_and_global.twins_cost",
    "the scores alone, without times v",
    says="You count one of the two products",
)
def _(height, width, k, dim):
    n, m = height * width, height * width // k**2
    return dict(
        local_maps=8 * n * dim**2,
        local_scores=2 * n * k**2 * dim,
        global_maps=6 * n * dim**2 + 4 * m * dim**2,
        global_scores=2 * n * m * dim,
    )


@wrong(
    "local_and_global.twins_cost",
    "three maps",
    says="You count three linear maps",
)
def _(height, width, k, dim):
    n, m = height * width, height * width // k**2
    return dict(
        local_maps=6 * n * dim**2,
        local_scores=4 * n * k**2 * dim,
        global_maps=2 * n * dim**2 + 4 * m * dim**2 + 2 * n * dim**2,
        global_scores=4 * n * m * dim,
    )


@wrong(
    "local_and_global.twins_cost",
    "one window",
    says="Your local scores are those of one window",
)
def _(height, width, k, dim):
    n, m = height * width, height * width // k**2
    return dict(
        local_maps=8 * n * dim**2,
        local_scores=4 * k**2 * k**2 * dim,
        global_maps=6 * n * dim**2 + 4 * m * dim**2,
        global_scores=4 * n * m * dim,
    )


@wrong(
    "local_and_global.twins_cost",
    "all with all in the global one",
    says="In your global attention all tokens answer",
)
def _(height, width, k, dim):
    n = height * width
    return dict(
        local_maps=8 * n * dim**2,
        local_scores=4 * n * k**2 * dim,
        global_maps=8 * n * dim**2 + 2 * n * dim**2,
        global_scores=4 * n**2 * dim,
    )


# PositionGenerator


class Peg(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.convolve = nn.Conv2d(dim, dim, kernel_size=3, stride=1, padding=1, groups=dim)


@right("local_and_global.PositionGenerator", "padding same")
class _(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.convolve = nn.Conv2d(dim, dim, (3, 3), padding="same", groups=dim)

    def forward(self, x):
        image = torch.movedim(x, -1, 1)
        return torch.movedim(image + self.convolve(image), 1, -1)


@right("local_and_global.PositionGenerator", "nine shifts")
class _(Peg):
    def forward(self, x):
        H, W = x.shape[1:3]
        around = F.pad(x, (0, 0, 1, 1, 1, 1))
        found = x + self.convolve.bias
        for i in range(3):
            for j in range(3):
                found = found + around[:, i : i + H, j : j + W] * self.convolve.weight[:, 0, i, j]
        return found


@wrong("local_and_global.PositionGenerator", "no residual", says="The token itself is missing")
class _(Peg):
    def forward(self, x):
        return self.convolve(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


@wrong(
    "local_and_global.PositionGenerator",
    "transposed there and back",
    says="Rows and columns change places on both ways",
)
class _(Peg):
    def forward(self, x):
        return x + self.convolve(x.transpose(1, 3)).transpose(1, 3)


@wrong(
    "local_and_global.PositionGenerator", "views there and back", says="The map is reshaped into"
)
class _(Peg):
    def forward(self, x):
        B, H, W, dim = x.shape
        return x + self.convolve(x.reshape(B, dim, H, W)).reshape(B, H, W, dim)


@wrong("local_and_global.PositionGenerator", "a full convolution")
class _(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.convolve = nn.Conv2d(dim, dim, 3, padding=1)

    def forward(self, x):
        return x + self.convolve(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


@wrong(
    "local_and_global.PositionGenerator",
    "circular",
    says="Beyond the border you go on at the opposite side",
)
class _(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.convolve = nn.Conv2d(dim, dim, 3, padding=1, groups=dim, padding_mode="circular")

    def forward(self, x):
        return x + self.convolve(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


@wrong("local_and_global.PositionGenerator", "a GELU", says="There is a GELU behind the")
class _(Peg):
    def forward(self, x):
        return x + F.gelu(self.convolve(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))


@wrong(
    "local_and_global.PositionGenerator",
    "forgets to come back",
    says="The result comes out with features second",
)
class _(Peg):
    def forward(self, x):
        x = x.permute(0, 3, 1, 2)
        return x + self.convolve(x)


# channel_patches


@right("local_and_global.channel_patches", "by unfolding")
def _(x, p):
    patches = F.unfold(x.permute(0, 3, 1, 2), p, stride=p)  # (B, dim · p², n)
    return patches.unflatten(1, (x.shape[-1], p * p)).mT.flatten(0, 1)


@right("local_and_global.channel_patches", "in loops")
def _(x, p):
    B, H, W, dim = x.shape
    rows = []
    for b in range(B):
        for c in range(dim):
            tokens = [
                x[b, i : i + p, j : j + p, c].flatten()
                for i in range(0, H, p)
                for j in range(0, W, p)
            ]
            rows.append(torch.stack(tokens))
    return torch.stack(rows)


@right("local_and_global.channel_patches", "by window_partition")
def _(x, p):
    return window_partition(x, p, p).permute(0, 3, 1, 2).flatten(0, 1)


@right("local_and_global.channel_patches", "by tensor.unfold")
def _(x, p):
    x = x.permute(0, 3, 1, 2).flatten(0, 1)
    return x.unfold(1, p, p).unfold(2, p, p).flatten(3).flatten(1, 2)


@wrong("local_and_global.channel_patches", "only a view", says="You reshape without moving an axis")
def _(x, p):
    return x.reshape(x.shape[0] * x.shape[-1], -1, p * p)


@wrong(
    "local_and_global.channel_patches",
    "permute, then a reshape",
    says="The channels come first and then you reshape",
)
def _(x, p):
    B, H, W, dim = x.shape
    return x.permute(0, 3, 1, 2).reshape(B * dim, H * W // p**2, p**2)


@wrong(
    "local_and_global.channel_patches",
    "channels outermost",
    says="Your batch goes through the images within a channel",
)
def _(x, p):
    w = window_partition(x, p, p)  # (B, n, p², dim)
    return w.permute(3, 0, 1, 2).flatten(0, 1)


@wrong(
    "local_and_global.channel_patches",
    "patches and pixels exchanged",
    says="Patches and what is inside them are exchanged",
)
def _(x, p):
    w = window_partition(x, p, p)
    return w.permute(0, 3, 2, 1).flatten(0, 1)


@wrong(
    "local_and_global.channel_patches",
    "unfold and forget that it is transposed",
    says="Patches and what is inside them are exchanged",
)
def _(x, p):
    patches = F.unfold(x.permute(0, 3, 1, 2), p, stride=p)
    return patches.unflatten(1, (x.shape[-1], p * p)).flatten(0, 1)


@wrong(
    "local_and_global.channel_patches",
    "windows as batch",
    says="Your batch is the patches",
)
def _(x, p):
    return window_partition(x, p, p).flatten(0, 1)


@wrong(
    "local_and_global.channel_patches",
    "all channels in a token",
    says="The channels are still in the tokens",
)
def _(x, p):
    return window_partition(x, p, p).flatten(2)


@wrong(
    "local_and_global.channel_patches",
    "all channels in a token, channel first",
    says="The channels are still in the tokens",
)
def _(x, p):
    return F.unfold(x.permute(0, 3, 1, 2), p, stride=p).mT


@wrong(
    "local_and_global.channel_patches",
    "batch and channel kept apart",
    says="there is an axis too many",
)
def _(x, p):
    return window_partition(x, p, p).permute(0, 3, 1, 2)


@wrong(
    "local_and_global.channel_patches",
    "p first",
    says="A patch of yours collects tokens that stand far apart",
)
def _(x, p):
    B, H, W, dim = x.shape
    x = x.reshape(B, p, H // p, p, W // p, dim)
    return x.permute(0, 5, 2, 4, 1, 3).flatten(4).flatten(2, 3).flatten(0, 1)


@wrong(
    "local_and_global.channel_patches",
    "transposed inside",
    says="The numbers inside a patch run down its columns",
)
def _(x, p):
    x = x.permute(0, 3, 1, 2).unfold(2, p, p).unfold(3, p, p)
    return x.mT.flatten(4).flatten(2, 3).flatten(0, 1)


@wrong(
    "local_and_global.channel_patches",
    "x.transpose for the channels",
    says="Everything runs down the columns",
)
def _(x, p):
    return F.unfold(x.transpose(1, 3), p, stride=p).unflatten(1, (-1, p * p)).mT.flatten(0, 1)


# RegionalToLocal


class R2L(nn.Module):
    def __init__(self, dim, heads, hidden):
        super().__init__()
        self.attention = MultiHeadAttention(dim, heads)
        self.around_regional = Residual(dim, True)
        self.around_local = Residual(dim, True)
        self.around_feed_forward = Residual(dim, True)
        self.feed_forward = FeedForward(dim, hidden)


@right("local_and_global.RegionalToLocal", "a loop over the regions")
class _(R2L):
    def forward(self, regional, local):
        regional = self.around_regional(regional, self.attention)
        spoken, heard = [], []
        for i in range(local.shape[1]):
            x = torch.cat([regional[:, i : i + 1], local[:, i]], dim=1)
            x = self.around_feed_forward(self.around_local(x, self.attention), self.feed_forward)
            spoken.append(x[:, 0])
            heard.append(x[:, 1:])
        return torch.stack(spoken, 1), torch.stack(heard, 1)


@right("local_and_global.RegionalToLocal", "four axes, and the residuals by hand")
class _(R2L):
    def forward(self, regional, local):
        regional = regional + self.attention(self.around_regional.norm(regional))
        x = torch.cat((regional.unsqueeze(2), local), 2)
        x = x + self.attention(self.around_local.norm(x))
        x = x + self.feed_forward(self.around_feed_forward.norm(x))
        return x[..., 0, :], x[..., 1:, :]


@right("local_and_global.RegionalToLocal", "regional token behind, consistently")
class _(R2L):
    def forward(self, regional, local):
        regional = self.around_regional(regional, self.attention)
        x = torch.cat((local, regional.unsqueeze(2)), 2)
        x = self.around_feed_forward(self.around_local(x, self.attention), self.feed_forward)
        return x[:, :, -1], x[:, :, :-1]


@wrong(
    "local_and_global.RegionalToLocal", "no first step", says="No region hears of another, however"
)
class _(R2L):
    def forward(self, regional, local):
        x = torch.cat((regional.unsqueeze(2), local), 2)
        x = self.around_feed_forward(self.around_local(x, self.attention), self.feed_forward)
        return x[:, :, 0], x[:, :, 1:]


@wrong(
    "local_and_global.RegionalToLocal",
    "the result of the first step is dropped",
    says="those in front of the local tokens are the ones that came in",
)
class _(R2L):
    def forward(self, regional, local):
        self.around_regional(regional, self.attention)
        x = torch.cat((regional.unsqueeze(2), local), 2)
        x = self.around_feed_forward(self.around_local(x, self.attention), self.feed_forward)
        return x[:, :, 0], x[:, :, 1:]


@wrong(
    "local_and_global.RegionalToLocal",
    "all of an image together",
    says="All tokens of all regions attend to one another",
)
class _(R2L):
    def forward(self, regional, local):
        B, n, m, dim = local.shape
        regional = self.around_regional(regional, self.attention)
        x = torch.cat((regional.unsqueeze(2), local), 2).reshape(B, -1, dim)
        x = self.around_feed_forward(self.around_local(x, self.attention), self.feed_forward)
        x = x.reshape(B, n, m + 1, dim)
        return x[:, :, 0], x[:, :, 1:]


@wrong(
    "local_and_global.RegionalToLocal",
    "cross-attention to the regional token",
    says="local tokens ask and the regional token alone answers",
)
class _(R2L):
    def forward(self, regional, local):
        regional = self.around_regional(regional, self.attention)
        own = regional.unsqueeze(2)
        local = self.around_local(local, lambda y: self.attention(y, self.around_local.norm(own)))
        return (
            self.around_feed_forward(regional, self.feed_forward),
            self.around_feed_forward(local, self.feed_forward),
        )


@wrong(
    "local_and_global.RegionalToLocal",
    "regional tokens keep what the first step gave",
    says="The regional tokens return as they were after the first",
)
class _(R2L):
    def forward(self, regional, local):
        regional = self.around_regional(regional, self.attention)
        x = torch.cat((regional.unsqueeze(2), local), 2)
        x = self.around_feed_forward(self.around_local(x, self.attention), self.feed_forward)
        return self.around_feed_forward(regional, self.feed_forward), x[:, :, 1:]


@wrong(
    "local_and_global.RegionalToLocal",
    "no network at the end",
    says="The feed-forward network is missing",
)
class _(R2L):
    def forward(self, regional, local):
        regional = self.around_regional(regional, self.attention)
        x = self.around_local(torch.cat((regional.unsqueeze(2), local), 2), self.attention)
        return x[:, :, 0], x[:, :, 1:]


@wrong(
    "local_and_global.RegionalToLocal",
    "around_regional twice",
    says="around_regional goes around both attentions",
)
class _(R2L):
    def forward(self, regional, local):
        regional = self.around_regional(regional, self.attention)
        x = self.around_regional(torch.cat((regional.unsqueeze(2), local), 2), self.attention)
        x = self.around_feed_forward(x, self.feed_forward)
        return x[:, :, 0], x[:, :, 1:]


@wrong(
    "local_and_global.RegionalToLocal",
    "a layer each",
    says="Your regional tokens pass the feed-forward network twice",
)
class _(R2L):
    def forward(self, regional, local):
        regional = self.around_regional(regional, self.attention)
        regional = self.around_feed_forward(regional, self.feed_forward)
        x = self.around_local(torch.cat((regional.unsqueeze(2), local), 2), self.attention)
        x = self.around_feed_forward(x, self.feed_forward)
        return x[:, :, 0], x[:, :, 1:]


@wrong(
    "local_and_global.RegionalToLocal",
    "gives back local first",
    says="Local tokens come first and regional ones second",
)
class _(R2L):
    def forward(self, regional, local):
        regional = self.around_regional(regional, self.attention)
        x = self.around_local(torch.cat((regional.unsqueeze(2), local), 2), self.attention)
        x = self.around_feed_forward(x, self.feed_forward)
        return x[:, :, 1:], x[:, :, 0]


@wrong("local_and_global.RegionalToLocal", "an attention for each step")
class _(R2L):
    def __init__(self, dim, heads, hidden):
        super().__init__(dim, heads, hidden)
        self.among_regional = MultiHeadAttention(dim, heads)

    def forward(self, regional, local):
        regional = self.around_regional(regional, self.among_regional)
        x = self.around_local(torch.cat((regional.unsqueeze(2), local), 2), self.attention)
        x = self.around_feed_forward(x, self.feed_forward)
        return x[:, :, 0], x[:, :, 1:]


# a second round


@wrong("local_and_global.SubsampledAttention", "columns first", says="The tokens ask column by")
class _(Gsa):
    def forward(self, x):
        B, H, W, dim = x.shape
        summaries = self.norm(self.summarize(x.permute(0, 3, 1, 2)).flatten(2).mT)
        return self.attention(x.transpose(1, 2).flatten(1, 2), summaries).view(B, H, W, dim)


@wrong("local_and_global.SubsampledAttention", "stride 1", says="Your windows overlap")
class _(Gsa):
    def __init__(self, dim, heads, k):
        super().__init__(dim, heads, k)
        self.summarize = nn.Conv2d(dim, dim, k)

    def forward(self, x):
        summaries = self.norm(self.summarize(x.permute(0, 3, 1, 2)).flatten(2).mT)
        return self.attention(x.flatten(1, 2), summaries).view(x.shape)


@wrong(
    "local_and_global.SubsampledAttention", "a GELU at the end", says="activation behind the norm"
)
class _(Gsa):
    def forward(self, x):
        summaries = self.norm(self.summarize(x.permute(0, 3, 1, 2)).flatten(2).mT)
        return self.attention(x.flatten(1, 2), F.gelu(summaries)).view(x.shape)


@wrong("local_and_global.twins_cost", "the whole map", says="every token ask the whole map")
def _(height, width, k, dim):
    n, m = height * width, height * width // k**2
    return dict(
        local_maps=8 * n * dim**2,
        local_scores=4 * n * n * dim,
        global_maps=6 * n * dim**2 + 4 * m * dim**2,
        global_scores=4 * n * m * dim,
    )


@wrong("local_and_global.twins_cost", "summaries do all", says="In your global attention the summ")
def _(height, width, k, dim):
    n, m = height * width, height * width // k**2
    return dict(
        local_maps=8 * n * dim**2,
        local_scores=4 * n * k * k * dim,
        global_maps=2 * n * dim**2 + 8 * m * dim**2,
        global_scores=4 * m * m * dim,
    )


@wrong("local_and_global.twins_cost", "a square of the height", says="Is every map a square")
def _(height, width, k, dim):
    n, m = height**2, (height // k) ** 2
    return dict(
        local_maps=8 * n * dim**2,
        local_scores=4 * n * k * k * dim,
        global_maps=6 * n * dim**2 + 4 * m * dim**2,
        global_scores=4 * n * m * dim,
    )


@wrong("local_and_global.PositionGenerator", "back the other way", says="places on the way back")
class _(Peg):
    def forward(self, x):
        return x + self.convolve(x.permute(0, 3, 1, 2)).permute(0, 3, 2, 1)


@wrong("local_and_global.PositionGenerator", "no zeros", says="Nothing stands around the map")
class _(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.convolve = nn.Conv2d(dim, dim, 3, groups=dim)

    def forward(self, x):
        return x + self.convolve(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


@wrong(
    "local_and_global.channel_patches", "channels for tokens", says="its tokens are the channels"
)
def _(x, p):
    B, H, W, dim = x.shape
    x = x.view(B, H // p, p, W // p, p, dim).permute(0, 1, 3, 5, 2, 4)
    return x.reshape(-1, dim, p * p)


@wrong("local_and_global.channel_patches", "W before H", says="Height and width have changed")
def _(x, p):
    B, H, W, dim = x.shape
    x = x.reshape(B, W // p, p, H // p, p, dim).permute(0, 5, 1, 3, 2, 4)
    return x.reshape(B * dim, -1, p * p)


class InSteps(R2L):
    """Right, in steps for answers that differ in one."""

    def forward(self, regional, local):
        return self.ahead(self.regions(regional), local)

    def regions(self, regional):
        return self.around_regional(regional, self.attention)

    def ahead(self, regional, local):
        t = torch.cat([regional[:, :, None], local], 2)
        t = self.around_local(t.flatten(0, 1), self.attention).view(t.shape)
        t = self.around_feed_forward(t, self.feed_forward)
        return t[:, :, 0], t[:, :, 1:]


@wrong(
    "local_and_global.RegionalToLocal", "old ones in front", says="are the ones that came in, so"
)
class _(InSteps):
    def forward(self, regional, local):
        new = self.around_feed_forward(self.regions(regional), self.feed_forward)
        return new, self.ahead(regional, local)[1]


@wrong("local_and_global.RegionalToLocal", "the last is regional", says="You read the last of the")
class _(InSteps):
    def ahead(self, regional, local):
        t = torch.cat([x.view(*local.shape[:2], -1, local.shape[-1]) for x in
                       super().ahead(regional, local)], 2)  # fmt: skip
        return t[:, :, -1], t[:, :, :-1]


@wrong(
    "local_and_global.RegionalToLocal", "one norm, the local", says="around_local goes around both"
)
class _(InSteps):
    def regions(self, regional):
        return self.around_local(regional, self.attention)


@wrong("local_and_global.RegionalToLocal", "all images", says="The regional tokens of all images")
class _(InSteps):
    def regions(self, regional):
        return super().regions(regional.flatten(0, 1)[None]).view(regional.shape)


@wrong("local_and_global.RegionalToLocal", "locals first", says="attend to each other at the end")
class _(InSteps):
    def forward(self, regional, local):
        t = torch.cat([regional[:, :, None], local], 2)
        t = self.around_local(t.flatten(0, 1), self.attention).view(t.shape)
        out = self.regions(t[:, :, 0]), t[:, :, 1:]
        return tuple(self.around_feed_forward(x, self.feed_forward) for x in out)
