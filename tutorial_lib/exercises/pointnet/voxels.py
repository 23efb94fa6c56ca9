"""Points in boxes."""

import torch

from tutorial_lib.checking import Exercise


def voxelize(clouds, resolution):
    """Which cells of a grid hold a point: the cube from −1 to 1 is cut into `resolution` slices
    along each axis.

    clouds      (B, N, 3)
    resolution  R, how many cells a side of the cube has
    ->  (B, R, R, R) of the clouds' dtype, 1 where a cell holds a point or several, else 0; the axes
        of the grid in the order of the coordinates

    A cell holds its lower border and not its upper one. A point outside the cube, or on its upper
    border, counts to the nearest cell.
    """
    cell = ((clouds + 1) / 2 * resolution).floor().long()  # (B, N, 3)
    x, y, z = cell.clamp(0, resolution - 1).unbind(-1)  # (B, N) each
    grid = clouds.new_zeros(len(clouds), resolution, resolution, resolution)
    grid[torch.arange(len(clouds), device=clouds.device)[:, None], x, y, z] = 1
    return grid


def clouds_and_resolutions(rng):
    for B, N, resolution in [(1, 3, 2), (2, 1, 3), (2, 4, 1), (3, 6, 4), (2, 9, 5)]:
        clouds = torch.from_numpy(rng.uniform(-1, 1, (B, N, 3)))
        yield dict(clouds=clouds, resolution=resolution)
    borders = torch.tensor([[[-1.0, -1, -1], [1, 0.2, -0.4]]])
    yield dict(clouds=borders, resolution=3)
    yield dict(clouds=torch.tensor([[[0.5, -0.5, 0.0]]]), resolution=4)  # borders between cells
    one_cell = torch.tensor([[[-0.9, 0.3, 0.9], [-0.8, 0.4, 0.8]]])
    yield dict(clouds=one_cell, resolution=2)
    yield dict(clouds=torch.tensor([[[0.3, -1.6, 2.0], [1.25, 0, -0.1]]]), resolution=3)  # outside


voxelize = Exercise(
    voxelize,
    level=2,
    minutes=15,
    cases=clouds_and_resolutions,
    hints=(
        "Which cell of an axis does a coordinate x lie in? What comes out at −1, at 0, and just "
        "below 1?",
        "(x + 1) / 2 runs from 0 to 1; times `resolution`, rounded down, it counts cells. `clamp` "
        "brings back what falls out of the grid.",
        "With cell (B, N, 3), `x, y, z = cell.unbind(-1)`, and `grid[torch.arange(B)[:, None], x, "
        "y, z] = 1` marks every point of every cloud.",
    ),
)


def _cells(clouds, resolution):
    return ((clouds + 1) / 2 * resolution).floor().long()


def _marked(clouds, cell, resolution, dtype=None):
    grid = clouds.new_zeros(len(clouds), *[resolution] * 3)
    x, y, z = cell.clamp(0, resolution - 1).unbind(-1)
    grid[torch.arange(len(clouds))[:, None], x, y, z] = 1
    return grid


@voxelize.mistake(
    """A point at 1 or beyond falls out of the grid: (1 + 1) / 2 times the cells is one more than
    the last index. Where does the task put it?"""
)
def upper_border_falls_out(clouds, resolution):
    grid = clouds.new_zeros(len(clouds), *[resolution] * 3)
    x, y, z = _cells(clouds, resolution).clamp(min=0).unbind(-1)
    grid[torch.arange(len(clouds))[:, None], x, y, z] = 1
    return grid


@voxelize.mistake(
    """Points outside the cube are left out of your grid. Where does the task put them?"""
)
def outside_left_out(clouds, resolution):
    grid = clouds.new_zeros(len(clouds), *[resolution] * 3)
    for b, cloud in enumerate(clouds):
        x, y, z = _cells(cloud[(cloud.abs() <= 1).all(dim=-1)], resolution).unbind(-1)
        grid[
            b, x.clamp(max=resolution - 1), y.clamp(max=resolution - 1), z.clamp(max=resolution - 1)
        ] = 1
    return grid


@voxelize.mistake(
    """A coordinate just below −1 comes back at the other side: a negative index counts from the
    end. Where does the task put what is outside?"""
)
def negative_indices(clouds, resolution):
    grid = clouds.new_zeros(len(clouds), *[resolution] * 3)
    x, y, z = _cells(clouds, resolution).clamp(max=resolution - 1).unbind(-1)
    grid[torch.arange(len(clouds))[:, None], x, y, z] = 1
    return grid


