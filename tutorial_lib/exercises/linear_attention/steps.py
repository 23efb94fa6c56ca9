"""One token more: attention as a recurrent network, in PyTorch."""

import torch

from tutorial_lib.checking import Exercise
from tutorial_lib.layers import linear_attention as layers


def tokens_and_states(rng):
    for batch, r, m, past in [
        ((), 2, 1, 0),
        ((), 2, 3, 2),
        ((), 3, 3, 4),
        ((2,), 1, 2, 3),
        ((2, 3), 3, 2, 2),
        ((2, 2), 4, 4, 1),
    ]:
        keys = torch.from_numpy(rng.random(size=(*batch, past, r))) + 0.1
        values = torch.from_numpy(rng.normal(size=(*batch, past, m)))
        case = dict(
            phi_q=torch.from_numpy(rng.random(size=(*batch, r))) + 0.1,
            phi_k=torch.from_numpy(rng.random(size=(*batch, r))) + 0.1,
            v=torch.from_numpy(rng.normal(size=(*batch, m))),
            S=keys.mT @ values,
            Z=keys.sum(dim=-2),
        )
        yield {name: x.requires_grad_() for name, x in case.items()}


recurrent_step = Exercise(
    layers.recurrent_step,
    level=2,
    minutes=10,
    cases=tokens_and_states,
    hints=(
        "One turn of the loop that you have written, with the sums coming in and going out.",
        "`phi_k[..., :, None] * v[..., None, :]` is φ(k) vᵀ for any batch. `S += ...` would "
        "change the tensor of whoever called you.",
        "`S = S + ...`, `Z = Z + phi_k`; the numerator is `phi_q[..., None, :] @ S` without its "
        "axis of size 1, the denominator `(phi_q * Z).sum(dim=-1, keepdim=True)`.",
    ),
)


def _outer(a, b):
    return a[..., :, None] * b[..., None, :]


def _read(phi_q, S, Z):
    return (phi_q[..., None, :] @ S).squeeze(-2) / (phi_q * Z).sum(dim=-1, keepdim=True)


@recurrent_step.mistake(
    """The token reads before it is in the sums: it does not hear itself, and the first one
    divides zero by zero. In which order?"""
)
def reads_before_it_adds(phi_q, phi_k, v, S, Z):
    return _read(phi_q, S, Z), S + _outer(phi_k, v), Z + phi_k


@recurrent_step.mistake(
    """Z does not grow: the numerator has one token more than the denominator, so the weights sum
    to more than one. What belongs to every φ(k) vᵀ that is added?"""
)
def forgets_the_denominator(phi_q, phi_k, v, S, Z):
    S = S + _outer(phi_k, v)
    return _read(phi_q, S, Z), S, Z


@recurrent_step.mistake(
    """What you hand on are the old S and Z: the next token will not know of this one. What does a
    recurrent network pass to its next step?"""
)
def hands_the_old_state_on(phi_q, phi_k, v, S, Z):
    return _read(phi_q, S + _outer(phi_k, v), Z + phi_k), S, Z


@recurrent_step.mistake(
    """The division is missing: what comes out grows with every token. By what does the formula
    divide?"""
)
def never_divides(phi_q, phi_k, v, S, Z):
    S = S + _outer(phi_k, v)
    return (phi_q[..., None, :] @ S).squeeze(-2), S, Z + phi_k


@recurrent_step.mistake(
    """S and Z hold this token alone: you put it in the place of the sums, and what comes out is v
    itself. What becomes of the tokens before?"""
)
def forgets_the_past(phi_q, phi_k, v, S, Z):
    S, Z = _outer(phi_k, v), phi_k
    return _read(phi_q, S, Z), S, Z


@recurrent_step.mistake(
    """You write under the query: φ(q) vᵀ goes into S. Later tokens look for what the key says.
    Which of the two is filed, and which looks up?"""
)
def files_under_the_query(phi_q, phi_k, v, S, Z):
    S, Z = S + _outer(phi_q, v), Z + phi_q
    return _read(phi_q, S, Z), S, Z


@recurrent_step.mistake(
    """Your denominator is the sum of Z over its features, the same for every query. The weights
    are φ(q)·φ(k_j): what do they sum to?"""
)
def denominator_without_the_query(phi_q, phi_k, v, S, Z):
    S, Z = S + _outer(phi_k, v), Z + phi_k
    return (phi_q[..., None, :] @ S).squeeze(-2) / Z.sum(dim=-1, keepdim=True), S, Z


@recurrent_step.mistake(
    """You read the sums with the key: the query takes no part in what the token hears. Which of
    the two files, and which looks up?"""
)
def reads_with_the_key(phi_q, phi_k, v, S, Z):
    S, Z = S + _outer(phi_k, v), Z + phi_k
    return _read(phi_k, S, Z), S, Z


@recurrent_step.mistake(
    """The numerator holds this token, the denominator does not: it reads Z from before. The
    weights then sum to more than one. Which Z belongs to the new S?"""
)
def denominator_of_before(phi_q, phi_k, v, S, Z):
    S = S + _outer(phi_k, v)
    return _read(phi_q, S, Z), S, Z + phi_k


@recurrent_step.mistake(
    """S lies on its side: you add v φ(k)ᵀ, (m, r), to a sum of (r, m), which goes unnoticed only
    where the two are equal. Which of the two is the column?"""
)
def sums_on_their_side(phi_q, phi_k, v, S, Z):
    S, Z = S + _outer(v, phi_k), Z + phi_k
    return (S @ phi_q[..., None])[..., 0] / (phi_q * Z).sum(dim=-1, keepdim=True), S, Z


@recurrent_step.mistake(
    """What you hand on as S is divided by Z already: the next token adds to a mean as if it were
    a sum. Divide what the query has read, and hand the sums on as they are."""
)
def hands_a_quotient_on(phi_q, phi_k, v, S, Z):
    S, Z = S + _outer(phi_k, v), Z + phi_k
    S = S / Z[..., None]
    return (phi_q[..., None, :] @ S).squeeze(-2), S, Z


@recurrent_step.mistake(
    """y is right, but S and Z are means of before and now: the one half cancels in the fraction.
    What came first then fades with every token. What does the task call S and Z?"""
)
def means_instead_of_sums(phi_q, phi_k, v, S, Z):
    S, Z = (S + _outer(phi_k, v)) / 2, (Z + phi_k) / 2
    return _read(phi_q, S, Z), S, Z


@recurrent_step.mistake(
    """You count tokens in Z. It is the sum of the φ(k), a number for each feature: each key
    weighs what its features say. What is added to Z for this token?"""
)
def counts_in_the_denominator(phi_q, phi_k, v, S, Z):
    S, Z = S + _outer(phi_k, v), Z + 1
    return _read(phi_q, S, Z), S, Z
