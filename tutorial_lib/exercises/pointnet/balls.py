"""Ball query, for batches in PyTorch."""

import torch
import torch.nn.functional as F

from tutorial_lib.checking import Exercise


def ball_query(queries, points, radius, count):
    """For each query the nearest points that lie in a ball around it.

    queries  (B, M, 3), the middles of the balls
    points   (B, N, 3)
    radius   a length; a point at exactly this distance is inside
    count    of neighbours, which may be more than N
    ->  int64 (B, M, count), places in `points`, the nearest first. Where fewer than `count` lie
        inside, the nearest stands in the places that are left; so it does where none is inside.

    Of points that are equally near any may come first.
    """
    apart = (queries[:, :, None] - points[:, None]).square().sum(dim=-1)  # (B, M, N)
    some = min(count, points.shape[1])
    apart, place = apart.topk(some, dim=-1, largest=False)  # (B, M, some), nearest first
    nearest = place[..., :1]
    place = place.where(apart <= radius**2, nearest)
    return torch.cat([place, nearest.expand(-1, -1, count - some)], dim=-1)


def clouds_and_balls(rng):
    for B, M, N, radius, count in [
        (1, 2, 4, 1.5, 3),
        (2, 3, 6, 1.6, 2),
        (2, 5, 5, 0.9, 3),
        (3, 1, 3, 1.4, 5),
        (1, 3, 8, 9.0, 4),
        (2, 2, 1, 3.0, 2),
    ]:
        queries, points = (torch.from_numpy(rng.normal(size=(B, n, 3))) for n in (M, N))
        yield dict(queries=queries, points=points, radius=radius, count=count)
    line = torch.tensor([[[3.5, 0, 0], [1, 0, 0], [0, 0, 0], [2.25, 0, 0], [-4, 0, 0]]])
    yield dict(queries=line[:, 1:3], points=line, radius=2.5, count=4)  # on the border
    yield dict(queries=line[:, :2], points=line, radius=0.25, count=3)  # each is alone
    yield dict(queries=line[:, 4:] - 2, points=line, radius=0.5, count=2)  # nobody within reach
    yield dict(queries=line[:, :1], points=line[:, :3], radius=9.0, count=5)  # more than there are


ball_query = Exercise(
    ball_query,
    level=3,
    minutes=20,
    cases=clouds_and_balls,
    hints=(
        "For one query: sort the points by distance, keep the first few, and write the nearest "
        "one's place over those that are too far. Then for all at once.",
        "`topk(k, largest=False)` gives the smallest numbers and where they stand, along the last "
        "axis, which can hold fewer than `count`. `a.where(condition, b)` keeps a where the "
        "condition holds.",
        "Squared distances (B, M, N); `apart, place = apart.topk(min(count, N), dim=-1, "
        "largest=False)`; `place.where(apart <= radius**2, place[..., :1])`; `torch.cat` with the "
        "nearest, expanded, for what is missing up to `count`.",
    ),
)


def _apart(queries, points):
    return (queries[:, :, None] - points[:, None]).square().sum(dim=-1)


def _nearest(queries, points, radius, count, apart=_apart, limit=lambda r: r**2):
    """Squared distances and places as `topk` gives them, padded to `count` by what is never inside;
    then which of them lie inside."""
    squared, place = apart(queries, points).topk(min(count, points.shape[1]), largest=False)
    more = count - squared.shape[-1]
    squared = F.pad(squared, (0, more), value=torch.inf)
    return F.pad(place, (0, more), value=points.shape[1]), squared <= limit(radius)


@ball_query.mistake(
    """Where too few points are inside, yours fills up with points from outside the ball: these are
    the nearest, whatever the radius. What does the task put there?"""
)
def radius_not_used(queries, points, radius, count):
    place, _ = _nearest(queries, points, radius, count)
    return place.where(place < points.shape[1], place[..., :1])


@ball_query.mistake(
    """You keep the first points inside in the order of the cloud, as the authors' code does: the
    result then hangs on that order. Which ones does the task want?"""
)
def first_in_the_clouds_order(queries, points, radius, count):
    N = points.shape[1]
    apart = _apart(queries, points)
    place = torch.arange(N).where(apart <= radius**2, N).sort(dim=-1).values
    place = F.pad(place, (0, count), value=N)[..., :count]
    first = place[..., :1].where(place[..., :1] < N, apart.argmin(dim=-1, keepdim=True))
    return place.where(place < N, first)


@ball_query.mistake(
    """Where too few points are inside, yours fills up with place 0, which may lie anywhere. What
    does the task put there?"""
)
def filled_with_place_0(queries, points, radius, count):
    place, inside = _nearest(queries, points, radius, count)
    inside[..., 0] = True
    return place.where(inside, 0)


@ball_query.mistake(
    """Where too few points are inside, yours fills up with the last of them, the farthest. Which
    one does the task repeat?"""
)
def filled_with_the_last(queries, points, radius, count):
    place, inside = _nearest(queries, points, radius, count)
    inside[..., 0] = True
    last = inside.sum(dim=-1, keepdim=True) - 1
    return place.where(inside, place.gather(-1, last))


@ball_query.mistake(
    """Where too few points are inside, the place N is left, which no cloud has: whatever is looked
    up with it fails, later and elsewhere. What does the task put there?"""
)
def place_n_is_left(queries, points, radius, count):
    place, inside = _nearest(queries, points, radius, count)
    inside[..., 0] = True
    return place.where(inside, points.shape[1])


