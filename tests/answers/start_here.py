"""Chapter 00."""

from functools import reduce

import numpy as np

from answers import right, wrong


@wrong(
    "start_here.weighted_mean",
    "a sum, not divided by the weights",
    says="You sum the weighted vectors and stop",
)
def _(values, weights):
    return weights @ values


@wrong(
    "start_here.weighted_mean",
    "divided by how many there are",
    says="You divide by how many vectors there are",
)
def _(values, weights):
    return (weights[:, None] * values).mean(axis=0)


@wrong("start_here.weighted_mean", "weights ignored", says="You ignore the weights")
def _(values, weights):
    return values.mean(axis=0)


@wrong(
    "start_here.weighted_mean",
    "weights made to sum to one by softmax",
    says="You give the weights a softmax before they",
)
def _(values, weights):
    e = np.exp(weights - weights.max())
    return e @ values / e.sum()


@wrong(
    "start_here.weighted_mean",
    "sums over the features",
    says="One number for each vector comes out: you",
)
def _(values, weights):
    return (weights[:, None] * values).sum(axis=1) / weights.sum()


@wrong(
    "start_here.weighted_mean",
    "weights laid along the features",
    says="A product with * lines the weights up with",
)
def _(values, weights):
    return (values * weights).sum(axis=0) / weights.sum()


@wrong(
    "start_here.weighted_mean",
    "weights of Euclidean length one",
    says="a factor that changes from case to case",
)
def _(values, weights):
    return weights / np.linalg.norm(weights) @ values


@wrong(
    "start_here.weighted_mean",
    "scales the given weights in place",
    says="changes its argument weights in place",
)
def _(values, weights):
    weights /= weights.sum()
    return weights @ values


@wrong(
    "start_here.weighted_mean",
    "a small number added to the sum",
    says="A small number added to the sum keeps you",
)
def _(values, weights):
    return weights @ values / (weights.sum() + 1e-8)


@right("start_here.weighted_mean", "np.average")
def _(values, weights):
    return np.average(values, axis=0, weights=weights)


@right("start_here.weighted_mean", "one vector after the other")
def _(values, weights):
    total = reduce(np.add, (w * v for w, v in zip(weights, values)))
    return total / sum(weights)


right("start_here.weighted_mean", "einsum in a lambda")(
    lambda values, weights: np.einsum("nd,n->d", values, weights / np.sum(weights))
)
