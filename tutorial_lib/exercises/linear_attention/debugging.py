"""A bug to find: a loss that is too good."""

import numpy as np

from tutorial_lib.checking import Exercise


def chunked_attention(phi_Q, phi_K, V, chunk):
    """Causal linear attention, `chunk` tokens at a time.

    phi_Q, phi_K (..., N, r), both positive; V (..., N, m); chunk: a whole number, at least 1
    ->  Y (..., N, m), the same for every chunk

    With this version models train to a loss that is too good to be true, the better the larger the
    chunk; and what they write, token by token, is noise. With chunks of 1 nothing is wrong. Find
    the one wrong line.
    """
    S = np.zeros((*V.shape[:-2], phi_K.shape[-1], V.shape[-1]))
    Z = np.zeros((*V.shape[:-2], phi_K.shape[-1], 1))
    Y = np.zeros_like(V)
    for start in range(0, V.shape[-2], chunk):
        tokens = slice(start, start + chunk)
        q, k, v = phi_Q[..., tokens, :], phi_K[..., tokens, :], V[..., tokens, :]
        A = np.tril(q @ k.mT)  # (..., C, C)
        numerator = q @ S + A @ v
        denominator = q @ Z + A.sum(axis=-1, keepdims=True)
        Y[..., tokens, :] = numerator / denominator
        S, Z = S + k.mT @ v, Z + k.sum(axis=-2)[..., None]
    return Y


def buggy_chunked_attention(phi_Q, phi_K, V, chunk):
    """Causal linear attention, `chunk` tokens at a time.

    phi_Q, phi_K (..., N, r), both positive; V (..., N, m); chunk: a whole number, at least 1
    ->  Y (..., N, m), the same for every chunk

    With this version models train to a loss that is too good to be true, the better the larger the
    chunk; and what they write, token by token, is noise. With chunks of 1 nothing is wrong. Find
    the one wrong line.
    """
    S = np.zeros((*V.shape[:-2], phi_K.shape[-1], V.shape[-1]))
    Z = np.zeros((*V.shape[:-2], phi_K.shape[-1], 1))
    Y = np.zeros_like(V)
    for start in range(0, V.shape[-2], chunk):
        tokens = slice(start, start + chunk)
        q, k, v = phi_Q[..., tokens, :], phi_K[..., tokens, :], V[..., tokens, :]
        A = q @ k.mT  # (..., C, C)
        numerator = q @ S + A @ v
        denominator = q @ Z + A.sum(axis=-1, keepdims=True)
        Y[..., tokens, :] = numerator / denominator
        S, Z = S + k.mT @ v, Z + k.sum(axis=-2)[..., None]
    return Y


def sequences(rng):
    for batch, n, r, m, chunk in [
        ((), 2, 2, 1, 1),
        ((), 3, 2, 2, 2),
        ((), 4, 3, 2, 4),
        ((2,), 5, 2, 3, 2),
        ((2, 3), 4, 3, 3, 3),
        ((), 7, 2, 2, 3),
    ]:
        phi_Q, phi_K = (rng.random(size=(*batch, n, r)) + 0.1 for _ in range(2))
        yield dict(phi_Q=phi_Q, phi_K=phi_K, V=rng.normal(size=(*batch, n, m)), chunk=chunk)


chunked_attention = Exercise(
    chunked_attention,
    start=buggy_chunked_attention,
    level=2,
    minutes=10,
    cases=sequences,
    hints=(
        "Too good a loss: the model knows something that it should not. Whom does the first "
        "token of a chunk hear?",
        "Two tokens, one chunk. Write down the four numbers of A. Which of them may be used?",
        "S holds what came before the chunk, and it grows after it was read: that is right. "
        "Inside the chunk a row of A must not reach beyond its own token: `np.tril`.",
    ),
)


def _attend(phi_Q, phi_K, V, chunk, mask=np.tril, grown=False, forget=False):
    S = np.zeros((*V.shape[:-2], phi_K.shape[-1], V.shape[-1]))
    Z, Y = np.zeros((*V.shape[:-2], phi_K.shape[-1], 1)), np.zeros_like(V)
    for start in range(0, V.shape[-2], chunk):
        tokens = slice(start, start + chunk)
        q, k, v = phi_Q[..., tokens, :], phi_K[..., tokens, :], V[..., tokens, :]
        new = k.mT @ v, k.sum(axis=-2)[..., None]
        if grown:
            S, Z = S + new[0], Z + new[1]
        A = mask(q @ k.mT)
        with np.errstate(all="ignore"):
            Y[..., tokens, :] = (q @ S + A @ v) / (q @ Z + A.sum(axis=-1, keepdims=True))
        if forget:
            S, Z = new
        elif not grown:
            S, Z = S + new[0], Z + new[1]
    return Y


