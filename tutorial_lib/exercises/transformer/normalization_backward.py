"""The way back through layer normalization."""

import warnings

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.transformer.normalization import EPS, standardise, tokens
from tutorial_lib.from_scratch import normalization as np_normalization


def gradients_and_tokens(rng):
    for X in tokens(rng):
        dY, gamma = rng.normal(size=X.shape), rng.normal(size=X.shape[-1])
        yield dict(dY=dY.astype(X.dtype), X=X, gamma=gamma.astype(X.dtype), eps=EPS)
    X = 1e-3 * rng.normal(size=(2, 3))  # as small as the root of eps, which is left to its default
    yield dict(dY=rng.normal(size=(2, 3)), X=X, gamma=rng.normal(size=3))
    yield dict(dY=np.array([[1.0, 3.0]]), X=np.array([[0.0, 2.0]]), gamma=np.ones(2), eps=3.0)


layer_norm_backward = Exercise(
    np_normalization.layer_norm_backward,
    level=4,
    minutes=30,
    cases=gradients_and_tokens,
    hints=(
        "dgamma, dbeta and dXhat come from Y = gamma · Xhat + beta alone. For dX take one feature "
        "of one token: it moves its own Xhat directly, and all D of them through μ and through σ².",
        "With s = √(σ² + eps): ∂Xhat_i/∂X_j = (δ_ij − 1/D − Xhat_i Xhat_j / D) / s. Multiply by "
        "dXhat_i and sum over i: the last two terms become means over the features.",
        "dX = (dXhat − mean(dXhat) − Xhat · mean(dXhat · Xhat)) / s, means along the last axis, "
        "with `keepdims=True`. dgamma is dY · Xhat summed over every axis but the last.",
    ),
)


def _gradients(dY, X, gamma, eps, *, mean_path=1, variance_path=1, ddof=0, average=np.mean):
    """`layer_norm_backward` with a path of dX changed or left out."""
    right = np_normalization.layer_norm_backward(dY, X, gamma, eps)
    s = np.sqrt(X.var(axis=-1, keepdims=True, ddof=ddof) + eps)
    Xhat = (X - X.mean(axis=-1, keepdims=True)) / s
    dXhat = right["dXhat"]
    through_mean = mean_path * average(dXhat, axis=-1, keepdims=True)
    through_variance = variance_path * Xhat * average(dXhat * Xhat, axis=-1, keepdims=True)
    right["dgamma"] = (dY * Xhat).sum(axis=tuple(range(X.ndim - 1)))
    right["dX"] = (dXhat - through_mean - through_variance) / s
    return right


@layer_norm_backward.mistake(
    """The way through the mean is missing. Add the same number to all features of a token: Y does
    not change, so dX must sum to zero along each token. Does yours?"""
)
def forgets_the_mean(dY, X, gamma, eps=1e-5):
    return _gradients(dY, X, gamma, eps, mean_path=0)


@layer_norm_backward.mistake(
    """The way through the variance is missing. Make a token twice as large: Y hardly changes, so
    dX · X must sum to almost zero along each token. Does yours?"""
)
def forgets_the_variance(dY, X, gamma, eps=1e-5):
    return _gradients(dY, X, gamma, eps, variance_path=0)


@layer_norm_backward.mistake(
    """You take μ and σ² for constants, dX = dXhat / √(σ² + eps). Both are made from X: along how
    many ways does one feature reach Xhat?"""
)
def constants(dY, X, gamma, eps=1e-5):
    return _gradients(dY, X, gamma, eps, mean_path=0, variance_path=0)


@layer_norm_backward.mistake(
    """dX takes sums over the features where means are due: what became of the 1/D in μ and in
    σ²?"""
)
def sums_for_means(dY, X, gamma, eps=1e-5):
    return _gradients(dY, X, gamma, eps, average=np.sum)


@layer_norm_backward.mistake(
    """gamma multiplies X in your dgamma. What does gamma really multiply on the way forward?"""
)
def dgamma_from_x(dY, X, gamma, eps=1e-5):
    right = np_normalization.layer_norm_backward(dY, X, gamma, eps)
    right["dgamma"] = (dY * X).sum(axis=tuple(range(X.ndim - 1)))
    return right