@ball_query.mistake(
    """A point at exactly the radius is not in your ball. What does the task say of it?"""
)
def border_left_out(queries, points, radius, count):
    squared, place = _apart(queries, points).topk(min(count, points.shape[1]), largest=False)
    place = place.where(squared < radius**2, place[..., :1])
    return torch.cat([place, place[..., :1].expand(-1, -1, count - place.shape[-1])], dim=-1)


@ball_query.mistake(
    """You compare squared distances with the radius, which is not squared: your ball has the radius
    √r."""
)
def squared_against_plain(queries, points, radius, count):
    place, inside = _nearest(queries, points, radius, count, limit=lambda r: r)
    return place.where(inside, place[..., :1])


@ball_query.mistake(
    """You compare distances with the squared radius: your ball has the radius r²."""
)
def plain_against_squared(queries, points, radius, count):
    place, inside = _nearest(queries, points, radius, count, limit=lambda r: r**4)
    return place.where(inside, place[..., :1])


@ball_query.mistake(
    """Your ball is a cube: each coordinate by itself is within the radius. Which distance has the
    corner of the cube?"""
)
def a_cube(queries, points, radius, count):
    def apart(queries, points):
        return (queries[:, :, None] - points[:, None]).square().amax(dim=-1)

    place, inside = _nearest(queries, points, radius, count, apart)
    return place.where(inside, place[..., :1])


@ball_query.mistake("""A query without a neighbour gets an error. What does the task put there?""")
def refuses_an_empty_ball(queries, points, radius, count):
    place, inside = _nearest(queries, points, radius, count)
    if not inside[..., 0].all():
        raise ValueError("nothing within reach")
    return place.where(inside, place[..., :1])


@ball_query.mistake(
    """Right as long as `count` is not more than the cloud has points: then your rows are too short.
    How does a row become long enough?"""
)
def at_most_n(queries, points, radius, count):
    return ball_query.reference(queries, points, radius, min(count, points.shape[1]))


@ball_query.mistake(
    """These are the farthest points inside. Which way does `topk` look unless it is told?"""
)
def farthest_inside(queries, points, radius, count):
    apart = _apart(queries, points)
    nearest = apart.argmin(dim=-1, keepdim=True)
    within = apart.where(apart <= radius**2, -1)
    squared, place = within.topk(min(count, points.shape[1]))
    place = place.where(squared >= 0, nearest)
    return torch.cat([place, nearest.expand(-1, -1, count - place.shape[-1])], dim=-1)


@ball_query.mistake(
    """Rows and columns are exchanged: for every point you look for queries. Of which do you want
    the places?"""
)
def for_every_point(queries, points, radius, count):
    return ball_query.reference(points, queries, radius, count)


@ball_query.mistake(
    """Right as long as `count` is not more than the cloud has points: of fewer, `topk` cannot give
    so many. How many can you ask it for, and what fills the row?"""
)
def topk_of_too_few(queries, points, radius, count):
    squared, place = _apart(queries, points).topk(count, largest=False)
    return place.where(squared <= radius**2, place[..., :1])


@ball_query.mistake(
    """Right as long as `count` is not more than the cloud has points: then your rows are filled up
    with the last point that `topk` gave, the farthest. Which one does the task repeat?"""
)
def filled_up_with_the_last_of_topk(queries, points, radius, count):
    place = ball_query.reference(queries, points, radius, min(count, points.shape[1]))
    return torch.cat([place, place[..., -1:].expand(-1, -1, count - place.shape[-1])], dim=-1)


@ball_query.mistake(
    """You begin with the farthest points: most lie outside. Which way does `topk` look unless it is
    told?"""
)
def topk_largest(queries, points, radius, count):
    apart, place = _apart(queries, points).topk(min(count, points.shape[1]), largest=True)
    place = place.where(apart <= radius**2, place[..., :1])
    return torch.cat([place, place[..., :1].expand(-1, -1, count - place.shape[-1])], dim=-1)


@ball_query.mistake(
    """Your distances are (B, N, M): from points to queries, so each row belongs to a point. Which
    one stands first in `torch.cdist(a, b)`?"""
)
def distances_the_wrong_way_round(queries, points, radius, count):
    apart, place = _apart(points, queries).topk(min(count, points.shape[1]), largest=False)
    place = place.where(apart <= radius**2, place[..., :1])
    return torch.cat([place, place[..., :1].expand(-1, -1, count - place.shape[-1])], dim=-1)


@ball_query.mistake(
    """Where too few points are inside, yours fills up with −1. As an index that is the last point,
    wherever it lies. What does the task put there?"""
)
def filled_with_minus_1(queries, points, radius, count):
    place, inside = _nearest(queries, points, radius, count)
    inside[..., 0] = True
    return place.where(inside, -1)


@ball_query.mistake(
    """Where too few points are inside, or none, yours fills up with −1. As an index that is the
    last point, wherever it lies. What does the task put there?"""
)
def minus_1_in_an_empty_ball(queries, points, radius, count):
    place, inside = _nearest(queries, points, radius, count)
    return place.where(inside, -1)


@ball_query.mistake(
    """All clouds are searched in the first one. To which cloud does a query belong?"""
)
def in_the_first_cloud(queries, points, radius, count):
    return ball_query.reference(queries, points[:1].expand_as(points), radius, count)
