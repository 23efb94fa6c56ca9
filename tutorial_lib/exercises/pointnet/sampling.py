"""Farthest-point sampling, for batches in PyTorch."""

import torch

from tutorial_lib.checking import Exercise


def farthest_point_sampling(points, count):
    """Choose points that cover each cloud: each the farthest from all that were chosen before it.

    points  (B, N, 3)
    count   how many to choose, at most N
    ->  int64 (B, count), their places in the order in which they were chosen

    The first is point 0 of each cloud. Of points that are equally far the first is taken. "Far from
    all that were chosen" is the distance to the nearest of them.

    The loops compare every point with every chosen one again and again: N · count² distances. N ·
    count are enough.
    """
    B, N, _ = points.shape
    cloud = torch.arange(B, device=points.device)
    nearest = torch.full((B, N), torch.inf, dtype=points.dtype, device=points.device)
    chosen = torch.zeros(B, count, dtype=torch.int64, device=points.device)
    for i in range(1, count):
        newest = points[cloud, chosen[:, i - 1]]  # (B, 3)
        nearest = nearest.minimum((points - newest[:, None]).square().sum(dim=-1))
        chosen[:, i] = nearest.argmax(dim=1)
    return chosen


def clouds_to_sample(rng):
    for B, N, count in [(1, 3, 2), (2, 5, 3), (1, 4, 4), (3, 2, 1), (2, 7, 5), (3, 9, 6)]:
        yield dict(points=torch.from_numpy(rng.normal(size=(B, N, 3))), count=count)
    line = torch.tensor([[[0.0, 0, 0], [2, 0, 0], [-2, 0, 0], [1, 0, 0], [0, 1, 0]]])
    yield dict(points=line, count=4)  # ties
    yield dict(points=torch.tensor([[[1.0, 1, 1], [1, 1, 1], [1, 1, 2], [1, 1, 1]]]), count=3)
    far = torch.from_numpy(rng.normal(size=(1, 6, 3))) * 1e8
    yield dict(points=far, count=4)  # farther than the 1e10 that some begin with, squared


farthest_point_sampling = Exercise(
    farthest_point_sampling,
    level=3,
    minutes=20,
    cases=clouds_to_sample,
    hints=(
        "When a new point is chosen, whose distance to the nearest chosen point can have changed, "
        "and in which direction?",
        "Keep one number for every point: the distance to its nearest chosen point, infinite at "
        "first. Each new choice lowers some of them; the largest is the next choice.",
        "For i = 1, 2, …: the points chosen last are `points[torch.arange(B), chosen[:, i - 1]]`, "
        "(B, 3); `nearest = nearest.minimum(squared distances to them)`; `chosen[:, i] = "
        "nearest.argmax(dim=1)`.",
    ),
)


def _sampled(points, count, combine=torch.minimum, begin=torch.inf, pick=torch.argmax, first=None):
    """`farthest_point_sampling` with a part changed."""
    B, N, _ = points.shape
    nearest = torch.full((B, N), begin, dtype=points.dtype)
    chosen = [torch.zeros(B, dtype=torch.int64) if first is None else first(points)]
    while len(chosen) < count:
        newest = points[torch.arange(B), chosen[-1]]
        nearest = combine(nearest, (points - newest[:, None]).square().sum(dim=-1))
        chosen.append(pick(nearest, dim=1))
    return torch.stack(chosen, dim=1)


@farthest_point_sampling.mistake(
    """Each choice is the farthest from the last one alone, so yours jumps to and fro between two
    ends. How far is a point from all that were chosen?"""
)
def from_the_last_alone(points, count):
    return _sampled(points, count, combine=lambda old, new: new)


@farthest_point_sampling.mistake(
    """You keep the largest distance to a chosen point instead of the smallest. A point right beside
    a chosen one can be far from another: is that place covered?"""
)
def largest_distance(points, count):
    return _sampled(points, count, combine=torch.maximum, begin=0.0)


@farthest_point_sampling.mistake(
    """You add up the distances to the chosen points: a corner far from all is chosen, and a second
    one beside it. Which distance says whether a place is covered?"""
)
def sum_of_distances(points, count):
    return _sampled(points, count, combine=torch.add, begin=0.0)


@farthest_point_sampling.mistake(
    """You take the nearest point where the farthest is wanted: the choice stays where it began."""
)
def nearest_first(points, count):
    return _sampled(points, count, pick=torch.argmin)


@farthest_point_sampling.mistake(
    """Your first point is the one farthest from the middle. That is a good start too; which one
    does the task name?"""
)
def begins_at_the_border(points, count):
    def first(points):
        return (points - points.mean(dim=1, keepdim=True)).square().sum(dim=-1).argmax(dim=1)

    return _sampled(points, count, first=first)


@farthest_point_sampling.mistake(
    """The first cloud decides for all which points are chosen. Each cloud has its own farthest
    ones."""
)
def chosen_in_the_first_cloud(points, count):
    return _sampled(points[:1], count).expand(len(points), -1).clone()


@farthest_point_sampling.mistake(
    """Your distances begin at a large number, as in much public code. In a cloud that is larger
    still it is smaller than every distance, and nothing is ever lowered. Which number is never too
    small?"""
)
def begins_at_1e10(points, count):
    return _sampled(points, count, begin=1e10)


@farthest_point_sampling.mistake(
    """You measure along the axis on which two points differ most. The task speaks of distance: a
    straight line."""
)
def along_one_axis(points, count):
    B, N, _ = points.shape
    nearest = torch.full((B, N), torch.inf, dtype=points.dtype)
    chosen = [torch.zeros(B, dtype=torch.int64)]
    while len(chosen) < count:
        newest = points[torch.arange(B), chosen[-1]]
        nearest = nearest.minimum((points - newest[:, None]).abs().amax(dim=-1))
        chosen.append(nearest.argmax(dim=1))
    return torch.stack(chosen, dim=1)


@farthest_point_sampling.mistake(
    """These are the points farthest from point 0, in order. The second may lie right beside the
    third: what has changed once a point is chosen?"""
)
def farthest_from_the_first(points, count):
    apart = (points - points[:, :1]).square().sum(dim=-1)
    others = apart.argsort(dim=1, descending=True, stable=True)[:, : count - 1]
    return torch.cat([torch.zeros(len(points), 1, dtype=torch.int64), others], dim=1)


@farthest_point_sampling.mistake(
    """The points themselves. The task asks for their places: features are looked up with them."""
)
def gives_points(points, count):
    chosen = _sampled(points, count)
    return points.gather(1, chosen[..., None].expand(-1, -1, 3))
