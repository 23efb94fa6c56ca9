"""Writing word after word: keep what is likely."""

import numpy as np
import torch

from tutorial_lib.checking import Exercise
from tutorial_lib.training import generation


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
    minutes=20,
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
    """Each hypothesis gets its own best next word, and no second one: that is greedy search from K
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
    """The repeated `end` of a finished hypothesis is free, as it should be, but its other words are
    still open: a text that has ended grows new words after its end. What is the probability of
    each of those?"""
)
def leaves_other_words_open(scores, log_p, finished, end, width):
    log_p = log_p.clone()
    log_p[finished, end] = 0.0
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
    """You divide by the number of hypotheses to find row and column. The flat table holds row after
    row, and each row has an entry for every word: how long is a row?"""
)
def divides_by_the_hypotheses(scores, log_p, finished, end, width):
    closed = torch.full_like(log_p, -torch.inf)
    closed[:, end] = 0.0
    totals = (scores[:, None] + torch.where(finished[:, None], closed, log_p)).flatten()
    possible = int((totals > -torch.inf).sum())
    scores, best = totals.topk(min(width, possible))
    return scores, best // len(log_p), best % len(log_p)


@beam_step.mistake(
    """Among what you keep are texts with a score of −∞, which cannot be: a finished one that goes
    on with another word, or a word of probability zero. They come when the beam is wider than
    what is possible. How many entries of the table may be kept at most?"""
)
def keeps_the_impossible(scores, log_p, finished, end, width):
    closed = torch.full_like(log_p, -torch.inf)
    closed[:, end] = 0.0
    totals = (scores[:, None] + torch.where(finished[:, None], closed, log_p)).flatten()
    scores, best = totals.topk(min(width, len(totals)))
    return scores, best // log_p.shape[1], best % log_p.shape[1]


@beam_step.mistake(
    """You sort the whole table and cut at `width`. Where the beam is wider than what is possible,
    texts with a score of −∞ slip in: a finished one with another word, or a word of probability
    zero. Where in the sorted table do those stand, and how many places come before them?"""
)
def sorts_the_impossible_in(scores, log_p, finished, end, width):
    closed = torch.full_like(log_p, -torch.inf)
    closed[:, end] = 0.0
    totals = (scores[:, None] + torch.where(finished[:, None], closed, log_p)).flatten()
    scores, best = totals.sort(descending=True, stable=True)
    scores, best = scores[:width], best[:width]
    return scores, best // log_p.shape[1], best % log_p.shape[1]


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


@beam_step.mistake(
    """The right ways to go on, in the order of the table: the task wants them best first. Whoever
    takes the first one for the answer takes any."""
)
def in_the_order_of_the_table(scores, log_p, finished, end, width):
    scores, parents, words = generation.beam_step(scores, log_p, finished, end, width)
    order = (parents * log_p.shape[1] + words).argsort()
    return scores[order], parents[order], words[order]
