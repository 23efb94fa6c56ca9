"""A tiny exercise, to meet the checks."""

import numpy as np

from tutorial_lib.checking import Exercise


def weighted_mean(values, weights):
    """The mean of several vectors, some counting more than others.

    values (n, d), weights (n,) positive, of any size  ->  (d,)

    The weights need not sum to one: [1, 3] means the same as [0.25, 0.75].
    """
    return weights @ values / weights.sum()


def vectors_and_weights(rng):
    for n, d in [(2, 1), (1, 3), (3, 2), (5, 4)]:
        yield dict(values=rng.normal(size=(n, d)), weights=rng.uniform(0.5, 4, size=n))
    yield dict(values=rng.normal(size=(3, 3)), weights=np.array([1e-12, 1e12, 1.0]))
    yield dict(values=rng.normal(size=(2, 3)), weights=np.array([1e-9, 3e-9]))


weighted_mean = Exercise(
    weighted_mean,
    level=1,
    minutes=5,
    cases=vectors_and_weights,
    hints=(
        "Two vectors with weights 1 and 3: write the mean out by hand.",
        "`weights @ values` sums the vectors, each times its weight.",
        "What must that sum be divided by, so that weights [1, 3] and [10, 30] give the same?",
    ),
)


@weighted_mean.mistake(
    """You divide by how many vectors there are. Try weights [1, 3] and [10, 30] on the same
    vectors: should the mean change? Yours does."""
)
def divides_by_count(values, weights):
    return weights @ values / len(weights)


@weighted_mean.mistake(
    """You sum the weighted vectors and stop there, so twice the weights gives twice the mean. What
    makes a weighted sum a mean?"""
)
def never_divides(values, weights):
    return weights @ values


@weighted_mean.mistake(
    """You ignore the weights: every vector counts the same. Look at the case with one huge weight:
    which vector should the mean be close to?"""
)
def ignores_weights(values, weights):
    return values.mean(axis=0)


@weighted_mean.mistake(
    """You give the weights a softmax before they weigh. They are positive and no scores: a vector
    with twice the weight shall count twice, not e times or more. What alone is missing for them to
    sum to one?"""
)
def softmax_of_the_weights(values, weights):
    e = np.exp(weights - weights.max())
    return e @ values / e.sum()


@weighted_mean.mistake(
    """One number comes out where a vector of length d is expected: you averaged over the features
    as well. Which axis of `values` counts the vectors?"""
)
def averages_everything(values, weights):
    return float((weights[:, None] * values).sum() / weights.sum() / values.shape[1])


@weighted_mean.mistake(
    """A small number added to the sum keeps you from dividing by zero, which positive weights never
    do; and where all weights are small it makes every mean too small. Is [1e-9, 3e-9] not the same
    as [1, 3]?"""
)
def adds_a_small_number(values, weights):
    return weights @ values / (weights.sum() + 1e-8)


@weighted_mean.mistake(
    """Each vector is weighed, and there are still as many of them as before: shape (n, d), where
    one mean is asked for. Over which axis has a mean to be taken?"""
)
def weighs_each_and_sums_nothing(values, weights):
    return weights[:, None] * values / weights.sum()


@weighted_mean.mistake(
    """One number for each vector comes out: you sum over its features. The mean has one number for
    each *feature*; which axis of `values` has to go?"""
)
def sums_the_features(values, weights):
    return (weights[:, None] * values).sum(axis=1) / weights.sum()


@weighted_mean.mistake(
    """A product with * lines the weights up with the *last* axis of `values`, the features, and for
    most shapes NumPy refuses. Which axis do the weights belong to, and how does (n,) become
    (n, 1)?"""
)
def weighs_the_features(values, weights):
    return (values * weights).sum(axis=0) / weights.sum()
