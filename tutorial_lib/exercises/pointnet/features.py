"""The shared MLP, the maximum over the points, and which points it was taken from; in NumPy."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import point_sets as np_points


def clouds_and_layers(rng):
    for B, N, sizes in [
        (1, 2, (3, 2)),
        (2, 1, (3, 4)),
        (2, 3, (3, 4, 5)),
        (3, 4, (2, 5, 4)),  # as many points as features
        (2, 2, (3, 3, 2)),  # as many points as clouds, and as features
        (1, 5, (3, 6, 2, 4)),
    ]:
        layers = [(rng.normal(size=(a, b)), rng.normal(size=b)) for a, b in zip(sizes, sizes[1:])]
        yield dict(X=rng.normal(size=(B, N, sizes[0])), layers=layers)
    single = rng.normal(size=(2, 3, 3)), rng.normal(size=(3, 4)), rng.normal(size=4)
    X, W, b = (x.astype(np.float32) for x in single)
    yield dict(X=X, layers=[(W, b)])


global_feature = Exercise(
    np_points.global_feature,
    level=1,
    minutes=10,
    cases=clouds_and_layers,
    hints=(
        "What is done to one point? That, to every point at once; the points do not meet until "
        "the end.",
        "`@` multiplies the last axis of (B, N, C) with the first of (C, D), for every point of "
        "every cloud. Each layer reads what the layer before it gave.",
        "`H = H @ W + b` for each layer, beginning with X, and `np.maximum(H, 0)` before every "
        "layer but the first; then the maximum over axis 1, which holds the points.",
    ),
)


def _features(X, layers, first=False, between=True, last=False):
    """H with a ReLU in front of the first layer, between layers, behind the last."""
    for number, (W, b) in enumerate(layers):
        X = np.maximum(X, 0) if (between if number else first) else X
        X = X @ W + b
    return np.maximum(X, 0) if last else X


def _pooled(H, G):
    return {"H": H, "G": G}


@global_feature.mistake(
    """G takes the maximum over the features of each point, which leaves one number a point. Which
    axis holds the points?"""
)
def over_the_features(X, layers):
    H = _features(X, layers)
    return _pooled(H, H.max(axis=-1))


@global_feature.mistake(
    """G takes the maximum over the clouds: it mixes models of the batch that have nothing to do
    with each other. Which axis holds the points of one cloud?"""
)
def over_the_batch(X, layers):
    H = _features(X, layers)
    return _pooled(H, H.max(axis=0))


@global_feature.mistake(
    """G has one row for the whole batch: the maximum runs over the clouds as well. What belongs to
    the global feature of cloud b?"""
)
def over_points_and_clouds(X, layers):
    H = _features(X, layers)
    return _pooled(H, H.max(axis=(0, 1)))


@global_feature.mistake(
    """G is the mean over the points. That is symmetric too, but a single wing tip among a thousand
    points hardly moves it. Which symmetric function does PointNet take?"""
)
def mean_over_the_points(X, layers):
    H = _features(X, layers)
    return _pooled(H, H.mean(axis=1))


@global_feature.mistake(
    """G is the sum over the points: it grows with their number. Which symmetric function does
    PointNet take?"""
)
def sum_over_the_points(X, layers):
    H = _features(X, layers)
    return _pooled(H, H.sum(axis=1))


@global_feature.mistake(
    """G has the points' axis still in it, with size 1. What shape does the task give it?"""
)
def points_axis_kept(X, layers):
    H = _features(X, layers)
    return _pooled(H, H.max(axis=1, keepdims=True))


@global_feature.mistake(
    """Your G is h of the largest coordinates, which belong to no point in particular: the corner of
    a box. In which order does the schematic do the two?"""
)
def maximum_before_the_mlp(X, layers):
    return _pooled(_features(X, layers), _features(X.max(axis=1), layers))


@global_feature.mistake(
    """No ReLU: without a bend between them the layers together are one linear map."""
)
def without_relu(X, layers):
    H = _features(X, layers, between=False)
    return _pooled(H, H.max(axis=1))


@global_feature.mistake(
    """There is a ReLU behind the last layer: your H has zeros where numbers below zero were.
    Between which layers does the task want one?"""
)
def relu_at_the_end(X, layers):
    H = _features(X, layers, last=True)
    return _pooled(H, H.max(axis=1))


@global_feature.mistake(
    """The biases are missing: a point at the origin would have no feature whatever the weights."""
)
def without_biases(X, layers):
    H = _features(X, [(W, 0) for W, _ in layers])
    return _pooled(H, H.max(axis=1))


@global_feature.mistake(
    """The last layer's bias is missing. Every layer has one: did you treat the last apart?"""
)
def last_bias_missing(X, layers):
    H = _features(X, [*layers[:-1], (layers[-1][0], 0)])
    return _pooled(H, H.max(axis=1))


