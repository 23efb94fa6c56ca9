"""Layer normalization."""

import warnings

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import normalization as np_normalization

EPS = 1e-5


def tokens(rng):
    for shape in [(1, 2), (3,), (2, 3), (3, 3), (3, 1), (2, 3, 4)]:
        yield rng.normal(size=shape)
    yield 1e6 + rng.normal(size=(2, 3))  # a mean far larger than the deviation
    yield np.full((1, 3), 7.0)
    yield rng.normal(size=(2, 3)).astype(np.float32)


def tokens_to_norm(rng):
    for X in tokens(rng):
        gamma, beta = (rng.normal(size=X.shape[-1]).astype(X.dtype) for _ in range(2))
        yield dict(X=X, gamma=gamma, beta=beta, eps=EPS)
    # A deviation as small as the root of eps, which is left to its default.
    X = 1e-3 * rng.normal(size=(2, 3))
    yield dict(X=X, gamma=rng.normal(size=3), beta=rng.normal(size=3))
    # An eps as large as the variance, which nobody can overlook: ∓1 become ∓0.5.
    yield dict(X=np.array([[0.0, 2.0]]), gamma=np.ones(2), beta=np.zeros(2), eps=3.0)


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


def standardise(X, axis, eps, ddof=0):
    variance = X.var(axis=axis, keepdims=True, ddof=ddof)
    return (X - X.mean(axis=axis, keepdims=True)) / np.sqrt(variance + eps)


@layer_norm.mistake(
    """eps stands outside the root: nobody notices while the variance is large, but features near
    0.001 come out too large. Is it the variance or the deviation that eps is added to?"""
)
def eps_outside_the_root(X, gamma, beta, eps=1e-5):
    deviation = X.std(axis=-1, keepdims=True)
    return gamma * (X - X.mean(axis=-1, keepdims=True)) / (deviation + eps) + beta


@layer_norm.mistake(
    """Without eps a token whose features are all equal is 0 divided by 0, NaN, and from there the
    NaN spreads to every weight. Where does the formula hold the small number?"""
)
def without_eps(X, gamma, beta, eps=1e-5):
    with np.errstate(all="ignore"):
        return gamma * standardise(X, -1, 0) + beta


@layer_norm.mistake(
    """eps is used as a floor of the deviation, max(σ, eps). Nothing is divided by zero, but a token
    whose features hardly differ comes out with variance 1, as loud as any other; with the formula
    it stays quiet. Is eps a bound there, or is it added, and to what?"""
)
def eps_as_a_floor(X, gamma, beta, eps=1e-5):
    deviation = np.maximum(X.std(axis=-1, keepdims=True), eps)
    return gamma * (X - X.mean(axis=-1, keepdims=True)) / deviation + beta


@layer_norm.mistake(
    """You floor what you divide by, max(σ², eps) or max(σ, √eps): below the floor the variance has
    no say, above it eps has none, and a variance near eps gives too large a result. Does the
    formula choose between the two?"""
)
def eps_as_a_floor_of_the_variance(X, gamma, beta, eps=1e-5):
    floored = np.maximum(X.var(axis=-1, keepdims=True), eps)
    return gamma * (X - X.mean(axis=-1, keepdims=True)) / np.sqrt(floored) + beta


@layer_norm.mistake(
    """The eps under your root is squared, and 0.00001 becomes 0.0000000001: a token whose features
    hardly differ comes out too loud. What exactly does the formula add to σ²?"""
)
def eps_squared(X, gamma, beta, eps=1e-5):
    return gamma * standardise(X, -1, eps**2) + beta


@layer_norm.mistake(
    """Right for the usual eps, wrong for any other: a number of your own stands where the argument
    should. Which argument does your code never read?"""
)
def eps_of_its_own(X, gamma, beta, eps=1e-5):
    return gamma * standardise(X, -1, 1e-5) + beta


@layer_norm.mistake(
    """Your mean and deviation have lost the features' axis (no `keepdims`). It runs only where the
    numbers of tokens and of features happen to fit, and there feature j of every token is given
    the mean of token j. Which shape must one number a token have, to meet all its features?"""
)
def without_keepdims(X, gamma, beta, eps=1e-5):
    return gamma * (X - X.mean(axis=-1)) / np.sqrt(X.var(axis=-1) + eps) + beta


