"""MSG-Transformer: what the messengers of a region do with each other."""

import torch

from tutorial_lib.checking import Exercise
from tutorial_lib.layers import windows as on_tensors
from tutorial_lib.layers.windows import spread, window_partition, window_reverse


def trade(messengers, region):
    """Let the messengers of each region exchange parts of their features.

    messengers  (B, rows, columns, dim) tensor, one for each window, as the windows lie in the map
    region      windows, the side of a region; it divides rows and columns, and G = region² divides
                dim
    ->  the same shape. The G messengers of a region are numbered row by row, their features cut
        into G equal parts. Part i of messenger j is now what part j of messenger i was.
    """
    G = region * region
    x = on_tensors.window_partition(messengers, region, region)  # (B, regions, G, dim)
    x = x.unflatten(-1, (G, -1)).transpose(2, 3).flatten(3)
    return on_tensors.window_reverse(x, region, region, *messengers.shape[1:3])


def messengers_and_regions(rng):
    for B, rows, columns, dim, region in [
        (1, 2, 2, 8, 2),
        (1, 2, 4, 4, 2),
        (2, 3, 6, 18, 3),
        (2, 4, 2, 12, 2),
        (3, 2, 3, 5, 1),
        (1, 4, 4, 32, 4),
    ]:
        messengers = torch.from_numpy(rng.normal(size=(B, rows, columns, dim)))
        yield dict(messengers=messengers.requires_grad_(B > 1), region=region)


trade = Exercise(
    trade,
    level=3,
    minutes=12,
    cases=messengers_and_regions,
    hints=(
        "A region is a window of messengers: cut the map of messengers into regions as you cut a "
        "map of tokens into windows.",
        "Write the features as G parts of equal length. Then a region is a table, messengers by "
        "parts, and the trade is a transpose of it.",
        "`on_tensors.window_partition(messengers, region, region)` gives (B, regions, G, dim); "
        "`.unflatten(-1, (G, -1)).transpose(2, 3).flatten(3)`; then `window_reverse`.",
    ),
)


def _traded(messengers, region, change):
    """Regions (B, regions, G, dim) with `change` instead of the trade."""
    x = change(window_partition(messengers, region, region))
    return window_reverse(x, region, region, *messengers.shape[1:3])


@trade.mistake(
    """Your parts are dealt out feature by feature: feature 0 to part 0, feature 1 to part 1. A
    part is dim / G features that stand beside each other. Which axis comes first in
    `unflatten`?"""
)
def parts_in_turn(messengers, region):
    return _traded(
        messengers,
        region,
        lambda x: x.unflatten(-1, (-1, region**2)).transpose(2, 4).flatten(3),
    )


@trade.mistake(
    """The parts are in the right messengers, and their features are interleaved there: after the
    transpose you flatten the axes in another order. A part should arrive in one piece."""
)
def arrives_interleaved(messengers, region):
    return _traded(
        messengers,
        region,
        lambda x: x.unflatten(-1, (region**2, -1)).transpose(2, 3).mT.flatten(3),
    )


@trade.mistake(
    """Your messengers trade with all others of the map, numbered row by row, as if it were one
    region. Only those of a region trade. Which function makes regions of a map?"""
)
def regions_read_row_by_row(messengers, region):
    G = region * region
    x = messengers.flatten(1, 2).unflatten(1, (-1, G))  # G neighbours in a row
    x = x.unflatten(-1, (G, -1)).transpose(2, 3).flatten(3)
    return x.flatten(1, 2).unflatten(1, messengers.shape[1:3])


@trade.mistake(
    """All messengers of a region have become the same: you average. A mean keeps one message of
    G; what should become of the parts?"""
)
def means(messengers, region):
    return _traded(messengers, region, lambda x: x.mean(dim=2, keepdim=True).expand_as(x))