@layer_norm_backward.mistake(
    """dgamma and dbeta are exchanged. One of the two is added to Xhat, the other multiplies it:
    whose gradient needs to know what Xhat was?"""
)
def dgamma_for_dbeta(dY, X, gamma, eps=1e-5):
    right = np_normalization.layer_norm_backward(dY, X, gamma, eps)
    return {**right, "dgamma": right["dbeta"], "dbeta": right["dgamma"]}


@layer_norm_backward.mistake(
    """gamma is in your dgamma. Y = gamma · Xhat + beta is linear in gamma: what is its slope, and
    does gamma itself stand in it?"""
)
def dgamma_from_dxhat(dY, X, gamma, eps=1e-5):
    right = np_normalization.layer_norm_backward(dY, X, gamma, eps)
    return {**right, "dgamma": gamma * right["dgamma"]}


@layer_norm_backward.mistake(
    """dgamma and dbeta are summed over the features, so they have a number for each token. gamma
    has one for each feature and serves all tokens: which axes must go?"""
)
def sums_over_the_features(dY, X, gamma, eps=1e-5):
    right = np_normalization.layer_norm_backward(dY, X, gamma, eps)
    Xhat = standardise(X, -1, eps)
    right["dgamma"], right["dbeta"] = (dY * Xhat).sum(axis=-1), dY.sum(axis=-1)
    return right


@layer_norm_backward.mistake(
    """Right for one sequence; in a batch your dgamma and dbeta are summed over the first axis only.
    gamma is shared by all tokens of all sequences: which axes lead to the last one?"""
)
def sums_over_the_first_axis(dY, X, gamma, eps=1e-5):
    right = np_normalization.layer_norm_backward(dY, X, gamma, eps)
    Xhat = standardise(X, -1, eps)
    right["dgamma"], right["dbeta"] = (dY * Xhat).sum(axis=0), dY.sum(axis=0)
    return right


@layer_norm_backward.mistake(
    """dXhat is dY unchanged: gamma stands between Xhat and Y. With gamma = 1, as before training,
    nobody notices. What does a factor do to a gradient?"""
)
def forgets_gamma(dY, X, gamma, eps=1e-5):
    right = np_normalization.layer_norm_backward(dY, X, gamma, eps)
    without = np_normalization.layer_norm_backward(dY, X, np.ones_like(gamma), eps)
    return {**right, "dXhat": without["dXhat"], "dX": without["dX"]}


@layer_norm_backward.mistake(
    """dXhat is right, and your dX is made from dY: gamma is lost on the way. Which gradient arrives
    at Xhat?"""
)
def dx_from_dy(dY, X, gamma, eps=1e-5):
    right = np_normalization.layer_norm_backward(dY, X, gamma, eps)
    without = np_normalization.layer_norm_backward(dY, X, np.ones_like(gamma), eps)
    return {**right, "dX": without["dX"]}


@layer_norm_backward.mistake(
    """Your dX is not divided by √(σ² + eps). A token twice as large gives nearly the same Y: what
    does that say about the slope?"""
)
def not_divided_by_the_deviation(dY, X, gamma, eps=1e-5):
    right = np_normalization.layer_norm_backward(dY, X, gamma, eps)
    return {**right, "dX": right["dX"] * np.sqrt(X.var(axis=-1, keepdims=True) + eps)}


@layer_norm_backward.mistake(
    """dgamma and dbeta are not summed: they have a row for each token. gamma is shared by all
    tokens; what happens to gradients that arrive at one number along many ways?"""
)
def not_summed_over_the_tokens(dY, X, gamma, eps=1e-5):
    right = np_normalization.layer_norm_backward(dY, X, gamma, eps)
    return {**right, "dgamma": dY * standardise(X, -1, eps), "dbeta": dY}


@layer_norm_backward.mistake(
    """Right for the usual eps, wrong for any other: a number of your own stands where the argument
    should. Which argument does your code never read?"""
)
def eps_of_its_own(dY, X, gamma, eps=1e-5):
    return np_normalization.layer_norm_backward(dY, X, gamma, 1e-5)


@layer_norm_backward.mistake(
    """Your deviation divides by D − 1 (`ddof=1`), another one than on the way forward. A backward
    must belong to its forward: by what did `layer_norm` divide?"""
)
def unbiased_deviation(dY, X, gamma, eps=1e-5):
    with warnings.catch_warnings(action="ignore"):  # 0/0 for one feature
        return _gradients(dY, X, gamma, eps, ddof=1)
