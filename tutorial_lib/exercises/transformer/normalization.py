"""Layer normalization and its gradient."""

import warnings

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import normalization as np_normalization

EPS = 1e-5


def tokens(rng):
    for shape in [(1, 1), (1, 2), (2, 3), (3, 3), (3, 1), (2, 3, 4)]:
        yield rng.normal(size=shape)
    yield 1e-3 * rng.normal(size=(2, 3))  # as small as the root of eps
    yield 1e6 + rng.normal(size=(2, 3))  # a mean far larger than the deviation
    yield np.full((1, 3), 7.0)
    yield rng.normal(size=(2, 3)).astype(np.float32)


def tokens_to_norm(rng):
    for X in tokens(rng):
        gamma, beta = (rng.normal(size=X.shape[-1]).astype(X.dtype) for _ in range(2))
        yield dict(X=X, gamma=gamma, beta=beta, eps=EPS)


layer_norm = Exercise(
    np_normalization.layer_norm,
    level=2,
    minutes=10,
    cases=tokens_to_norm,
    hints=(
        "A token is a row: its mean and variance are numbers of its own. Along which axis?",
        "`X.mean(axis=-1, keepdims=True)` and `X.var(axis=-1, keepdims=True)`; the result has a "
        "column of one number for each token.",
        "`gamma * (X - mean) / np.sqrt(variance + eps) + beta`",
    ),
)


def _standardise(X, axis, eps, ddof=0):
    variance = X.var(axis=axis, keepdims=True, ddof=ddof)
    return (X - X.mean(axis=axis, keepdims=True)) / np.sqrt(variance + eps)


@layer_norm.mistake(
    """eps stands outside the root: nobody notices while the variance is large, but features near
    0.001 come out too large. Is it the variance or the deviation that eps is added to?"""
)
def eps_outside_the_root(X, gamma, beta, eps):
    deviation = X.std(axis=-1, keepdims=True)
    return gamma * (X - X.mean(axis=-1, keepdims=True)) / (deviation + eps) + beta


@layer_norm.mistake(
    """Without eps a token whose features are all equal is 0 divided by 0, NaN, and from there the
    NaN spreads to every weight. Where does the formula hold the small number?"""
)
def without_eps(X, gamma, beta, eps):
    with np.errstate(all="ignore"):
        return gamma * _standardise(X, -1, 0) + beta


@layer_norm.mistake(
    """eps is used as a floor of the deviation, max(σ, eps). Nothing is divided by zero, but a token
    whose features hardly differ comes out with variance 1, as loud as any other; with the formula
    it stays quiet. Is eps a bound there, or is it added, and to what?"""
)
def eps_as_a_floor(X, gamma, beta, eps):
    deviation = np.maximum(X.std(axis=-1, keepdims=True), eps)
    return gamma * (X - X.mean(axis=-1, keepdims=True)) / deviation + beta


@layer_norm.mistake(
    """Your mean and deviation have lost the features' axis (no `keepdims`). It runs only where the
    numbers of tokens and of features happen to fit, and there feature j of every token is given
    the mean of token j. Which shape must one number a token have, to meet all its features?"""
)
def without_keepdims(X, gamma, beta, eps):
    return gamma * (X - X.mean(axis=-1)) / np.sqrt(X.var(axis=-1) + eps) + beta


@layer_norm.mistake(
    """This is RMSNorm: you divide by the root mean square, and the mean stays in. Look at a token
    whose mean is a million: all its features come out close to 1. What does LayerNorm do first?"""
)
def root_mean_square(X, gamma, beta, eps):
    return gamma * X / np.sqrt((X**2).mean(axis=-1, keepdims=True) + eps) + beta


@layer_norm.mistake(
    """You take mean and variance of each feature over the tokens. So one token's result changes
    with its neighbours, and with padding. Over what does *layer* normalization average?"""
)
def over_the_tokens(X, gamma, beta, eps):
    return gamma * _standardise(X, -2, eps) + beta


@layer_norm.mistake(
    """One mean and one variance for the whole array: every token of every sequence has a say in
    every other. How many means do N tokens have?"""
)
def over_everything(X, gamma, beta, eps):
    return gamma * _standardise(X, None, eps) + beta


@layer_norm.mistake(
    """Your variance divides by D − 1, as an estimate from a sample does (`ddof=1`, and what
    torch.std does unasked). Every number comes out a little too small, and one feature alone gives
    0/0. By what does the task divide?"""
)
def unbiased_variance(X, gamma, beta, eps):
    with warnings.catch_warnings(action="ignore"):  # 0/0 for one feature
        return gamma * _standardise(X, -1, eps, ddof=1) + beta


@layer_norm.mistake(
    """You divide by the variance and not by its root: a token with a deviation of 10 comes out with
    1/10. Which of the two has the units of X?"""
)
def divides_by_the_variance(X, gamma, beta, eps):
    mean, variance = X.mean(axis=-1, keepdims=True), X.var(axis=-1, keepdims=True)
    return gamma * (X - mean) / (variance + eps) + beta


