"""Positions for another resolution, in PyTorch."""

import torch
import torch.nn.functional as F

from tutorial_lib.checking import Exercise
from tutorial_lib.layers import patches as torch_patches


def positions_and_grids(rng):
    for grid, new_grid, dim in [
        ((1, 2), (1, 4), 1),
        ((2, 2), (2, 2), 2),
        ((2, 2), (3, 3), 1),
        ((2, 3), (3, 2), 3),
        ((3, 2), (6, 5), 2),
        ((4, 5), (2, 3), 6),
        # 11 · (15 / 11) is less than 15 in floating point: a grid given as a factor loses a column.
        ((1, 11), (1, 15), 1),
    ]:
        positions = torch.from_numpy(rng.normal(size=(1 + grid[0] * grid[1], dim)))
        yield dict(positions=positions.requires_grad_(), grid=grid, new_grid=new_grid)
    single = torch.from_numpy(rng.normal(size=(7, 3))).float()
    yield dict(positions=single, grid=(2, 3), new_grid=(4, 4))
    for wrong in (6, 8):  # positions where 7 are expected
        positions = torch.from_numpy(rng.normal(size=(wrong, 3)))
        yield dict(positions=positions, grid=(2, 3), new_grid=(4, 5))


interpolate_positions = Exercise(
    torch_patches.interpolate_positions,
    level=3,
    minutes=15,
    cases=positions_and_grids,
    hints=(
        "Each feature of the positions is a picture with a pixel for each patch. Which row of the "
        "table is no pixel?",
        "`F.interpolate` wants (batch, channels, rows, columns). The table is (n, dim), patches "
        "row by row: which axis must come first before the reshape?",
        "Transpose the patches' part and give it the shape (1, dim, rows, columns). After the "
        "interpolation go back the same way: flatten the grid, transpose, and put the class "
        "token's position before it.",
    ),
)


def _checked(positions, grid):
    if len(positions) != 1 + grid[0] * grid[1]:
        raise ValueError("wrong number of positions")


def _picture(positions, grid):
    _checked(positions, grid)
    return positions[1:].T.reshape(1, -1, *grid)


def _resized(positions, grid, new_grid, mode="bicubic", **options):
    return F.interpolate(_picture(positions, grid), size=new_grid, mode=mode, **options)


def _table(positions, picture):
    return torch.cat([positions[:1], picture[0].flatten(1).T])


@interpolate_positions.mistake(
    """You stretch the whole table as one line, class token and all. Then the class token flows into
    the first patch, and the end of each row into the start of the next. Which rows of the table
    stand in a grid?"""
)
def one_line_with_the_class_token(positions, grid, new_grid):
    _checked(positions, grid)
    size = 1 + new_grid[0] * new_grid[1]
    return F.interpolate(positions.T[None], size=size, mode="linear")[0].T


@interpolate_positions.mistake(
    """The class token is kept, but the patches are stretched as one line: the end of each row flows
    into the start of the next, and what stands above or below plays no part. What are a patch's
    neighbours?"""
)
def patches_as_one_line(positions, grid, new_grid):
    _checked(positions, grid)
    size = new_grid[0] * new_grid[1]
    line = F.interpolate(positions[1:].T[None], size=size, mode="linear")[0]
    return torch.cat([positions[:1], line.T])


@interpolate_positions.mistake(
    """Right for square grids: you lay the patches out with rows and columns exchanged. In
    `grid`, which comes first?"""
)
def columns_before_rows(positions, grid, new_grid):
    picture = _picture(positions, grid[::-1])
    return _table(positions, F.interpolate(picture, size=new_grid, mode="bicubic"))


@interpolate_positions.mistake(
    """Right for square new grids: `size` wants (rows, columns), and yours are exchanged. The number
    of positions is right all the same, so nothing complains until a wide image comes."""
)
def new_columns_before_rows(positions, grid, new_grid):
    return _table(positions, _resized(positions, grid, new_grid[::-1]))


@interpolate_positions.mistake(
    """You reshape (n, dim) to (1, dim, rows, columns) without the transpose. Each of your pictures
    then mixes features. What must be side by side in memory for a picture of one feature?"""
)
def reshaped_without_transpose(positions, grid, new_grid):
    _checked(positions, grid)
    picture = positions[1:].reshape(1, positions.shape[1], *grid)
    return _table(positions, F.interpolate(picture, size=new_grid, mode="bicubic"))


@interpolate_positions.mistake(
    """The picture is resized well, and then (1, dim, rows, columns) is reshaped to (n, dim) without
    the transpose: a position gets the values of one feature at several places."""
)
def reshaped_back_without_transpose(positions, grid, new_grid):
    picture = _resized(positions, grid, new_grid)
    return torch.cat([positions[:1], picture.reshape(-1, positions.shape[1])])


@interpolate_positions.mistake(
    """This is the nearest position, repeated: neighbouring patches get the same one and cannot be
    told apart. The task wants bicubic interpolation."""
)
def nearest(positions, grid, new_grid):
    return _table(positions, _resized(positions, grid, new_grid, mode="nearest"))