@trade.mistake(
    """Your messengers have changed places as wholes: each now holds the features of one other.
    What should messenger j hold of messenger i?"""
)
def wholes_move(messengers, region):
    return _traded(messengers, region, lambda x: x.roll(1, dims=2))


@trade.mistake(
    """Nobody has traded: the features were cut into parts and put together again. What has to
    change places in between?"""
)
def keeps_all(messengers, region):
    return messengers.clone()


@trade.mistake(
    """You cut the map into region × region regions. `region` is the side of one, in windows."""
)
def so_many_regions(messengers, region):
    rows, columns, dim = messengers.shape[1:]
    a, b = max(rows // region, 1), max(columns // region, 1)
    if dim % (a * b):
        raise RuntimeError("unflatten: the parts do not fit")
    x = window_partition(messengers, a, b).unflatten(-1, (a * b, -1)).transpose(2, 3).flatten(3)
    return window_reverse(x, a, b, rows, columns)


@trade.mistake(
    """You leave the regions as they were cut, (B, regions, G, dim). Each messenger goes back to
    its window: which function undoes the cutting?"""
)
def stays_cut(messengers, region):
    x = window_partition(messengers, region, region)
    return x.unflatten(-1, (region**2, -1)).transpose(2, 3).flatten(3)


@trade.mistake(
    """The features are cut into `region` parts, and there are region² messengers to give one to.
    How many windows has a region?"""
)
def too_few_parts(messengers, region):
    def change(x):
        x = x.unflatten(-1, (region, -1)).unflatten(2, (region, region))  # (B, n, r, r, parts, d)
        return x.transpose(3, 4).flatten(2, 3).flatten(3)

    if messengers.shape[-1] % region:
        raise RuntimeError("unflatten: the parts do not fit")
    return _traded(messengers, region, change)


@trade.mistake(
    """Your result has the right numbers in the wrong windows: the traded regions are laid out
    again without the cut being undone. What did `window_partition` do to the order of the
    messengers?"""
)
def laid_out_in_a_row(messengers, region):
    x = stays_cut(messengers, region)
    return x.reshape(messengers.shape)


@trade.mistake(
    """Nobody has traded: each messenger has only changed the order of its own features. You swap
    the parts with what is in a part. Which axis holds the messengers of a region?"""
)
def within_a_messenger(messengers, region):
    return _traded(messengers, region, lambda x: x.unflatten(-1, (region**2, -1)).mT.flatten(3))


@trade.mistake(
    """Two steps of yours do not fit: the features are cut into dim / G parts of length G, and
    laid down as if they had been G parts. Into how many parts are a messenger's features cut, and
    how long is each?"""
)
def counts_exchanged(messengers, region):
    G = region**2
    return _traded(
        messengers, region, lambda x: x.unflatten(-1, (-1, G)).transpose(2, 3).reshape(x.shape)
    )


@trade.mistake(
    """The messengers of your regions are numbered column by column. In which order does the task
    number them?"""
)
def numbered_by_columns(messengers, region):
    return trade.reference(messengers.transpose(1, 2), region).transpose(1, 2)


@trade.mistake(
    """Your messengers trade with those at a distance, all over the map. A region is a square of
    neighbours. Which of the two axes comes first when the rows of the map are cut?"""
)
def regions_all_over(messengers, region):
    rows, columns = messengers.shape[1:3]
    spread_out = spread(messengers, region, region)
    return spread(trade.reference(spread_out, region), rows // region, columns // region)


@trade.mistake(
    """You write into the array from which you still read: part i of messenger j has changed when
    messenger i comes for it. Which array should the parts be read from?"""
)
def reads_what_it_wrote(messengers, region):
    def change(x):
        parts = x.detach().unflatten(-1, (region**2, -1)).clone()  # (B, regions, G, G, d)
        for j in range(region**2):
            for i in range(region**2):
                parts[:, :, j, i] = parts[:, :, i, j].clone()
        return parts.flatten(3)

    return _traded(messengers, region, change)
