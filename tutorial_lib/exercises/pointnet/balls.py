"""Ball query, for batches in PyTorch."""

import torch
import torch.nn.functional as F

from tutorial_lib.checking import Exercise


def ball_query(points, centers, radius, count):
    """For each center the first points that lie in a ball around it.

    points   (B, N, 3)
    centers  (B, M, 3)
    radius   a length; a point at exactly this distance is inside
    count    of neighbours, which may be more than N
    ->  int64 (B, M, count), places in `points`, ascending: the first `count` that lie inside; where
        there are fewer, the first of them stands in the places that are left, at the end

    Raises ValueError if nothing lies within reach of a center.
    """
    N = points.shape[1]
    apart = (centers[:, :, None] - points[:, None]).square().sum(dim=-1)  # (B, M, N)
    inside = apart <= radius**2
    if not inside.any(dim=-1).all():
        raise ValueError(f"a center has no point within {radius}")
    place = torch.arange(N, device=points.device).where(inside, N)  # N stands for none
    place = F.pad(place.sort(dim=-1).values, (0, count), value=N)[..., :count]
    return place.where(place < N, place[..., :1])


def clouds_and_balls(rng):
    for B, N, M, radius, count in [
        (1, 4, 2, 1.5, 3),
        (2, 6, 3, 1.6, 2),
        (2, 5, 5, 0.4, 3),
        (3, 3, 1, 1.4, 5),
        (1, 8, 3, 9.0, 4),
        (2, 1, 2, 3.0, 2),
    ]:
        points = torch.from_numpy(rng.normal(size=(B, N, 3)))
        at = torch.from_numpy(np_places(rng, B, N, M))
        centers = points.gather(1, at[..., None].expand(-1, -1, 3))
        yield dict(points=points, centers=centers, radius=radius, count=count)
    line = torch.tensor([[[3.0, 0, 0], [1, 0, 0], [0, 0, 0], [2, 0, 0], [0, 0, 0]]])
    yield dict(points=line, centers=line[:, 2:4], radius=2.0, count=4)  # on the border
    yield dict(points=line, centers=line[:, :1] + 0.25, radius=0.5, count=2)  # none of the cloud
    for far in ([[[9.0, 9, 9]]], [[[0.0, 0, 0], [9, 0, 0]]]):
        yield dict(points=line, centers=torch.tensor(far), radius=1.5, count=2)


def np_places(rng, B, N, M):
    """M places out of N for each of B clouds, each at most once where there are enough."""
    return rng.permuted(rng.permuted([list(range(N)) * M] * B, axis=1)[:, :M], axis=1)


ball_query = Exercise(
    ball_query,
    level=3,
    minutes=20,
    cases=clouds_and_balls,
    hints=(
        "One array of shape (B, M, N) says for every center and every point whether it is inside. "
        "How do you get the first few places of each row that are true, without a loop?",
        "Write each point's place where it is inside, and N, a place that does not exist, where "
        "it is not; sorted, the real places come first. What is left over as N takes the first.",
        "`torch.arange(N).where(inside, N)`, then `.sort(dim=-1).values`; `F.pad(..., (0, count), "
        "value=N)[..., :count]` makes each row long enough; `place.where(place < N, place[..., "
        ":1])`.",
    ),
)


def _inside(points, centers, radius):
    inside = (centers[:, :, None] - points[:, None]).square().sum(dim=-1) <= radius**2
    if not inside.any(dim=-1).all():
        raise ValueError("nothing within reach")
    return inside


def _places(inside, count):
    N = inside.shape[-1]
    place = torch.arange(N).where(inside, N)
    return F.pad(place.sort(dim=-1).values, (0, count), value=N)[..., :count]


def _padded(place, N):
    return place.where(place < N, place[..., :1])


