"""What tokens cost before the transformer starts: a hard and a soft split."""

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch.soft_split import token_count


def t2t_cost(height, width, channels, splits, token_dim, dim):
    """Predict the tokens that a T2T module makes, and its floating-point operations for one image.

    height, width, channels  of the image
    splits     list of (k, s, p): window, stride, padding of each split
    token_dim  features of the tokens on the way; dim features of those that leave
    ->  dict of int: tokens, linear (operations of all linear maps), attention (those of q kᵀ and of
        the weights times v)

    After each split but the last comes a token layer: three linear maps from the window's features
    to token_dim (q, k, v), attention with one head, and three from token_dim to token_dim (the
    output's, and two of a feed-forward network). The tokens, put back on their grid, are the image
    of the next split. The last split is followed by one linear map to dim. A hard split is the list
    [(P, P, 0)].

    A multiplication and an addition are two operations. Softmax, norms and biases are left out.
    `token_count(height, width, k, s, p)` gives rows and columns.
    """
    linear = attention = 0
    for i, (k, s, p) in enumerate(splits):
        height, width = token_count(height, width, k, s, p)
        n, features = height * width, k * k * channels
        if i == len(splits) - 1:
            linear += 2 * n * features * dim
        else:
            linear += 2 * n * (3 * features * token_dim + 3 * token_dim * token_dim)
            attention += 2 * (2 * n * n * token_dim)
        channels = token_dim
    return {"tokens": n, "linear": linear, "attention": attention}


t2t_cost = Exercise(
    t2t_cost,
    level=3,
    minutes=15,
    cases=lambda rng: (
        dict(zip(("height", "width", "channels", "splits", "token_dim", "dim"), sizes))
        for sizes in [
            (4, 6, 3, [(2, 2, 0)], 2, 5),
            (4, 4, 1, [(3, 2, 1), (1, 1, 0)], 2, 3),
            (8, 6, 2, [(3, 2, 1), (3, 2, 1)], 4, 3),
            (28, 28, 1, [(4, 4, 0)], 16, 48),
            (28, 28, 1, [(7, 2, 3), (3, 2, 1), (3, 1, 1)], 16, 48),
            (224, 224, 3, [(7, 4, 2), (3, 2, 1), (3, 2, 1)], 64, 384),
        ]
    ),
    hints=(
        "Go through the splits as the module does, and carry three numbers along: the height, the "
        "width and the channels of the image that the next split cuts.",
        "A linear map from a to b features costs 2·n·a·b for n tokens. A window has k·k·channels "
        "features. Both products of attention cost 2·n·n·token_dim.",
        "In a loop: `height, width = token_count(...)`, `n = height * width`; the token layer's "
        "six maps and its attention, or the last map; then `channels = token_dim`.",
    ),
)


def _cost(
    height, width, channels, splits, token_dim, dim, *, unit=2, pixels=2, maps=(3, 3), products=2,
    changes_channels=True, last_attends=False,
):  # fmt: skip
    """`t2t_cost` with one of its counts changed."""
    linear = attention = 0
    for i, (k, s, p) in enumerate(splits):
        height, width = token_count(height, width, k, s, p)
        n, features, last = height * width, k**pixels * channels, i == len(splits) - 1
        if last:
            linear += unit * n * features * dim
        else:
            linear += unit * n * token_dim * (maps[0] * features + maps[1] * token_dim)
        if last_attends or not last:
            attention += products * unit * n * n * token_dim
        channels = token_dim if changes_channels else channels
    return {"tokens": n, "linear": linear, "attention": attention}


@t2t_cost.mistake(
    """You count a multiplication and its addition as one, which is the unit MAC. The T2T paper's
    tables are in MACs; here the two are two operations."""
)
def counts_macs(height, width, channels, splits, token_dim, dim):
    return _cost(height, width, channels, splits, token_dim, dim, unit=1)


@t2t_cost.mistake(
    """A window of yours has k features a channel. It is a square: how many pixels has it?"""
)
def windows_of_k_pixels(height, width, channels, splits, token_dim, dim):
    return _cost(height, width, channels, splits, token_dim, dim, pixels=1)


@t2t_cost.mistake(
    """From the second split on your windows still have the channels of the first image. What are
    the channels of an image made of tokens?"""
)
def channels_never_change(height, width, channels, splits, token_dim, dim):
    return _cost(height, width, channels, splits, token_dim, dim, changes_channels=False)


@t2t_cost.mistake(
    """You count one linear map from the window to token_dim. Queries, keys and values have one
    each."""
)
def one_map_for_all_three(height, width, channels, splits, token_dim, dim):
    return _cost(height, width, channels, splits, token_dim, dim, maps=(1, 3))


@t2t_cost.mistake(
    """The three maps after the attention are missing. A token layer is a whole transformer layer:
    what follows softmax(q kᵀ/√d) v?"""
)
def nothing_after_attention(height, width, channels, splits, token_dim, dim):
    return _cost(height, width, channels, splits, token_dim, dim, maps=(3, 0))


@t2t_cost.mistake(
    """After the attention you count one linear map. The feed-forward network has two, and the
    output of the attention has one as well."""
)
def one_map_after_attention(height, width, channels, splits, token_dim, dim):
    return _cost(height, width, channels, splits, token_dim, dim, maps=(3, 1))


@t2t_cost.mistake(
    """After the attention you count two linear maps. Which one have you left out: the output's, or
    one of the feed-forward network's?"""
)
def two_maps_after_attention(height, width, channels, splits, token_dim, dim):
    return _cost(height, width, channels, splits, token_dim, dim, maps=(3, 2))


@t2t_cost.mistake(
    """You count one of the two products of attention: the scores, or the weights times the values.
    Each takes 2·n·n·token_dim operations."""
)
def half_the_attention(height, width, channels, splits, token_dim, dim):
    return _cost(height, width, channels, splits, token_dim, dim, products=1)


@t2t_cost.mistake(
    """The tokens of the last split attend too, in your count. That is the transformer's business:
    the module ends with a linear map. (For a hard split, its attention would be zero.)"""
)
def last_split_attends(height, width, channels, splits, token_dim, dim):
    return _cost(height, width, channels, splits, token_dim, dim, last_attends=True)


@t2t_cost.mistake(
    """Your windows do not overlap: you step by k. With the paper's first split, 7 and 4, that makes
    a third of the tokens. How far is it from a window to its neighbour?"""
)
def steps_by_the_window(height, width, channels, splits, token_dim, dim):
    splits = [(k, k, p) for k, _, p in splits]
    return _cost(height, width, channels, splits, token_dim, dim)