@interpolate_positions.mistake(
    """This is bilinear. It lies between two positions on a straight line, so the vectors get
    shorter, which the network has not seen in training. The task wants bicubic interpolation."""
)
def bilinear(positions, grid, new_grid):
    return _table(positions, _resized(positions, grid, new_grid, mode="bilinear"))


@interpolate_positions.mistake(
    """Your corners are aligned: the centres of the corner patches stay where they are. But patches
    are areas, and what stays in place is the border of the image. Which option says so?"""
)
def corners_aligned(positions, grid, new_grid):
    return _table(positions, _resized(positions, grid, new_grid, align_corners=True))


@interpolate_positions.mistake(
    """The class token's row is gone. It has no place in the grid, but it has one in the table."""
)
def without_the_class_token(positions, grid, new_grid):
    return _table(positions, _resized(positions, grid, new_grid))[1:]


@interpolate_positions.mistake(
    """You resize with `antialias=True`, as one does with photographs. A smaller grid is smoothed
    before, and PyTorch then takes another cubic curve as well, so that larger grids differ too.
    What does the task say of the interpolation?"""
)
def smoothed_first(positions, grid, new_grid):
    return _table(positions, _resized(positions, grid, new_grid, antialias=True))


@interpolate_positions.mistake(
    """You pass the new grid as a factor (`scale_factor`), and the size is rounded down from a
    product: 11 · (15 / 11) is a little less than 15 in floating point, and a column is lost. What
    else could you tell `F.interpolate`, which needs no rounding?"""
)
def by_a_factor(positions, grid, new_grid):
    factor = tuple(new / old for new, old in zip(new_grid, grid))
    picture = F.interpolate(_picture(positions, grid), scale_factor=factor, mode="bicubic")
    return _table(positions, picture)


@interpolate_positions.mistake(
    """Right for all tables that fit their grid. With a row too few or too many the reshape fails,
    and its error speaks of sizes that the caller has never seen. What does the task want to
    happen?"""
)
def without_a_check(positions, grid, new_grid):
    picture = positions[1:].T.reshape(1, positions.shape[1], *grid)
    return _table(positions, F.interpolate(picture, size=new_grid, mode="bicubic"))


@interpolate_positions.mistake(
    """Right for all tables that fit their grid. Of one that is too long the last rows are dropped
    without a word, and the others may belong to other places than you think. What does the task
    want to happen?"""
)
def too_many_cut_off(positions, grid, new_grid):
    n = grid[0] * grid[1]
    picture = positions[1 : 1 + n].T.reshape(1, positions.shape[1], *grid)
    return _table(positions, F.interpolate(picture, size=new_grid, mode="bicubic"))


@interpolate_positions.mistake(
    """Your table comes back as it was if the new grid has as many patches as the old one. Two rows
    of three are not three rows of two: what must be equal before nothing is to be done?"""
)
def returned_if_as_many(positions, grid, new_grid):
    _checked(positions, grid)
    if len(positions) == 1 + new_grid[0] * new_grid[1]:
        return positions
    return _table(positions, _resized(positions, grid, new_grid))


@interpolate_positions.mistake(
    """You put columns before rows on the way in and on the way out. Right where both grids are
    square; elsewhere the picture that you stretch has its rows cut at the wrong places. What comes
    first in `grid` and in `new_grid`?"""
)
def columns_before_rows_both_times(positions, grid, new_grid):
    return _table(positions, _resized(positions, grid[::-1], new_grid[::-1]))


@interpolate_positions.mistake(
    """You reshape without a transpose both ways, in and out. Each of your pictures mixes features,
    and the way back does not unmix them. What must be side by side in memory for a picture of one
    feature?"""
)
def reshaped_both_ways(positions, grid, new_grid):
    _checked(positions, grid)
    dim = positions.shape[1]
    picture = F.interpolate(positions[1:].reshape(1, dim, *grid), size=new_grid, mode="bicubic")
    return torch.cat([positions[:1], picture.reshape(-1, dim)])


@interpolate_positions.mistake(
    """You turn the picture on the way in: `permute(2, 1, 0)` of (rows, columns, dim) is (dim,
    columns, rows), which is then stretched as if it were upright. Which axis alone has to move?"""
)
def turned_on_the_way_in(positions, grid, new_grid):
    picture = F.interpolate(_picture(positions, grid).mT, size=new_grid, mode="bicubic")
    return _table(positions, picture)


@interpolate_positions.mistake(
    """The class token's position stands at the end. Where was it in the table that you were
    given?"""
)
def class_token_at_the_end(positions, grid, new_grid):
    return _table(positions, _resized(positions, grid, new_grid)).roll(-1, dims=0)


@interpolate_positions.mistake(
    """You take the last row of the table for the class token's, and the first for a patch's. Where
    does the class token stand?"""
)
def class_token_taken_from_the_end(positions, grid, new_grid):
    turned = _resized(positions.roll(1, dims=0), grid, new_grid)
    return torch.cat([turned[0].flatten(1).T, positions[-1:]])