@ball_query.mistake(
    """You take the nearest points, as a nearest-neighbour search does. The task takes the first in
    the cloud's order: any sample of the ball will do, and sorting by distance costs more."""
)
def nearest_points(points, centers, radius, count):
    inside = _inside(points, centers, radius)
    apart = (centers[:, :, None] - points[:, None]).square().sum(dim=-1)
    order = apart.where(inside, torch.inf).argsort(dim=-1, stable=True)
    order = order.where(inside.gather(-1, order), points.shape[1])
    order = F.pad(order, (0, count), value=points.shape[1])[..., :count]
    return _padded(order, points.shape[1])


@ball_query.mistake(
    """Where too few points are inside, yours fills up with points from outside the ball. What does
    the task put there?"""
)
def filled_from_outside(points, centers, radius, count):
    inside = _inside(points, centers, radius)
    N = points.shape[1]
    order = (~inside).int().argsort(dim=-1, stable=True)
    return _padded(F.pad(order, (0, count), value=N)[..., :count], N)


@ball_query.mistake(
    """Where too few points are inside, yours fills up with place 0, which may lie anywhere. What
    does the task put there?"""
)
def filled_with_place_0(points, centers, radius, count):
    place = _places(_inside(points, centers, radius), count)
    return place.where(place < points.shape[1], 0)


@ball_query.mistake(
    """Where too few points are inside, yours fills up with the last of them. Which one does the
    task repeat?"""
)
def filled_with_the_last(points, centers, radius, count):
    place = _places(_inside(points, centers, radius), count)
    N = points.shape[1]
    return place.where(place < N, place.where(place < N, -1).amax(dim=-1, keepdim=True))


@ball_query.mistake(
    """Where too few points are inside, the place N is left, which no cloud has: whatever is looked
    up with it fails, later and elsewhere. What does the task put there?"""
)
def place_n_is_left(points, centers, radius, count):
    return _places(_inside(points, centers, radius), count)


@ball_query.mistake(
    """A point at exactly the radius is not in your ball. What does the task say of it?"""
)
def border_left_out(points, centers, radius, count):
    inside = (centers[:, :, None] - points[:, None]).square().sum(dim=-1) < radius**2
    if not inside.any(dim=-1).all():
        raise ValueError("nothing within reach")
    return _padded(_places(inside, count), points.shape[1])


@ball_query.mistake(
    """You compare squared distances with the radius, which is not squared: your ball has the radius
    √r."""
)
def squared_against_plain(points, centers, radius, count):
    return ball_query.reference(points, centers, radius**0.5, count)


@ball_query.mistake(
    """Your ball is a cube: each coordinate by itself is within the radius. Which distance has the
    corner of the cube?"""
)
def a_cube(points, centers, radius, count):
    inside = ((centers[:, :, None] - points[:, None]).abs() <= radius).all(dim=-1)
    if not inside.any(dim=-1).all():
        raise ValueError("nothing within reach")
    return _padded(_places(inside, count), points.shape[1])


@ball_query.mistake(
    """Right where every center has a neighbour. One without gets places that do not exist, or one
    from anywhere, without a word. What does the task want instead?"""
)
def without_a_check(points, centers, radius, count):
    inside = (centers[:, :, None] - points[:, None]).square().sum(dim=-1) <= radius**2
    return _padded(_places(inside, count), points.shape[1])


@ball_query.mistake(
    """A center without a neighbour gets place 0, which may lie anywhere. What does the task want
    instead?"""
)
def place_0_for_none(points, centers, radius, count):
    found = without_a_check(points, centers, radius, count)
    return found.where(found < points.shape[1], 0)


@ball_query.mistake(
    """Right as long as `count` is not more than the cloud has points: then your rows are too short.
    How does a row become long enough?"""
)
def at_most_n(points, centers, radius, count):
    return ball_query.reference(points, centers, radius, count)[..., : points.shape[1]]


@ball_query.mistake("""You take the last points inside, not the first.""")
def last_inside(points, centers, radius, count):
    N = points.shape[1]
    inside = _inside(points, centers, radius)
    place = torch.arange(N).where(inside, -1).sort(dim=-1, descending=True).values
    place = place.where(place >= 0, N)[..., :count].sort(dim=-1).values
    return _padded(F.pad(place, (0, count), value=N)[..., :count], N)
