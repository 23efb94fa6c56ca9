"""From a few points back to many: interpolation, for batches in PyTorch."""

import torch

from tutorial_lib.checking import Exercise


def interpolate(queries, points, features):
    """Carry features from a few points to others: a mean of the three nearest, near ones more.

    queries   (B, M, 3), where features are wanted
    points    (B, N, 3), where they are known, N at least 3
    features  (B, N, D), which they are
    ->  (B, M, D), Σ w_i f_i / Σ w_i over the three nearest of `points`, with w_i = 1 / (d_i² + ε),
        d_i the distance and ε = 1e-8. So at a point of `points` the result is its own feature.

    A gradient flows to the features.
    """
    squared = (queries[:, :, None] - points[:, None]).square().sum(dim=-1)  # (B, M, N)
    squared, place = squared.topk(3, largest=False)  # (B, M, 3)
    weights = 1 / (squared + 1e-8)
    weights = weights / weights.sum(dim=-1, keepdim=True)
    cloud = torch.arange(len(points), device=points.device)[:, None, None]
    return (weights[..., None] * features[cloud, place]).sum(dim=2)  # over the three


def points_and_features(rng):
    for B, M, N, D in [(1, 2, 3, 2), (2, 3, 5, 4), (1, 1, 4, 1), (3, 4, 6, 3), (2, 5, 5, 5)]:
        tensors = [
            torch.from_numpy(rng.normal(size=(B, n, k))) for n, k in ((M, 3), (N, 3), (N, D))
        ]
        yield dict(queries=tensors[0], points=tensors[1], features=tensors[2].requires_grad_())
    points = torch.from_numpy(rng.normal(size=(2, 6, 3)))
    features = torch.from_numpy(rng.normal(size=(2, 6, 2))).requires_grad_()
    yield dict(queries=points[:, 2:4].clone(), points=points, features=features)  # at known points
    near = 1e-4 * torch.from_numpy(rng.normal(size=(1, 5, 3)))  # where ε can be seen
    features = torch.from_numpy(rng.normal(size=(1, 5, 2)))
    yield dict(queries=near[:, :2].flip(1) * 0.5, points=near, features=features.requires_grad_())


interpolate = Exercise(
    interpolate,
    level=3,
    minutes=20,
    cases=points_and_features,
    hints=(
        "For one place: which three points are the nearest, and how do three weights become "
        "shares that sum to one? Then for all places and clouds at once.",
        "`topk(3, largest=False)` gives the smallest numbers and where they stand. To look "
        "features up, each place needs the number of its cloud beside it.",
        "`features[cloud, place]` with cloud = torch.arange(B)[:, None, None] is (B, M, 3, D); "
        "multiply by `weights[..., None]`, which sum to one over the three, and add up over axis "
        "2.",
    ),
)


def _interpolated(
    queries, points, features, *, power=1, near=3, largest=False, eps=1e-8, flat=False
):
    """`interpolate` with a part changed; the weights are 1 / squared distance to the `power`."""
    squared = (queries[:, :, None] - points[:, None]).square().sum(dim=-1)
    squared, place = squared.topk(min(near, points.shape[1]), largest=largest)
    weights = torch.ones_like(squared) if flat else 1 / (squared**power + eps)
    weights = weights / weights.sum(dim=-1, keepdim=True)
    cloud = torch.arange(len(points))[:, None, None]
    return (weights[..., None] * features[cloud, place]).sum(dim=2)


@interpolate.mistake(
    """All points take part in your mean, the far ones a little. How many does the task ask for?"""
)
def all_points(queries, points, features):
    return _interpolated(queries, points, features, near=10**6)


@interpolate.mistake(
    """You copy the nearest point's feature. How many does the task ask for, and how much does each
    count?"""
)
def nearest_alone(queries, points, features):
    return _interpolated(queries, points, features, near=1)


@interpolate.mistake(
    """Your three points count alike, however far they are: at a known point its own feature is one
    of three."""
)
def plain_mean_of_three(queries, points, features):
    return _interpolated(queries, points, features, flat=True)


@interpolate.mistake(
    """You weigh by one over the distance. What is squared in the task's formula?"""
)
def not_squared(queries, points, features):
    return _interpolated(queries, points, features, power=0.5)


@interpolate.mistake(
    """The distance is squared twice: 1 / d⁴. Is what you measure squared already?"""
)
def squared_twice(queries, points, features):
    return _interpolated(queries, points, features, power=2)


@interpolate.mistake(
    """Far points count more than near ones in yours: the weight is the squared distance itself."""
)
def far_ones_more(queries, points, features):
    return _interpolated(queries, points, features, power=-1, eps=0)


@interpolate.mistake(
    """These are the three farthest points. Which way does `topk` look unless it is told?"""
)
def three_farthest(queries, points, features):
    return _interpolated(queries, points, features, largest=True)


@interpolate.mistake(
    """Your weights do not sum to one: near a known point the result explodes. What is the sum
    divided by?"""
)
def weights_not_divided(queries, points, features):
    squared = (queries[:, :, None] - points[:, None]).square().sum(dim=-1)
    total = (1 / (squared.topk(3, largest=False).values + 1e-8)).sum(dim=-1, keepdim=True)
    return _interpolated(queries, points, features) * total


@interpolate.mistake(
    """Your weights are divided by their sum over the clouds of the batch: with one cloud each is 1.
    Along which axis do the three lie?"""
)
def divided_over_the_batch(queries, points, features):
    squared = (queries[:, :, None] - points[:, None]).square().sum(dim=-1)
    squared, place = squared.topk(3, largest=False)
    weights = 1 / (squared + 1e-8)
    weights = weights / weights.sum(dim=0, keepdim=True)
    cloud = torch.arange(len(points))[:, None, None]
    return (weights[..., None] * features[cloud, place]).sum(dim=2)


@interpolate.mistake(
    """Without ε the weight at a known point is 1 / 0, and the result not a number. Where does the
    task put it?"""
)
def without_eps(queries, points, features):
    return _interpolated(queries, points, features, eps=0.0)


@interpolate.mistake(
    """All clouds take the features of the first. What must stand beside `place` when features are
    looked up?"""
)
def features_of_the_first_cloud(queries, points, features):
    return _interpolated(queries, points, features[:1].expand_as(features))


@interpolate.mistake(
    """Your weights are a softmax of the distances. They sum to one, but at a known point they do
    not give its own feature. Which weights stand in the task?"""
)
def softmax_of_distances(queries, points, features):
    squared = (queries[:, :, None] - points[:, None]).square().sum(dim=-1)
    squared, place = squared.topk(3, largest=False)
    cloud = torch.arange(len(points))[:, None, None]
    return ((-squared).softmax(dim=-1)[..., None] * features[cloud, place]).sum(dim=2)
