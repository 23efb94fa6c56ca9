"""Attention in linear time: random features whose products are exponentials."""

import torch

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.t2t.tensors import normal


def positive_features(x, w):
    """Positive random features: φ(q)·φ(k) is exp(q·k / √d) on average over w.

    x (..., N, d) queries or keys; w (m, d) directions  ->  φ (..., N, m)

        φ(x)_j = exp(w_j·x̂ − |x̂|² / 2) / √m  with  x̂ = x / d^¼
    """
    m, d = w.shape
    x = x / d**0.25
    squares = (x * x).sum(dim=-1, keepdim=True)  # (..., N, 1)
    return torch.exp(x @ w.mT - squares / 2) / m**0.5


def tokens_and_directions(rng):
    for shape, m in [
        ((2, 2), 1),
        ((1, 4), 2),
        ((3, 4), 3),
        ((2, 3, 4), 5),
        ((4, 9), 4),
    ]:
        wanted = shape[0] > 1
        yield dict(x=normal(rng, *shape, wanted=wanted), w=normal(rng, m, shape[-1], wanted=wanted))
    x, w = normal(rng, 2, 3, wanted=False), normal(rng, 4, 3, wanted=False)
    yield dict(x=x.float(), w=w.float())
    yield dict(x=torch.zeros(1, 4, dtype=torch.float64), w=torch.ones(2, 4, dtype=torch.float64))


positive_features = Exercise(
    positive_features,
    level=2,
    minutes=10,
    cases=tokens_and_directions,
    hints=(
        "Four steps: shrink x, its products with all directions, its own squared length, one "
        "exponential.",
        "`x @ w.mT` is (..., N, m). The squared length is one number a token, (..., N, 1), so that "
        "it is subtracted from all m products.",
        "`m, d = w.shape`, `x = x / d**0.25`, `squares = (x * x).sum(-1, keepdim=True)`; what "
        "goes into `torch.exp`, and what is it divided by?",
    ),
)


def _features(x, w, *, root=0.25, squares=1, norm=lambda m: m**0.5, bend=torch.exp):
    m, d = w.shape
    x = x / d**root
    return bend(x @ w.mT - squares * (x * x).sum(dim=-1, keepdim=True) / 2) / norm(m)


@positive_features.mistake(
    """The term −|x̂|²/2 is missing. E[exp(w·(q + k))] is exp(|q + k|²/2), which holds q·k and also
    |q|²/2 and |k|²/2: long queries and keys come out too large. What takes those two away?"""
)
def without_the_square(x, w):
    return _features(x, w, squares=0)


@positive_features.mistake(
    """There is no 1/√m. The product of two features sums m terms where the mean is wanted, so the
    estimate grows with m. (A softmax divides it away again, which is how this goes unseen.) What
    share of 1/m does each of the two factors carry?"""
)
def sums_for_a_mean(x, w):
    return _features(x, w, norm=lambda m: 1)


@positive_features.mistake(
    """You divide by m. A feature of the query meets one of the key, and their product should be
    divided by m once: what does each of the two carry?"""
)
def divides_by_m_twice(x, w):
    return _features(x, w, norm=lambda m: m)


@positive_features.mistake(
    """x is not shrunk: you estimate exp(q·k), and attention wants exp(q·k / √d). The maps come out
    too sharp. Which power of d does each of q and k carry, if their product carries √d?"""
)
def not_scaled(x, w):
    return _features(x, w, root=0)


@positive_features.mistake(
    """You divide x by √d. So does the key, and their product is divided by d: the maps come out too
    even. Which power of d does each of the two carry?"""
)
def scaled_twice(x, w):
    return _features(x, w, root=0.5)


@positive_features.mistake(
    """You subtract |x̂|², twice too much. Write out exp(|q + k|²/2): what stands before |q|²?"""
)
def forgets_the_half(x, w):
    return _features(x, w, squares=2)


@positive_features.mistake(
    """You subtract the length where its square is due (the official code's comment says so too, and
    its code does not). Put q = k = (2, 0) into E[exp(w·q)] = exp(|q|²/2) to see which it is."""
)
def length_for_its_square(x, w):
    m, d = w.shape
    x = x / d**0.25
    return torch.exp(x @ w.mT - (x * x).sum(dim=-1, keepdim=True).sqrt() / 2) / m**0.5


@positive_features.mistake(
    """You shrink x for the products with w, and take the square of x as it was. The two terms of an
    exponent belong together: which x does each of them see in the formula?"""
)
def square_of_the_unscaled(x, w):
    m, d = w.shape
    return torch.exp(x / d**0.25 @ w.mT - (x * x).sum(dim=-1, keepdim=True) / 2) / m**0.5


@positive_features.mistake(
    """You subtract each token's largest exponent, as a stable softmax does. That is a factor of its
    own for each token: from a query it cancels, from a key it does not, and φ(q)·φ(k) is no longer
    the exponential. Which keys would lose weight?"""
)
def subtracts_the_maximum(x, w):
    m, d = w.shape
    x = x / d**0.25
    exponents = x @ w.mT - (x * x).sum(dim=-1, keepdim=True) / 2
    return torch.exp(exponents - exponents.amax(dim=-1, keepdim=True)) / m**0.5


@positive_features.mistake(
    """A ReLU in place of the exponential. Its features are positive and there are transformers that
    use them, but they estimate another kernel. Which function makes the mean exp(q·k / √d)?"""
)
def relu_features(x, w):
    return _features(x, w, bend=torch.relu)


@positive_features.mistake(
    """m and d are exchanged: w holds a row for each direction. Which of the two is the number of
    features of a query?"""
)
def sizes_exchanged(x, w):
    d, m = w.shape
    x = x / d**0.25
    return torch.exp(x @ w.mT - (x * x).sum(dim=-1, keepdim=True) / 2) / m**0.5


@positive_features.mistake(
    """You shrink the directions too, so x is divided by √d in the products with w and by its root
    in the square. Which of the two does the formula put a hat on?"""
)
def shrinks_the_directions_too(x, w):
    m, d = w.shape
    x = x / d**0.25
    return torch.exp(x @ (w / d**0.25).mT - (x * x).sum(dim=-1, keepdim=True) / 2) / m**0.5


@positive_features.mistake(
    """You take the mean of the squares where |x̂|² is their sum. The longer x, the less you
    subtract."""
)
def mean_of_the_squares(x, w):
    m, d = w.shape
    x = x / d**0.25
    return torch.exp(x @ w.mT - (x * x).mean(dim=-1, keepdim=True) / 2) / m**0.5


@positive_features.mistake(
    """You add |x̂|²/2. E[exp(w·q)] is exp(|q|²/2) already: should the square make a long query's
    features larger or smaller?"""
)
def adds_the_square(x, w):
    return _features(x, w, squares=-1)
