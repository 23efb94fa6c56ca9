"""Writing word after word: keep what was computed, keep what is likely."""

import numpy as np
import torch

from tutorial_lib import generation
from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch.attention import attention


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
        ((), 0, 1, 1, 1),
        ((), 1, 1, 1, 1),
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
    minutes=15,
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


def hypotheses(rng):
    """Log-probabilities of hypotheses and of their next words; some have ended."""
    for finished, vocabulary, end, width in [
        ([0], 3, 0, 1),
        ([0], 4, 3, 2),
        ([0, 0], 3, 0, 2),
        ([0, 1], 3, 0, 2),
        ([0, 1], 3, 2, 3),
        ([0, 0, 1, 0], 5, 1, 3),
        ([1, 1], 4, 0, 3),
        ([1, 0], 2, 1, 9),
        ([0], 1, 0, 2),
    ]:
        logits = torch.from_numpy(2 * rng.normal(size=(len(finished), vocabulary)))
        # A beam's scores come sorted, best first.
        scores = torch.from_numpy(-np.sort(rng.uniform(0.5, 3.0, size=len(finished))))
        yield dict(
            scores=scores,
            log_p=logits.log_softmax(-1),
            finished=torch.tensor(finished, dtype=torch.bool),
            end=end,
            width=width,
        )
    probabilities = torch.tensor([[0.5, 0.0, 0.3, 0.2], [0.0, 1.0, 0.0, 0.0]])  # float32, some −∞
    finished = torch.zeros(2, dtype=torch.bool)
    scores = torch.tensor([-900.0, -900.2])  # a long text: the exponential underflows
    yield dict(scores=scores, log_p=probabilities.log(), finished=finished, end=0, width=5)


beam_step = Exercise(
    generation.beam_step,
    level=3,
    minutes=25,
    cases=hypotheses,
    hints=(
        "How likely is a longer text, if you know the log-probability of its beginning and that of "
        "its next word? Make a table (K, V) of all ways to go on.",
        "For a finished hypothesis, replace its row of log_p: certain for `end`, impossible for "
        "all other words. Then flatten the table: `topk` finds the best of all rows at once.",
        "`scores, best = totals.flatten().topk(...)`; place `best` of the flat table lies in row "
        "best // V, column best % V. Count the entries above −∞ to know how many may be kept.",
    ),
)


def _step(scores, log_p, finished, end, width, *, stay=0.0, totals=None):
    """`beam_step` with another score for staying, or another table of totals."""
    closed = torch.full_like(log_p, -torch.inf)
    closed[:, end] = stay
    log_p = torch.where(finished[:, None], closed, log_p)
    totals = scores[:, None] + log_p if totals is None else totals(scores[:, None], log_p)
    possible = int((totals > -torch.inf).sum())
    scores, best = totals.flatten().topk(min(width, possible))
    return scores, best // log_p.shape[1], best % log_p.shape[1]


@beam_step.mistake(
    """Each hypothesis gets its own best next word, and none dies: that is greedy search from K
    beginnings, side by side. Who competes with whom for a place in the beam?"""
)
def best_of_each(scores, log_p, finished, end, width):
    closed = torch.full_like(log_p, -torch.inf)
    closed[:, end] = 0.0
    log_p, words = torch.where(finished[:, None], closed, log_p).max(dim=1)
    scores, parents = (scores + log_p).topk(min(width, len(scores)))
    return scores, parents, words[parents]


@beam_step.mistake(
    """You rank by the last word alone and forget how likely the text before it was. A certain word
    after an unlikely beginning then wins against a likely text. Where do `scores` come in?"""
)
def forgets_the_scores(scores, log_p, finished, end, width):
    return _step(scores, log_p, finished, end, width, totals=lambda s, log_p: log_p)


@beam_step.mistake(
    """You multiply log-probabilities. Probabilities of successive words are multiplied; what do
    their logarithms do?"""
)
def multiplies_logarithms(scores, log_p, finished, end, width):
    return _step(scores, log_p, finished, end, width, totals=lambda s, log_p: s * log_p)


@beam_step.mistake(
    """Finished hypotheses go on writing after their end, and pay for each further word: what had
    ended well is soon pushed out of the beam. In which way, and at what cost, may they go on?"""
)
def extends_the_finished(scores, log_p, finished, end, width):
    return _step(scores, log_p, torch.zeros_like(finished), end, width)


@beam_step.mistake(
    """Finished hypotheses are thrown away: if the best text was a short one, it is lost. How can
    one stay in the beam without growing?"""
)
def drops_the_finished(scores, log_p, finished, end, width):
    return _step(scores, log_p, finished, end, width, stay=-torch.inf)


@beam_step.mistake(
    """A finished hypothesis pays for the `end` that it repeats. It was paid for once; with which
    probability does a text that has ended stay ended?"""
)
def pays_for_staying(scores, log_p, finished, end, width):
    others = torch.arange(log_p.shape[1]) != end
    log_p = log_p.masked_fill(finished[:, None] & others, -torch.inf)
    return _step(scores, log_p, torch.zeros_like(finished), end, width)


@beam_step.mistake(
    """Parents and words are exchanged: the flat table counts through the words of the first
    hypothesis, then through those of the second. How many entries lie between two rows?"""
)
def parents_for_words(scores, log_p, finished, end, width):
    scores, parents, words = generation.beam_step(scores, log_p, finished, end, width)
    return scores, words, parents


@beam_step.mistake(
    """The *least* likely texts stay. Log-probabilities are negative; which is the better one,
    −1 or −5?"""
)
def keeps_the_worst(scores, log_p, finished, end, width):
    closed = torch.full_like(log_p, -torch.inf)
    closed[:, end] = 0.0
    totals = scores[:, None] + torch.where(finished[:, None], closed, log_p)  # (K, V)
    possible = int((totals > -torch.inf).sum())
    scores, best = totals.flatten().topk(min(width, possible), largest=False)
    return scores, best // log_p.shape[1], best % log_p.shape[1]