@voxelize.mistake(
    """You round to the nearest whole number: half a cell too far. Which cell does a point just
    below a border belong to?"""
)
def rounded(clouds, resolution):
    cell = ((clouds + 1) / 2 * resolution).round().long()
    return _marked(clouds, cell, resolution)


@voxelize.mistake(
    """You spread the points over `resolution` − 1 steps, as if they lay on the corners of a grid:
    the last cell holds nothing but 1 itself. How wide is one of R cells between −1 and 1?"""
)
def one_cell_too_few(clouds, resolution):
    cell = ((clouds + 1) / 2 * (resolution - 1)).floor().long()
    return _marked(clouds, cell, resolution)


@voxelize.mistake(
    """The axes are in the reverse order, z first, as pictures have rows before columns. Which order
    does the task give?"""
)
def axes_reversed(clouds, resolution):
    return _marked(clouds, _cells(clouds, resolution).flip(-1), resolution)


@voxelize.mistake("""You count the points of each cell. The task asks whether there is one.""")
def counted(clouds, resolution):
    grid = clouds.new_zeros(len(clouds), *[resolution] * 3)
    x, y, z = _cells(clouds, resolution).clamp(0, resolution - 1).unbind(-1)
    cloud = torch.arange(len(clouds))[:, None].expand_as(x)
    return grid.index_put((cloud, x, y, z), clouds.new_ones(()), accumulate=True)


@voxelize.mistake(
    """Coordinates are taken as running from 0 to 1: all that lies below 0 ends in the first cells.
    Where does the cube begin?"""
)
def from_zero_to_one(clouds, resolution):
    return _marked(clouds, (clouds * resolution).floor().long(), resolution)


@voxelize.mistake(
    """Your cells are half as wide as they should be: the cube is 2 wide, from −1 to 1, and
    `resolution` of them fill it."""
)
def cube_of_width_one(clouds, resolution):
    return _marked(clouds, ((clouds + 1) * resolution).floor().long(), resolution)


@voxelize.mistake(
    """All clouds of the batch are in each of your grids. Which index says to which cloud a point
    belongs?"""
)
def all_clouds_in_each_grid(clouds, resolution):
    grid = clouds.new_zeros(len(clouds), *[resolution] * 3)
    x, y, z = _cells(clouds, resolution).clamp(0, resolution - 1).unbind(-1)
    grid[:, x, y, z] = 1
    return grid


@voxelize.mistake(
    """Your cloud fills the grid whatever its size: you scale by its own smallest and largest
    coordinates. The task's cube is the same for every cloud, so that clouds can be compared."""
)
def scaled_to_itself(clouds, resolution):
    low, high = clouds.min(), clouds.max()
    cell = ((clouds - low) / (high - low).clamp_min(1e-9) * resolution).floor().long()
    return _marked(clouds, cell, resolution)


@voxelize.mistake(
    """An index of three numbers in one array marks three slices of the grid instead of one cell.
    Each axis wants an index of its own: what takes (N, 3) apart?"""
)
def slices_for_cells(clouds, resolution):
    grid = clouds.new_zeros(len(clouds), *[resolution] * 3)
    for b, cell in enumerate(_cells(clouds, resolution).clamp(0, resolution - 1)):
        grid[b][cell] = 1
    return grid


@voxelize.mistake(
    """A point on the border of two cells goes to the lower one in yours. Which border does a cell
    hold?"""
)
def upper_border_held(clouds, resolution):
    return _marked(clouds, ((clouds + 1) / 2 * resolution).ceil().long() - 1, resolution)


@voxelize.mistake(
    """What lies outside, or at 1 itself, is left out of your grid. Where does the task put it?"""
)
def border_and_outside_left_out(clouds, resolution):
    grid = clouds.new_zeros(len(clouds), *[resolution] * 3)
    for b, cell in enumerate(_cells(clouds, resolution)):
        x, y, z = cell[((cell >= 0) & (cell < resolution)).all(dim=-1)].unbind(-1)
        grid[b, x, y, z] = 1
    return grid


@voxelize.mistake(
    """What leaves the cube on one side comes back on the other: a remainder counts in circles.
    Where does the task put what is outside?"""
)
def round_the_other_side(clouds, resolution):
    return _marked(clouds, _cells(clouds, resolution) % resolution, resolution)


@voxelize.mistake(
    """Each cloud fills its grid: you scale every axis by the cloud's own smallest and largest
    coordinate. The task's cube is the same for every cloud, so that clouds can be compared."""
)
def each_axis_scaled_to_itself(clouds, resolution):
    low, high = clouds.amin(dim=1, keepdim=True), clouds.amax(dim=1, keepdim=True)
    cell = (clouds - low) / (high - low).clamp_min(1e-9) * resolution
    return _marked(clouds, cell.floor().long(), resolution)