@chunked_attention.mistake(
    """A token does not hear itself now, and the very first divides zero by zero. Does the
    diagonal of A belong to the past, the present or the future?"""
)
def without_the_diagonal(phi_Q, phi_K, V, chunk):
    return _attend(phi_Q, phi_K, V, chunk, mask=lambda A: np.tril(A, -1))


@chunked_attention.mistake(
    """You keep the upper triangle: a token hears itself and those behind it. Rows of A are
    queries: on which side of the diagonal is the past?"""
)
def upper_triangle(phi_Q, phi_K, V, chunk):
    return _attend(phi_Q, phi_K, V, chunk, mask=np.triu)


@chunked_attention.mistake(
    """You keep the diagonal alone: inside a chunk a token hears itself and nobody else. May token
    1 of a chunk not hear token 0?"""
)
def diagonal_alone(phi_Q, phi_K, V, chunk):
    return _attend(phi_Q, phi_K, V, chunk, mask=lambda A: A * np.eye(A.shape[-1]))


@chunked_attention.mistake(
    """The mask is right, but S and Z grow before they are read: all of the chunk is in them when
    its first token asks. That line stood in its right place."""
)
def grows_before_it_reads(phi_Q, phi_K, V, chunk):
    return _attend(phi_Q, phi_K, V, chunk, grown=True)


@chunked_attention.mistake(
    """The mask is right, but S and Z now hold the last chunk alone: what came before is
    forgotten. That line was right as it was."""
)
def remembers_one_chunk(phi_Q, phi_K, V, chunk):
    return _attend(phi_Q, phi_K, V, chunk, forget=True)


@chunked_attention.mistake(
    """You take every token by itself in effect, or all at once: no mask, and the denominator
    without the future. Numerator and denominator must be of the same tokens. Where does one mask
    serve both?"""
)
def denominator_alone(phi_Q, phi_K, V, chunk):
    right = _attend(phi_Q, phi_K, V, chunk)
    S = np.zeros((*V.shape[:-2], phi_K.shape[-1], V.shape[-1]))
    Y = np.zeros_like(V)
    denominators = (phi_Q * np.cumsum(phi_K, axis=-2)).sum(axis=-1, keepdims=True)
    for start in range(0, V.shape[-2], chunk):
        tokens = slice(start, start + chunk)
        q, k, v = phi_Q[..., tokens, :], phi_K[..., tokens, :], V[..., tokens, :]
        S = S + k.mT @ v
        Y[..., tokens, :] = q @ S / denominators[..., tokens, :]
    return Y + 0 * right


@chunked_attention.mistake(
    """The numerator is masked, the denominator still sums whole rows of A: the weights of a token
    sum to less than one. Where does one mask serve both?"""
)
def numerator_alone_is_masked(phi_Q, phi_K, V, chunk):
    Y = _attend(phi_Q, phi_K, V, chunk)
    place = np.arange(V.shape[-2])
    end = np.minimum((place // chunk + 1) * chunk, len(place)) - 1  # the last token that is summed
    sums = np.cumsum(phi_K, axis=-2)
    right, wrong = ((phi_Q * Z).sum(axis=-1, keepdims=True) for Z in (sums, sums[..., end, :]))
    return Y * right / wrong


@chunked_attention.mistake(
    """There is no mask yet, and S and Z now grow before they are read: all of the chunk is heard
    twice. That line stood in its right place. Which product is of pairs inside the chunk?"""
)
def grows_first_without_a_mask(phi_Q, phi_K, V, chunk):
    return _attend(phi_Q, phi_K, V, chunk, mask=lambda A: A, grown=True)


@chunked_attention.mistake(
    """You cut a triangle out of the keys, whose axes are features and tokens. The future is a
    question of two tokens: which array has a row for one and a column for the other?"""
)
def triangle_of_the_keys(phi_Q, phi_K, V, chunk):
    Y = np.zeros_like(V)
    S = np.zeros((*V.shape[:-2], phi_K.shape[-1], V.shape[-1]))
    Z = np.zeros((*V.shape[:-2], phi_K.shape[-1], 1))
    for start in range(0, V.shape[-2], chunk):
        tokens = slice(start, start + chunk)
        q, k, v = phi_Q[..., tokens, :], phi_K[..., tokens, :], V[..., tokens, :]
        A = q @ np.tril(k.mT)
        Y[..., tokens, :] = (q @ S + A @ v) / (q @ Z + A.sum(axis=-1, keepdims=True))
        S, Z = S + k.mT @ v, Z + k.sum(axis=-2)[..., None]
    return Y
