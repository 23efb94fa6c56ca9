"""A bug to find and an experiment to design."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import attention as np_attention


def causal_attention(Q, K, V):
    """Attention in which a token sees itself and the past.

    Q (N, d), K (N, d), V (N, d_v)  ->  Z (N, d_v)
    """
    n, d = Q.shape
    S = Q @ K.mT / d**0.5
    allowed = np.arange(n)[:, None] >= np.arange(n)[None, :]
    S = np.where(allowed, S, -np.inf)
    e = np.exp(S - S.max(axis=-1, keepdims=True))
    return e @ V / e.sum(axis=-1, keepdims=True)


def buggy_causal_attention(Q, K, V):
    """Attention in which a token sees itself and the past.

    Q (N, d), K (N, d), V (N, d_v)  ->  Z (N, d_v)

    This version trains to a loss near zero and then writes nonsense. Find the one wrong line.
    """
    n, d = Q.shape
    S = Q @ K.mT / d**0.5
    allowed = np.arange(n)[:, None] >= np.arange(n)[None, :] - 1
    S = np.where(allowed, S, -np.inf)
    e = np.exp(S - S.max(axis=-1, keepdims=True))
    return e @ V / e.sum(axis=-1, keepdims=True)


def tokens_in_order(rng):
    for n, d, d_v in [(2, 3, 1), (3, 1, 2), (1, 2, 3), (4, 3, 2), (6, 2, 2)]:
        yield {k: rng.normal(size=(n, a)) for k, a in (("Q", d), ("K", d), ("V", d_v))}
    # The only score that the first token may see is −1000000, and the next one would overflow.
    yield dict(Q=np.full((2, 1), 1e3), K=np.array([[-1e3], [1e3]]), V=np.array([[1.0], [2.0]]))


causal_attention = Exercise(
    causal_attention,
    start=buggy_causal_attention,
    level=2,
    minutes=10,
    cases=tokens_in_order,
    hints=(
        "A loss near zero on a task that cannot be that easy: what does the model see that it "
        "should not?",
        "Print `allowed` for n = 4. Which entries may be True?",
        "Query i may look at key j when j ≤ i. Which part of the comparison says something else?",
    ),
)


def _causal_with(Q, K, V, allowed):
    """The given function with another `allowed`: NaN where a row may look nowhere, as there."""
    with np.errstate(all="ignore"):
        S = np.where(allowed, Q @ K.mT / Q.shape[-1] ** 0.5, -np.inf)
        e = np.exp(S - S.max(axis=-1, keepdims=True))
        return e @ V / e.sum(axis=-1, keepdims=True)


@causal_attention.mistake(
    """Now the first token may look at nothing, itself included, and its row is NaN. With what does
    the past of a token end?"""
)
def strictly_past(Q, K, V):
    i = np.arange(len(Q))
    return _causal_with(Q, K, V, i[:, None] > i[None, :])


@causal_attention.mistake(
    """You turned the comparison round: each token now sees the future and not the past."""
)
def sees_the_future(Q, K, V):
    i = np.arange(len(Q))
    return _causal_with(Q, K, V, i[:, None] <= i[None, :])


@causal_attention.mistake("""One token of the future became two: the change went the wrong way.""")
def wrong_way(Q, K, V):
    i = np.arange(len(Q))
    return _causal_with(Q, K, V, i[:, None] >= i[None, :] - 2)


@causal_attention.mistake(
    """The past shrank to one token: each token sees itself and its neighbour only."""
)
def neighbour_only(Q, K, V):
    i = np.arange(len(Q))
    step = i[:, None] - i[None, :]
    return _causal_with(Q, K, V, (step == 0) | (step == 1))


@causal_attention.mistake("""You removed the mask: now every token sees the whole future.""")
def without_mask(Q, K, V):
    return np_attention.attention(Q, K, V)[0]


@causal_attention.mistake(
    """Scores of the future become 0, which is an ordinary score: exp(0) = 1. In the version you
    started from they become −∞; the bug is another one."""
)
def future_scores_zero(Q, K, V):
    S = np.where(np_attention.causal_mask(len(Q)), np_attention.scores(Q, K), 0.0)
    return np_attention.softmax(S) @ V


def equivariance_error(f, X, order):
    """How far a function of tokens is from permutation equivariance.

    f maps (N, D) to (N, D'); X (N, D) tokens; order (N,) int, a permutation of 0 … N − 1
    ->  float: the largest |difference| between "reorder, then f" and "f, then reorder"

    Zero for a function that treats tokens as a set: reordering its input reorders its output in the
    same way and does nothing else.
    """
    return float(np.abs(f(X[order]) - f(X)[order]).max())


def _running_sum(X):
    return np.cumsum(X, axis=0)


def _centre(X):
    return X - X.mean(axis=0)


def _with_position(X):
    return X * np.arange(1, len(X) + 1)[:, None]


def _sum_over_features(X):
    """Knows the order of the features and not that of the tokens."""
    return np.cumsum(X, axis=1)


def functions_of_tokens(rng):
    for f in (_centre, _running_sum, _with_position):
        for n, d in [(3, 2), (4, 4)]:
            yield dict(f=f, X=rng.normal(size=(n, d)), order=np.roll(np.arange(n), 1))
    for f in (_running_sum, _sum_over_features):
        yield dict(f=f, X=rng.normal(size=(5, 5)), order=np.array([2, 0, 4, 1, 3]))


equivariance_error = Exercise(
    equivariance_error,
    level=3,
    minutes=15,
    cases=functions_of_tokens,
    hints=(
        "Two paths lead from X to a reordered output. Walk both and compare where they end.",
        "`X[order]` reorders tokens. On one path it comes before f, on the other after.",
        "Compare `f(X[order])` with `f(X)[order]`: one number that is zero only if all agree.",
    ),
)


@equivariance_error.mistake(
    """You test *invariance*: that the output does not change at all. Equivariance asks that the
    output is reordered with the input; one of your two outputs still needs reordering."""
)
def tests_invariance(f, X, order):
    return float(np.abs(f(X[order]) - f(X)).max())


@equivariance_error.mistake(
    """You reorder the features, not the tokens. Tokens are rows: which index comes first?"""
)
def reorders_features(f, X, order):
    return float(np.abs(f(X[:, order]) - f(X)[:, order]).max())


@equivariance_error.mistake(
    """You apply the inverse order on one of the two paths. That agrees only for permutations
    that undo themselves, such as swapping two tokens."""
)
def inverse_on_one_path(f, X, order):
    return float(np.abs(f(X[order]) - f(X)[np.argsort(order)]).max())


@equivariance_error.mistake(
    """You take the mean difference; the task asks for the largest. A mean hides one token that
    goes wrong among many that do not."""
)
def takes_the_mean(f, X, order):
    return float(np.abs(f(X[order]) - f(X)[order]).mean())


@equivariance_error.mistake(
    """The differences are signed: large negative ones are smaller than zero. Take the absolute
    value before the maximum."""
)
def signed(f, X, order):
    return float((f(X[order]) - f(X)[order]).max())


@equivariance_error.mistake(
    """You give a verdict, True or False. The task asks how large the error is: whoever reads it can
    then tell rounding from a function that knows the order. Which number did you compare?"""
)
def gives_a_verdict(f, X, order):
    return bool(np.allclose(f(X[order]), f(X)[order]))


@equivariance_error.mistake(
    """Your number is 0 or 1, a verdict. The task asks *how far* the two ways are apart: whoever
    reads it can then tell rounding from a function that knows the order."""
)
def gives_zero_or_one(f, X, order):
    return float(not np.allclose(f(X[order]), f(X)[order]))


@equivariance_error.mistake(
    """You divide by the size of the output. The task asks for the largest difference as it is, in
    the units of the output."""
)
def relative_to_the_output(f, X, order):
    ordered = f(X)[order]
    return float(np.abs(f(X[order]) - ordered).max() / (np.abs(ordered).max() + 1e-12))


@equivariance_error.mistake(
    """On both paths you apply the *inverse* order. That is a permutation as well, and a function of
    a set passes with either; but one that knows the order has another error. Which order were you
    given?"""
)
def inverse_on_both_paths(f, X, order):
    inverse = np.argsort(order)
    return float(np.abs(f(X[inverse]) - f(X)[inverse]).max())