@layer_norm.mistake(
    """Mean 0 and variance 1 are there; the learned scale and shift are not. What are gamma and beta
    for?"""
)
def without_gamma_and_beta(X, gamma, beta, eps):
    return _standardise(X, -1, eps)


@layer_norm.mistake(
    """gamma and beta are swapped: which of them scales, and which of them shifts?"""
)
def gamma_for_beta(X, gamma, beta, eps):
    return beta * _standardise(X, -1, eps) + gamma


@layer_norm.mistake(
    """You shift before you scale, so gamma multiplies beta too. In which order does the formula
    apply them?"""
)
def shifts_before_scaling(X, gamma, beta, eps):
    return gamma * (_standardise(X, -1, eps) + beta)


@layer_norm.mistake(
    """Right until the mean is large: you take the variance as the mean of the squares minus the
    square of the mean. With a mean of a million these agree in their first 12 digits, and a float64
    has 16: how many are left? What could be subtracted before squaring?"""
)
def difference_of_large_numbers(X, gamma, beta, eps):
    mean = X.mean(axis=-1, keepdims=True)
    variance = (X**2).mean(axis=-1, keepdims=True) - mean**2
    with np.errstate(all="ignore"):
        return gamma * (X - mean) / np.sqrt(variance + eps) + beta


def gradients_and_tokens(rng):
    for X in tokens(rng):
        dY, gamma = rng.normal(size=X.shape), rng.normal(size=X.shape[-1])
        yield dict(dY=dY.astype(X.dtype), X=X, gamma=gamma.astype(X.dtype), eps=EPS)


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
def forgets_the_mean(dY, X, gamma, eps):
    return _gradients(dY, X, gamma, eps, mean_path=0)


@layer_norm_backward.mistake(
    """The way through the variance is missing. Make a token twice as large: Y hardly changes, so
    dX · X must sum to almost zero along each token. Does yours?"""
)
def forgets_the_variance(dY, X, gamma, eps):
    return _gradients(dY, X, gamma, eps, variance_path=0)


@layer_norm_backward.mistake(
    """You take μ and σ² for constants, dX = dXhat / √(σ² + eps). Both are made from X: along how
    many ways does one feature reach Xhat?"""
)
def constants(dY, X, gamma, eps):
    return _gradients(dY, X, gamma, eps, mean_path=0, variance_path=0)


@layer_norm_backward.mistake(
    """dX takes sums over the features where means are due: what became of the 1/D in μ and in
    σ²?"""
)
def sums_for_means(dY, X, gamma, eps):
    return _gradients(dY, X, gamma, eps, average=np.sum)


@layer_norm_backward.mistake(
    """gamma multiplies X in your dgamma. What does gamma really multiply on the way forward?"""
)
def dgamma_from_x(dY, X, gamma, eps):
    right = np_normalization.layer_norm_backward(dY, X, gamma, eps)
    right["dgamma"] = (dY * X).sum(axis=tuple(range(X.ndim - 1)))
    return right


@layer_norm_backward.mistake(
    """dgamma and dbeta are summed over the features, so they have a number for each token. gamma
    has one for each feature and serves all tokens: which axes must go?"""
)
def sums_over_the_features(dY, X, gamma, eps):
    right = np_normalization.layer_norm_backward(dY, X, gamma, eps)
    Xhat = _standardise(X, -1, eps)
    right["dgamma"], right["dbeta"] = (dY * Xhat).sum(axis=-1), dY.sum(axis=-1)
    return right


@layer_norm_backward.mistake(
    """Right for one sequence; in a batch your dgamma and dbeta are summed over the first axis only.
    gamma is shared by all tokens of all sequences: which axes lead to the last one?"""
)
def sums_over_the_first_axis(dY, X, gamma, eps):
    right = np_normalization.layer_norm_backward(dY, X, gamma, eps)
    Xhat = _standardise(X, -1, eps)
    right["dgamma"], right["dbeta"] = (dY * Xhat).sum(axis=0), dY.sum(axis=0)
    return right


@layer_norm_backward.mistake(
    """dXhat is dY unchanged: gamma stands between Xhat and Y. With gamma = 1, as before training,
    nobody notices. What does a factor do to a gradient?"""
)
def forgets_gamma(dY, X, gamma, eps):
    right = np_normalization.layer_norm_backward(dY, X, gamma, eps)
    without = np_normalization.layer_norm_backward(dY, X, np.ones_like(gamma), eps)
    return {**right, "dXhat": without["dXhat"], "dX": without["dX"]}


@layer_norm_backward.mistake(
    """Your deviation divides by D − 1 (`ddof=1`), another one than on the way forward. A backward
    must belong to its forward: by what did `layer_norm` divide?"""
)
def unbiased_deviation(dY, X, gamma, eps):
    with warnings.catch_warnings(action="ignore"):  # 0/0 for one feature
        return _gradients(dY, X, gamma, eps, ddof=1)
