"""Writing word after word: draw among what is likely."""

import torch

from tutorial_lib.checking import Exercise
from tutorial_lib.training import generation


def scores_of_words(rng):
    for B, V, temperature, k, mass in [
        (1, 4, 1.0, 3, 0.9),
        (2, 5, 0.5, 5, 0.7),
        (3, 6, 2.0, 2, 1.0),
        (2, 3, 1.0, 3, 1.0),
        (2, 5, 1.5, 1, 0.6),
        (3, 7, 0.8, 4, 0.5),
        (1, 4, 1.0, 4, 0.01),  # the first word alone has more
    ]:
        logits = torch.from_numpy(2 * rng.normal(size=(B, V))).float()
        yield dict(logits=logits, temperature=temperature, k=k, mass=mass)
    logits = torch.tensor([[900.0, 901.0, -900.0], [-torch.inf, 0.0, 1.0]])  # exp overflows
    yield dict(logits=logits, temperature=0.9, k=3, mass=0.99)
    logits = torch.tensor([[0.1, 0.5, 0.3, 0.1]], dtype=torch.float64).log()
    yield dict(logits=logits, temperature=1.0, k=2, mass=0.6)  # 0.5 of 0.8 is enough
    logits = torch.tensor([[0.0, 1.0, 0.0, 0.0], [1.0, 1.0, 1.0, 0.0]], dtype=torch.float64)
    yield dict(logits=logits, temperature=1.0, k=2, mass=1.0)  # among equals the first


likely_words = Exercise(
    generation.likely_words,
    level=3,
    minutes=15,
    cases=scores_of_words,
    hints=(
        "Sort each row of probabilities, the largest first, and keep where each came from. In the "
        "sorted row both cuts are easy to see.",
        "`p.cumsum(-1) - p` is, for each word, the sum of those before it. After top-k the rest "
        "must sum to one again before `mass` is measured.",
        "`p, order = softmax.sort(dim=-1, descending=True, stable=True)`; zeros from place k on; "
        "divide by the sum; zeros where the sum before is at least `mass`; divide again; "
        "`torch.zeros_like(p).scatter(-1, order, p)` puts them back.",
    ),
)


def _likely(logits, temperature, k, mass, *, p=None, before=None, again=True, last=True, back=True):
    """`likely_words` with one thing changed."""
    p = (logits / temperature).softmax(-1) if p is None else p
    p, order = p.sort(dim=-1, descending=True, stable=True)
    p[:, k:] = 0
    p = p / p.sum(-1, keepdim=True) if again else p
    sums = p.cumsum(-1) - p if before is None else before(p)
    p = p.masked_fill(sums >= mass, 0)
    p = p / p.sum(-1, keepdim=True) if last else p
    return torch.zeros_like(p).scatter(-1, order, p) if back else p


@likely_words.mistake(
    """You multiply by the temperature. A low one should make the likely words likelier: is a
    difference of scores larger or smaller after yours?"""
)
def multiplies_by_the_temperature(logits, temperature, k, mass):
    return _likely(logits, 1 / temperature, k, mass)


@likely_words.mistake(
    """The temperature does nothing. Where do the scores meet it, before the softmax or behind? What
    divides all probabilities is undone when they are made to sum to one."""
)
def ignores_the_temperature(logits, temperature, k, mass):
    return _likely(logits, 1.0, k, mass)


@likely_words.mistake(
    """The word that carries the sum past `mass` is cut off too; where the first word alone has
    more, none is left, and 0 / 0 is NaN. Of which words does the sum decide whether a word
    stays?"""
)
def cuts_the_last_one_too(logits, temperature, k, mass):
    return _likely(logits, temperature, k, mass, before=lambda p: p.cumsum(-1) - 1e-7)


@likely_words.mistake(
    """You measure `mass` on all words, before top-k or without making those that it leaves sum to
    one again: too many stay. Of which words is `mass` a share?"""
)
def mass_of_what_is_left(logits, temperature, k, mass):
    return _likely(logits, temperature, k, mass, again=False)


@likely_words.mistake(
    """The probabilities come back sorted: place j no longer belongs to word j, and you would write
    the wrong words. How do they find their places again?"""
)
def stay_sorted(logits, temperature, k, mass):
    return _likely(logits, temperature, k, mass, back=False)


@likely_words.mistake(
    """They are put back by looking up `order` once more, which undoes the sorting only where it
    swaps pairs. `order` says where each came *from*; where does each go?"""
)
def gathers_instead_of_scattering(logits, temperature, k, mass):
    p = (logits / temperature).softmax(-1)
    order = p.sort(dim=-1, descending=True, stable=True)[1]
    return _likely(logits, temperature, k, mass, back=False).gather(-1, order)


@likely_words.mistake(
    """The rows do not sum to one: what was cut off is missing. What makes them a distribution
    again?"""
)
def does_not_sum_to_one(logits, temperature, k, mass):
    p = (logits / temperature).softmax(-1)
    return torch.where(generation.likely_words(logits, temperature, k, mass) > 0, p, 0.0)


@likely_words.mistake("""The k *least* likely words stay. Which end of the sorted row is kept?""")
def keeps_the_unlikely(logits, temperature, k, mass):
    return generation.likely_words(-logits, temperature, k, mass)


@likely_words.mistake(
    """`k` cuts nothing off: words beyond the k most likely are drawn too. Where in the sorted row
    do those stand?"""
)
def ignores_k(logits, temperature, k, mass):
    return generation.likely_words(logits, temperature, logits.shape[-1], mass)


@likely_words.mistake(
    """`mass` cuts nothing off: your version is top-k alone. When has a row had enough?"""
)
def ignores_the_mass(logits, temperature, k, mass):
    return generation.likely_words(logits, temperature, k, 1.0)


@likely_words.mistake(
    """`exp` overflows: of scores near 900 nothing but NaN is left. `softmax` subtracts the largest
    first."""
)
def overflows(logits, temperature, k, mass):
    p = (logits / temperature).exp()
    return _likely(logits, temperature, k, mass, p=p / p.sum(-1, keepdim=True))


@likely_words.mistake(
    """The word that carries the sum to `mass` is cut off too, unless it is the first. It belongs to
    those that stay: does your sum hold the word itself, or those before it?"""
)
def cuts_all_but_the_first(logits, temperature, k, mass):
    def sums(p):
        own = p.cumsum(-1) - 1e-7
        own[..., 0] = 0
        return own

    return _likely(logits, temperature, k, mass, before=sums)


@likely_words.mistake(
    """After top-p the rows do not sum to one: what it cut off is missing. You divided once, behind
    top-k; what makes them a distribution again?"""
)
def not_again_behind_top_p(logits, temperature, k, mass):
    return _likely(logits, temperature, k, mass, last=False)


@likely_words.mistake(
    """The temperature comes last: what stays was chosen at temperature 1. When are the scores
    divided by it?"""
)
def temperature_behind_the_cuts(logits, temperature, k, mass):
    p = _likely(logits, 1.0, k, mass) ** (1 / temperature)
    return p / p.sum(-1, keepdim=True)


@likely_words.mistake(
    """More than k words stay where several are as likely as the k-th: you compare with its
    probability. Among equals, which ones does the task keep?"""
)
def keeps_all_equals(logits, temperature, k, mass):
    p = (logits / temperature).softmax(-1)
    kth = p.sort(dim=-1, descending=True)[0][..., k - 1 : k]
    return _likely(logits, temperature, p.shape[-1], mass, p=p.masked_fill(p < kth, 0))
