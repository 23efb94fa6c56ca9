"""Farthest-point sampling, for batches in PyTorch."""

import torch

from tutorial_lib.checking import Exercise
from tutorial_lib.checking.running import OutOfTime, within


def farthest_points(points, count):
    """Choose points that cover each cloud: each the farthest from all that were chosen before it.

    points  (B, N, 3)
    count   how many to choose
    ->  int64 (B, count), their places in the order in which they were chosen

    The first is the point farthest from the mean of its cloud. "Far from all that were chosen" is
    the distance to the nearest of them; of points that are equally far the first is taken.

    The loops compare every point with every chosen one again and again: N · count² distances. Here
    N · count must be enough. Raises ValueError for more points than a cloud has.
    """
    B, N, _ = points.shape
    if count > N:
        raise ValueError(f"{count} points of {N} cannot be chosen")
    cloud = torch.arange(B, device=points.device)
    newest = (points - points.mean(dim=1, keepdim=True)).square().sum(dim=-1).argmax(dim=1)  # (B,)
    gap = torch.full((B, N), torch.inf, dtype=points.dtype, device=points.device)
    chosen = []
    for _ in range(count):
        chosen.append(newest)
        from_newest = (points - points[cloud, newest][:, None]).square().sum(dim=-1)  # (B, N)
        gap = gap.minimum(from_newest)
        newest = gap.argmax(dim=1)
    return torch.stack(chosen, dim=1)


def clouds_to_sample(rng):
    for B, N, count in [(1, 3, 2), (2, 5, 3), (1, 4, 4), (3, 2, 1), (2, 7, 5), (3, 9, 6)]:
        yield dict(points=torch.from_numpy(rng.normal(size=(B, N, 3))), count=count)
    line = torch.tensor([[[0.0, 0, 0], [2, 0, 0], [-2, 0, 0], [1, 0, 0], [0, 1, 0]]])
    yield dict(points=line, count=4)  # ties
    yield dict(points=torch.tensor([[[1.0, 1, 1], [1, 1, 1], [1, 1, 2], [1, 1, 1]]]), count=3)
    far = torch.from_numpy(rng.normal(size=(1, 6, 3))) * 1e8
    yield dict(points=far, count=4)  # farther than the 1e10 that some begin with, squared
    yield dict(points=far, count=7)


class _InTime(Exercise):
    """N · count distances one by one take a tenth of the time given here, N · count² far more."""

    def beside_the_tries(self, answer):
        points = torch.randn(1, 400, 3, generator=torch.Generator().manual_seed(0))
        try:
            within(2, answer, points, 80)
        except OutOfTime:
            return (
                "right but slow: 80 of 400 points take more than two seconds. Is every point "
                "compared with all chosen ones again, each time that one is chosen?"
            )
        return ""


farthest_points = _InTime(
    farthest_points,
    level=3,
    minutes=20,
    cases=clouds_to_sample,
    hints=(
        "When a new point is chosen, whose distance to the nearest chosen point can have changed, "
        "and in which direction?",
        "Keep one number for every point: the distance to its nearest chosen point, infinite at "
        "first. Each new choice lowers some of them; the largest is the next choice.",
        "In a loop over `count`: `points[torch.arange(B), newest]` are the points chosen last, "
        "(B, 3); `gap = gap.minimum(squared distances to them)`; `newest = gap.argmax(dim=1)`. "
        "Collect every `newest`, `torch.stack` them along axis 1.",
    ),
)


def _to_the_mean(points):
    return (points - points.mean(dim=1, keepdim=True)).square().sum(dim=-1)


def _sampled(points, count, combine=torch.minimum, begin=torch.inf, pick=torch.argmax, first=None):
    """`farthest_points` with a part changed."""
    B, N, _ = points.shape
    if count > N:
        raise ValueError("too many")
    newest = _to_the_mean(points).argmax(dim=1) if first is None else first(points)
    gap, chosen = torch.full((B, N), begin, dtype=points.dtype), [newest]
    while len(chosen) < count:
        newest = points[torch.arange(B), chosen[-1]]
        gap = combine(gap, (points - newest[:, None]).square().sum(dim=-1))
        chosen.append(pick(gap, dim=1))
    return torch.stack(chosen, dim=1)


@farthest_points.mistake(
    """Each choice is the farthest from the last one alone, so yours jumps back and forth between
    two ends. How far is a point from all that were chosen?"""
)
def from_the_last_alone(points, count):
    return _sampled(points, count, combine=lambda old, new: new)


