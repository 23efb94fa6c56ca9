"""Points in boxes."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import neighbourhoods


def clouds_and_cells(rng):
    for N, cells in [(3, 2), (1, 3), (5, 1), (40, 4), (25, 5), (9, 7)]:
        yield dict(points=rng.uniform(-1, 1, (N, 3)), cells=cells)
    yield dict(points=np.array([[-1.0, -1, -1], [1, 0.2, -0.4]]), cells=3)  # on both borders
    yield dict(points=np.array([[0.5, -0.5, 0.0]]), cells=4)  # on borders between cells
    yield dict(points=np.array([[-0.9, 0.3, 0.9], [-0.8, 0.4, 0.8]]), cells=2)  # in one cell
    yield dict(points=np.array([[0.0, -0.9, 1]]).astype(np.float32), cells=5)
    yield dict(points=np.array([[0.0, 0.0, 1.25]]), cells=4)
    yield dict(points=np.array([[0.3, -1.5, 0.0]]), cells=3)


voxelize = Exercise(
    neighbourhoods.voxelize,
    level=2,
    minutes=15,
    cases=clouds_and_cells,
    hints=(
        "Which number of cells lies to the left of a coordinate x? What is it at −1, at 0, and "
        "just below 1?",
        "(x + 1) / 2 runs from 0 to 1; times `cells`, rounded down, it counts cells. Only x = 1 "
        "falls out at the end.",
        "`cell = np.minimum(((points + 1) / 2 * cells).astype(int), cells - 1)`, an index for "
        "each point and axis; `grid[tuple(cell.T)] = True` marks all of them.",
    ),
)


def _inside(points):
    if np.abs(points).max() > 1:
        raise ValueError("outside")


def _marked(cell, cells, dtype=bool):
    grid = np.zeros((cells,) * 3, dtype)
    grid[tuple(np.clip(cell, 0, cells - 1).T)] = 1
    return grid


@voxelize.mistake(
    """A point at 1 falls out of the grid: (1 + 1) / 2 times the cells is one more than the last
    index. Where does the task put it?"""
)
def upper_border_falls_out(points, cells):
    _inside(points)
    cell = ((points + 1) / 2 * cells).astype(int)
    grid = np.zeros((cells,) * 3, bool)
    grid[tuple(cell.T)] = True
    return grid


@voxelize.mistake(
    """Points outside the cube are moved to its border without a word, and a cloud that was never
    scaled looks like a box. What does the task want instead?"""
)
def outside_is_clipped(points, cells):
    return _marked(((points + 1) / 2 * cells).astype(int), cells)


@voxelize.mistake(
    """You round to the nearest whole number: half a cell too far. Which cell does a point just
    below a border belong to?"""
)
def rounded(points, cells):
    _inside(points)
    return _marked(np.round((points + 1) / 2 * cells).astype(int), cells)


@voxelize.mistake(
    """You spread the cells over `cells` − 1 steps, as for points on the corners of a grid: the last
    cell holds nothing but 1 itself. How wide is one of R cells between −1 and 1?"""
)
def one_cell_too_few(points, cells):
    _inside(points)
    return _marked(((points + 1) / 2 * (cells - 1)).astype(int), cells)


@voxelize.mistake(
    """The axes are in the reverse order, z first, as pictures have rows before columns. Which order
    does the task give?"""
)
def axes_reversed(points, cells):
    return neighbourhoods.voxelize(points, cells).T.copy()


@voxelize.mistake("""You count the points of each cell. The task asks whether there is one.""")
def counted(points, cells):
    _inside(points)
    grid = np.zeros((cells,) * 3, int)
    cell = np.minimum(((points + 1) / 2 * cells).astype(int), cells - 1)
    np.add.at(grid, tuple(cell.T), 1)
    return grid


@voxelize.mistake(
    """Coordinates are taken as running from 0 to 1: all that lies below 0 ends in the first cells.
    Where does the cube begin?"""
)
def from_zero_to_one(points, cells):
    _inside(points)
    return _marked((points * cells).astype(int), cells)


@voxelize.mistake(
    """Your cells are half as wide as they should be: the cube is 2 wide, from −1 to 1, and `cells`
    of them fill it."""
)
def cube_of_width_one(points, cells):
    _inside(points)
    return _marked(((points + 1) * cells).astype(int), cells)


@voxelize.mistake(
    """Your cloud fills the grid whatever its size: you scale it by its own smallest and largest
    coordinates. The task's cube is the same for every cloud, so that clouds can be compared."""
)
def scaled_to_itself(points, cells):
    _inside(points)
    low, high = points.min(axis=0), points.max(axis=0)
    return _marked(((points - low) / np.maximum(high - low, 1e-9) * cells).astype(int), cells)