@global_feature.mistake(
    """A ReLU stands in front of the first layer too, so coordinates below zero are lost before
    anything has looked at them."""
)
def relu_in_front(X, layers):
    H = _features(X, layers, first=True)
    return _pooled(H, H.max(axis=1))


@global_feature.mistake(
    """A ReLU in front of the first layer and none between layers: you bend what comes in.
    Coordinates below zero are lost, and the layers together are one linear map."""
)
def relu_of_the_points_alone(X, layers):
    H = _features(X, layers, first=True, between=False)
    return _pooled(H, H.max(axis=1))


@global_feature.mistake(
    """Every cloud has the same G: the maximum runs over the clouds as well. What belongs to the
    global feature of cloud b?"""
)
def one_for_the_whole_batch(X, layers):
    H = _features(X, layers)
    return _pooled(H, np.repeat(H.max(axis=(0, 1))[None], len(H), axis=0))


@global_feature.mistake(
    """G is the maximum of the absolute values. Which of −5 and 2 is the larger number?"""
)
def of_absolute_values(X, layers):
    H = _features(X, layers)
    return _pooled(H, np.abs(H).max(axis=1))


def features_of_points(rng):
    for N, D in [(3, 2), (1, 4), (2, 2), (5, 3), (4, 9), (6, 6), (7, 1)]:
        yield dict(H=rng.normal(size=(N, D)))
    yield dict(H=np.array([[0.0, 2, 1], [3, 2, 1], [3, 0, 1], [1, 2, 0]]))  # ties
    yield dict(H=np.maximum(rng.normal(size=(5, 6)) - 1, 0))  # behind a ReLU: many ties
    yield dict(H=np.array([[-1.0, -5], [-3, -2], [-3, -7]]))
    H = np.zeros((4, 3))
    H[2] = -1, -2, -3
    yield dict(H=H)


critical_points = Exercise(
    np_points.critical_points,
    level=2,
    minutes=10,
    cases=features_of_points,
    hints=(
        "For one feature: which point has the largest number? Do that for every feature.",
        "`argmax` gives places where `max` gives numbers, and of equal ones the first. Along "
        "which axis do the points lie?",
        "`H.argmax(axis=0)` has D places, some of them several times; `np.unique` sorts them and "
        "keeps each once.",
    ),
)


@critical_points.mistake(
    """You look for the strongest feature of each point. The question is the other way round: which
    point is the strongest in each feature?"""
)
def strongest_feature_of_each_point(H):
    return np.unique(H.argmax(axis=1))


@critical_points.mistake(
    """Some points are named several times: a point that wins three features is still one point."""
)
def with_repetitions(H):
    return H.argmax(axis=0)


@critical_points.mistake(
    """Sorted, but some points are named several times: a point that wins three features is still
    one point."""
)
def sorted_with_repetitions(H):
    return np.sort(H.argmax(axis=0))


@critical_points.mistake(
    """Right as a set, but in the order in which the features name them. Which order does the task
    ask for?"""
)
def in_the_order_of_the_features(H):
    return np.array(list(dict.fromkeys(H.argmax(axis=0).tolist())))


@critical_points.mistake(
    """Every point that reaches the maximum of a feature is in yours. Where several do, one is
    enough to keep it. Which one does the task mean?"""
)
def all_of_several(H):
    return np.flatnonzero((H == H.max(axis=0)).any(axis=1))


@critical_points.mistake(
    """Of several points with the same largest number you take the last. Which one does `argmax`
    give, and with it the task?"""
)
def last_of_several(H):
    return np.unique(len(H) - 1 - H[::-1].argmax(axis=0))


@critical_points.mistake(
    """A mask, a bool for each point. The task asks for their places: which function tells where a
    mask is true?"""
)
def as_a_mask(H):
    return np.isin(np.arange(len(H)), H.argmax(axis=0))


@critical_points.mistake("""These are the maxima themselves. Who has them?""")
def the_maxima(H):
    return np.unique(H.max(axis=0))


@critical_points.mistake(
    """You take the points with the largest features altogether. A point may be small in all
    features and the largest in one: that one is needed."""
)
def largest_altogether(H):
    return np.sort(np.argsort(-H.sum(axis=1), kind="stable")[: len(np.unique(H.argmax(axis=0)))])


@critical_points.mistake(
    """Only points with a positive number are in yours. A maximum is a maximum below zero too, or at
    zero."""
)
def only_positive_maxima(H):
    return np.unique(H.argmax(axis=0)[H.max(axis=0) > 0])


@critical_points.mistake(
    """You look at absolute values: a point that is far below zero in a feature wins it. Which of −5
    and 2 is the larger number?"""
)
def by_absolute_value(H):
    return np.unique(np.abs(H).argmax(axis=0))
