"""What PointNet++ does with a set of points, and voxels, in loops: the definitions.

Taught in chapter 19. Qi et al., PointNet++ (NeurIPS 2017, 1706.02413), section 3. Here is one cloud
at a time, slow and plain; `layers/point_sets.py` does it for batches and is tested against this.

    points   (N, 3)     coordinates of a cloud
    centers  (M, 3)     coordinates around which neighbours are looked for
"""

import numpy as np


def distance(a, b):
    """Between two points (3,), a number."""
    return float(np.sqrt(((a - b) ** 2).sum()))


def farthest_point_sampling(points, count):
    """Choose points that cover a cloud: each the farthest from those chosen before it.

    points (N, 3), count at most N  ->  a list of `count` places; the first is 0, and of points that
    are equally far the first is taken
    """
    chosen = [0]
    while len(chosen) < count:
        to_chosen = [min(distance(p, points[c]) for c in chosen) for p in points]
        chosen.append(int(np.argmax(to_chosen)))
    return chosen


def ball_query(points, centers, radius, count):
    """The first points that lie in a ball around each center.

    points (N, 3), centers (M, 3), radius a length, count of neighbours
    ->  a list of M lists of `count` places: those of the first points, in the cloud's order, that
        lie at most `radius` away. If there are fewer, the first of them is repeated.

    Raises ValueError if there is none.
    """
    found = []
    for center in centers:
        inside = [i for i, p in enumerate(points) if distance(p, center) <= radius]
        if not inside:
            raise ValueError(f"no point lies within {radius} of {center}")
        inside = inside[:count]
        found.append(inside + inside[:1] * (count - len(inside)))
    return found


def interpolate(at, points, features):
    """Carry features from few points to others: the mean of the three nearest, near ones more.

    at (M, 3), points (N, 3), N at least 3, features (N, D)
    ->  (M, D): Σ w_i f_i / Σ w_i over the three nearest points, w_i = 1 / distance_i². At a point
        of the cloud itself its own feature.
    """
    found = []
    for place in at:
        distances = np.array([distance(place, p) for p in points])
        nearest = np.argsort(distances, kind="stable")[:3]
        if distances[nearest[0]] == 0:
            found.append(features[nearest[0]])
            continue
        weights = 1 / distances[nearest] ** 2
        found.append((weights[:, None] * features[nearest]).sum(0) / weights.sum())
    return np.array(found)


def voxelize(points, cells):
    """Which cells of a grid hold a point: the cube from −1 to 1 is cut `cells` times along each
    axis.

    points  (N, 3)  coordinates from −1 to 1
    cells   R       how many cells a side has
    ->  bool (R, R, R), the axes of the grid in the order of the coordinates

    A cell holds its lower border and not its upper one; the last cell of an axis holds 1 as well.
    Raises ValueError for a point outside the cube.
    """
    if np.abs(points).max() > 1:
        raise ValueError(f"a coordinate of {np.abs(points).max():.3g}, expected −1 to 1")
    cell = np.minimum(((points + 1) / 2 * cells).astype(int), cells - 1)
    grid = np.zeros((cells, cells, cells), bool)
    grid[tuple(cell.T)] = True
    return grid


def voxel_centers(grid):
    """The middle of each occupied cell of a grid (R, R, R): coordinates (M, 3) from −1 to 1."""
    return (np.argwhere(grid) + 0.5) * 2 / len(grid) - 1
