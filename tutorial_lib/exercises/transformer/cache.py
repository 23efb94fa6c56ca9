"""Writing word after word: keep what was computed."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch.attention import attention, softmax


def attend_with_cache(x, K, V, W_Q, W_K, W_V):
    """Causal self-attention for the newest token alone.

    x (..., 1, D)    the newest token
    K (..., n, d), V (..., n, d_v)  the cache: keys and values of the n tokens before it, oldest
                     first; n may be 0
    W_Q (D, d), W_K (D, d), W_V (D, d_v)
    ->  z (..., 1, d_v), what causal attention over all n + 1 tokens gives for the last one, and the
        cache for the next token: K (..., n + 1, d), V (..., n + 1, d_v)

    The earlier tokens are not there any more, and nothing about them is computed twice.
    """
    K = np.concatenate([K, x @ W_K], axis=-2)  # (..., n + 1, d)
    V = np.concatenate([V, x @ W_V], axis=-2)  # (..., n + 1, d_v)
    z, _ = attention(x @ W_Q, K, V)  # (..., 1, d_v)
    return z, K, V


def tokens_and_caches(rng):
    sizes = [
        ((), 0, 2, 3, 1),
        ((), 1, 2, 3, 2),
        ((), 3, 4, 2, 2),
        ((), 2, 3, 3, 3),
    ]
    sizes += [((2,), 1, 2, 2, 2), ((3, 2), 2, 2, 4, 3), ((2,), 0, 3, 2, 1)]
    for batch, n, D, d, d_v in sizes:
        shapes = [(*batch, 1, D), (*batch, n, d), (*batch, n, d_v), (D, d), (D, d), (D, d_v)]
        yield dict(zip(("x", "K", "V", "W_Q", "W_K", "W_V"), (rng.normal(size=s) for s in shapes)))
    yield {name: value.astype(np.float32) for name, value in _large(rng).items()}


def _large(rng):
    """Scores of several hundred: the weights are nearly zero and one."""
    shapes = dict(x=(1, 2), K=(2, 2), V=(2, 2), W_Q=(2, 2), W_K=(2, 2), W_V=(2, 2))
    return {name: 10 * rng.normal(size=shape) for name, shape in shapes.items()}


attend_with_cache = Exercise(
    attend_with_cache,
    level=2,
    minutes=10,
    cases=tokens_and_caches,
    hints=(
        "The last row of causal attention needs one query and all keys and values. Which of them "
        "are in the cache already?",
        "Make the newest token's own key and value and append them as the last row, "
        "`np.concatenate(..., axis=-2)`. May the newest token look at all of them?",
        "Append x W_K to K and x W_V to V, then attend with the one query x W_Q and no mask. "
        "Return the output and the longer K and V.",
    ),
)


@attend_with_cache.mistake(
    """You overwrite the cache: it holds the newest token only, which then attends to itself. What
    has become of the tokens before it?"""
)
def overwrites_the_cache(x, K, V, W_Q, W_K, W_V):
    k, v = x @ W_K, x @ W_V
    return attention(x @ W_Q, k, v)[0], k, v


@attend_with_cache.mistake(
    """You drop the oldest token when the newest comes, so the cache never grows and something is
    forgotten at each step. How many tokens may the newest one look at?"""
)
def drops_the_oldest(x, K, V, W_Q, W_K, W_V):
    _, K, V = attend_with_cache.reference(x, K, V, W_Q, W_K, W_V)
    K, V = K[..., 1:, :], V[..., 1:, :]
    return attention(x @ W_Q, K, V)[0], K, V


@attend_with_cache.mistake(
    """The output is right and the cache comes back as it was: the next token will not know this
    one. What should stay behind of the newest token?"""
)
def returns_the_old_cache(x, K, V, W_Q, W_K, W_V):
    return attend_with_cache.reference(x, K, V, W_Q, W_K, W_V)[0], K, V


@attend_with_cache.mistake(
    """The newest token is put before the oldest. Attention without a mask does not mind, so your
    output is right, but row i of the cache is no longer token i: a mask or a relative position
    would hit the wrong one."""
)
def newest_first(x, K, V, W_Q, W_K, W_V):
    K = np.concatenate([x @ W_K, K], axis=-2)
    V = np.concatenate([x @ W_V, V], axis=-2)
    return attention(x @ W_Q, K, V)[0], K, V


@attend_with_cache.mistake(
    """You attend first and append afterwards: the newest token cannot see itself, and the very
    first one finds nothing at all. Does a causal mask hide a token from itself?"""
)
def attends_before_appending(x, K, V, W_Q, W_K, W_V):
    z, _ = attention(x @ W_Q, K, V)
    return z, np.concatenate([K, x @ W_K], axis=-2), np.concatenate([V, x @ W_V], axis=-2)


@attend_with_cache.mistake(
    """You append the query to the keys. An earlier token is found by its key; who will ever need
    its query again?"""
)
def caches_the_query(x, K, V, W_Q, W_K, W_V):
    return attend_with_cache.reference(x, K, V, W_Q, W_Q, W_V)


@attend_with_cache.mistake(
    """You append the token itself, x, to both caches. It runs only where D, d and d_v are equal,
    and the rows of the cache are keys and values already. What became of the old tokens before
    they were put there?"""
)
def caches_raw_tokens(x, K, V, W_Q, W_K, W_V):
    K, V = np.concatenate([K, x], axis=-2), np.concatenate([V, x], axis=-2)
    return attention(x @ W_Q, K, V)[0], K, V


@attend_with_cache.mistake(
    """The cache is right, the output is not: your scores are not scaled, so the weights are too
    sharp. By what does attention divide q · k, with a cache as without one?"""
)
def without_the_scale(x, K, V, W_Q, W_K, W_V):
    _, K, V = attend_with_cache.reference(x, K, V, W_Q, W_K, W_V)
    return softmax(x @ W_Q @ K.mT) @ V, K, V


@attend_with_cache.mistake(
    """You lay a causal mask over the one query as if it were the first of all: it sees the oldest
    token and nothing else. Which row of the causal mask belongs to the newest token, and what
    does it hide?"""
)
def masked_as_the_first(x, K, V, W_Q, W_K, W_V):
    _, K, V = attend_with_cache.reference(x, K, V, W_Q, W_K, W_V)
    mask = np.tril(np.ones((1, K.shape[-2]), dtype=bool))
    return attention(x @ W_Q, K, V, mask)[0], K, V


@attend_with_cache.mistake(
    """You append along the first axis. In a batch that axis counts the texts; which one counts the
    tokens, whatever the number of axes?"""
)
def appends_to_the_batch(x, K, V, W_Q, W_K, W_V):
    K, V = np.concatenate([K, x @ W_K], axis=0), np.concatenate([V, x @ W_V], axis=0)
    return attention(x @ W_Q, K, V)[0], K, V