@layer_norm.mistake(
    """This is RMSNorm: you divide by the root mean square, and the mean stays in. Look at a token
    whose mean is a million: before gamma and beta all its features are close to 1. What does
    LayerNorm do first?"""
)
def root_mean_square(X, gamma, beta, eps=1e-5):
    return gamma * X / np.sqrt((X**2).mean(axis=-1, keepdims=True) + eps) + beta


@layer_norm.mistake(
    """You take mean and variance of each feature over the tokens. So one token's result changes
    with its neighbours, and with padding. Over what does *layer* normalization average?"""
)
def over_the_tokens(X, gamma, beta, eps=1e-5):
    return gamma * standardise(X, -2, eps) + beta


@layer_norm.mistake(
    """Right for tokens (N, D). `axis=1` does not exist for a single token, and in a batch (B, N, D)
    it runs over the tokens. Counted from which end is the features' axis always the same?"""
)
def over_axis_one(X, gamma, beta, eps=1e-5):
    return gamma * standardise(X, 1, eps) + beta


@layer_norm.mistake(
    """One mean and one variance for the whole array: every token of every sequence has a say in
    every other. How many means do N tokens have?"""
)
def over_everything(X, gamma, beta, eps=1e-5):
    return gamma * standardise(X, None, eps) + beta


@layer_norm.mistake(
    """Your variance divides by D − 1, as an estimate from a sample does (`ddof=1`, and what
    torch.std does unasked). Every deviation is a little too large, so all that it divides comes out
    too small, and one feature alone gives 0/0. By what does the task divide?"""
)
def unbiased_variance(X, gamma, beta, eps=1e-5):
    with warnings.catch_warnings(action="ignore"):  # 0/0 for one feature
        return gamma * standardise(X, -1, eps, ddof=1) + beta


@layer_norm.mistake(
    """You divide by the variance and not by its root: a token with a deviation of 10 comes out with
    1/10. Which of the two has the units of X?"""
)
def divides_by_the_variance(X, gamma, beta, eps=1e-5):
    mean, variance = X.mean(axis=-1, keepdims=True), X.var(axis=-1, keepdims=True)
    return gamma * (X - mean) / (variance + eps) + beta


@layer_norm.mistake(
    """Mean 0 and variance 1 are there; the learned scale and shift are not. What are gamma and beta
    for?"""
)
def without_gamma_and_beta(X, gamma, beta, eps=1e-5):
    return standardise(X, -1, eps)


@layer_norm.mistake(
    """A token whose features are all equal comes out as zeros, whatever was learned: you scale and
    do not shift. Which argument does your code never read?"""
)
def without_beta(X, gamma, beta, eps=1e-5):
    return gamma * standardise(X, -1, eps)


@layer_norm.mistake(
    """All features stay equally loud, however long you train: you shift and do not scale. Which
    argument does your code never read?"""
)
def without_gamma(X, gamma, beta, eps=1e-5):
    return standardise(X, -1, eps) + beta


@layer_norm.mistake(
    """gamma and beta are swapped: which of them scales, and which of them shifts?"""
)
def gamma_for_beta(X, gamma, beta, eps=1e-5):
    return beta * standardise(X, -1, eps) + gamma


@layer_norm.mistake(
    """You shift before you scale, so gamma multiplies beta too. In which order does the formula
    apply them?"""
)
def shifts_before_scaling(X, gamma, beta, eps=1e-5):
    return gamma * (standardise(X, -1, eps) + beta)


@layer_norm.mistake(
    """Right until the mean is large: you take the variance as the mean of the squares minus the
    square of the mean. With a mean of a million these agree in their first 12 digits, and a float64
    has 16: how many are left? What could be subtracted before squaring?"""
)
def difference_of_large_numbers(X, gamma, beta, eps=1e-5):
    mean = X.mean(axis=-1, keepdims=True)
    variance = (X**2).mean(axis=-1, keepdims=True) - mean**2
    with np.errstate(all="ignore"):
        return gamma * (X - mean) / np.sqrt(variance + eps) + beta
