"""What came after: a memory that corrects instead of adding."""

import torch

from tutorial_lib.checking import Exercise
from tutorial_lib.layers import linear_attention as layers


def tokens_and_memories(rng):
    for batch, r, m in [((), 2, 1), ((), 2, 3), ((), 3, 3), ((2,), 3, 2), ((2, 3), 2, 4)]:
        k = torch.from_numpy(rng.normal(size=(*batch, r)))
        case = dict(
            q=torch.from_numpy(rng.normal(size=(*batch, r))),
            k=k / k.norm(dim=-1, keepdim=True),
            v=torch.from_numpy(rng.normal(size=(*batch, m))),
            beta=torch.from_numpy(rng.uniform(0.2, 0.9, size=(*batch, 1))),
            S=torch.from_numpy(rng.normal(size=(*batch, r, m))),
        )
        yield {name: x.requires_grad_() for name, x in case.items()}


delta_step = Exercise(
    layers.delta_step,
    level=2,
    minutes=10,
    cases=tokens_and_memories,
    hints=(
        "First ask the memory what it holds under k. Then write the difference to v.",
        "Sᵀ k for any batch is `(k[..., None, :] @ S).squeeze(-2)`. The difference is a vector "
        "(m,); what is written is an outer product again.",
        "`held = (k[..., None, :] @ S).squeeze(-2)`, `S = S + k[..., :, None] * (beta * (v - "
        "held))[..., None, :]`, then read with q.",
    ),
)


def _read(q, S):
    return (q[..., None, :] @ S).squeeze(-2)


def _write(k, what, S):
    return S + k[..., :, None] * what[..., None, :]


@delta_step.mistake(
    """This adds, as linear attention does: what was filed under k before is still there. What has
    to be taken away first?"""
)
def adds_only(q, k, v, beta, S):
    S = _write(k, beta * v, S)
    return _read(q, S), S


@delta_step.mistake(
    """β is missing, so every token overwrites all of what it finds. How much is corrected?"""
)
def corrects_all(q, k, v, beta, S):
    S = _write(k, v - _read(k, S), S)
    return _read(q, S), S


@delta_step.mistake(
    """β stands at the new value alone, so the old one is taken away whole. To what does β
    belong?"""
)
def beta_at_the_new_alone(q, k, v, beta, S):
    S = _write(k, beta * v - _read(k, S), S)
    return _read(q, S), S


@delta_step.mistake(
    """You take away what the query finds, not what is filed under the key. Under which of the two
    is the new value going to lie?"""
)
def takes_away_what_the_query_finds(q, k, v, beta, S):
    S = _write(k, beta * (v - _read(q, S)), S)
    return _read(q, S), S


@delta_step.mistake(
    """y is read before the memory is corrected: the token does not see what it has written. In
    which order, says the task?"""
)
def reads_before_it_writes(q, k, v, beta, S):
    return _read(q, S), _write(k, beta * (v - _read(k, S)), S)


@delta_step.mistake(
    """The sign is wrong: you write what is held minus what is new, which pushes the memory away
    from the new value."""
)
def wrong_sign(q, k, v, beta, S):
    S = _write(k, beta * (_read(k, S) - v), S)
    return _read(q, S), S


@delta_step.mistake(
    """β stands at what is held alone, and the new value is written whole. To what does β
    belong?"""
)
def beta_at_the_old_alone(q, k, v, beta, S):
    S = _write(k, v - beta * _read(k, S), S)
    return _read(q, S), S


@delta_step.mistake(
    """All of S fades, also what is filed under other keys. The delta rule takes away only what k
    finds: which direction of S is that?"""
)
def all_of_it_fades(q, k, v, beta, S):
    S = _write(k, beta * v, (1 - beta)[..., None] * S)
    return _read(q, S), S


@delta_step.mistake(
    """S is right, but you divide what the query reads. The delta rule has no denominator, says the
    task: y is Sᵀ q."""
)
def divides(q, k, v, beta, S):
    S = _write(k, beta * (v - _read(k, S)), S)
    return _read(q, S) / (q * k).sum(dim=-1, keepdim=True), S


@delta_step.mistake("""S is right, but y is read with the key. Which of the two looks up?""")
def reads_with_the_key(q, k, v, beta, S):
    S = _write(k, beta * (v - _read(k, S)), S)
    return _read(k, S), S