@farthest_points.mistake(
    """You keep the largest distance to a chosen point instead of the smallest. A point right beside
    a chosen one can be far from another: is that place covered?"""
)
def largest_distance(points, count):
    return _sampled(points, count, combine=torch.maximum, begin=0.0)


@farthest_points.mistake(
    """You add up the squared distances to the chosen points: a corner far from all is chosen, and a
    second one beside it. Which distance says whether a place is covered?"""
)
def sum_of_squares(points, count):
    return _sampled(points, count, combine=torch.add, begin=0.0)


@farthest_points.mistake(
    """You add up the distances to the chosen points: a corner far from all is chosen, and a second
    one beside it. Which distance says whether a place is covered?"""
)
def sum_of_distances(points, count):
    return _sampled(points, count, combine=lambda old, new: old + new.sqrt(), begin=0.0)


@farthest_points.mistake(
    """You take the nearest point where the farthest is wanted: the choice stays where it began."""
)
def nearest_first(points, count):
    return _sampled(points, count, pick=torch.argmin)


@farthest_points.mistake(
    """Your first point is point 0, as in much public code: the choice then hangs on the order of
    the cloud. Which one does the task name?"""
)
def begins_with_point_0(points, count):
    return _sampled(points, count, first=lambda x: torch.zeros(len(x), dtype=torch.int64))


@farthest_points.mistake(
    """Your first point is the one farthest from the origin. The task measures from the cloud's own
    mean, so that moving a cloud changes nothing."""
)
def begins_far_from_the_origin(points, count):
    return _sampled(points, count, first=lambda x: x.square().sum(dim=-1).argmax(dim=1))


@farthest_points.mistake(
    """Your first point is the one nearest to the mean. Which one does the task name?"""
)
def begins_in_the_middle(points, count):
    return _sampled(points, count, first=lambda x: _to_the_mean(x).argmin(dim=1))


@farthest_points.mistake(
    """Right until more points are asked for than there are: then some are chosen twice, without a
    word. What does the task want instead?"""
)
def some_chosen_twice(points, count):
    more = torch.cat([points] * (1 + count // points.shape[1]), dim=1)
    return _sampled(more, count) % points.shape[1]


@farthest_points.mistake(
    """The first cloud decides for all which points are chosen. Each cloud has its own farthest
    ones."""
)
def chosen_in_the_first_cloud(points, count):
    return _sampled(points[:1], count).expand(len(points), -1).clone()


@farthest_points.mistake(
    """Your distances begin at a large number, as in much public code. In a cloud that is larger
    still it is smaller than every distance, and nothing is ever lowered. Which number is never too
    small?"""
)
def begins_at_1e10(points, count):
    return _sampled(points, count, begin=1e10)


@farthest_points.mistake(
    """You measure along the axis on which two points differ most. The task speaks of distance: a
    straight line."""
)
def along_one_axis(points, count):
    B, N, _ = points.shape
    if count > N:
        raise ValueError("too many")
    gap = torch.full((B, N), torch.inf, dtype=points.dtype)
    chosen = [_to_the_mean(points).argmax(dim=1)]
    while len(chosen) < count:
        newest = points[torch.arange(B), chosen[-1]]
        gap = gap.minimum((points - newest[:, None]).abs().amax(dim=-1))
        chosen.append(gap.argmax(dim=1))
    return torch.stack(chosen, dim=1)


@farthest_points.mistake(
    """These are the points farthest from the mean, in order. The second may lie right beside the
    first: what has changed once a point is chosen?"""
)
def farthest_from_the_mean(points, count):
    if count > points.shape[1]:
        raise ValueError("too many")
    return _to_the_mean(points).argsort(dim=1, descending=True, stable=True)[:, :count]


@farthest_points.mistake(
    """The points themselves. The task asks for their places: features are looked up with them."""
)
def gives_points(points, count):
    chosen = _sampled(points, count)
    return points.gather(1, chosen[..., None].expand(-1, -1, 3))


@farthest_points.mistake(
    """You measure the first point from the mean of all clouds of the batch. What a cloud gives then
    hangs on what else is in the batch: which mean does the task name?"""
)
def from_the_mean_of_the_batch(points, count):
    def first(x):
        return (x - x.mean(dim=(0, 1))).square().sum(dim=-1).argmax(dim=1)

    return _sampled(points, count, first=first)


@farthest_points.mistake(
    """The right points, sorted by their places. Which order does the task ask for?"""
)
def sorted_places(points, count):
    return _sampled(points, count).sort(dim=1).values
