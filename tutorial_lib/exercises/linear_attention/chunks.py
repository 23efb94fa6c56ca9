"""Several tokens more: the form in which such models are trained."""

import torch
from torch.overrides import TorchFunctionMode

from tutorial_lib.checking import Exercise
from tutorial_lib.layers import linear_attention as layers


def chunks_and_states(rng):
    for batch, C, r, m, past in [
        ((), 2, 1, 1, 1),
        ((), 2, 2, 3, 0),
        ((), 1, 2, 2, 3),
        ((), 3, 3, 3, 2),
        ((2,), 4, 2, 3, 3),
        ((2, 3), 3, 4, 2, 2),
    ]:
        shapes = dict(phi_q=(C, r), phi_k=(C, r))
        case = {n: torch.from_numpy(rng.random(size=(*batch, *s))) + 0.1 for n, s in shapes.items()}
        keys = torch.from_numpy(rng.random(size=(*batch, past, r))) + 0.1
        values = torch.from_numpy(rng.normal(size=(*batch, past, m)))
        case["v"] = torch.from_numpy(rng.normal(size=(*batch, C, m)))
        case |= dict(S=keys.mT @ values, Z=keys.sum(dim=-2))
        yield {name: x.requires_grad_() for name, x in case.items()}


class Calls(TorchFunctionMode):
    """Counts the calls of PyTorch below it."""

    count = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        self.count += 1
        return function(*args, **(kwargs or {}))


class WithoutALoop(Exercise):
    """An exercise whose task forbids a loop over the tokens."""

    def beside_the_tries(self, answer):
        counts = []
        for C in (8, 40):
            with Calls() as calls:
                answer(*(torch.ones(C, 2) for _ in range(3)), torch.zeros(2, 2), torch.zeros(2))
            counts.append(calls.count)
        if counts[1] < 2 * counts[0]:
            return ""
        return (
            f"the numbers are right, but {counts[0]} calls of PyTorch for 8 tokens become "
            f"{counts[1]} for 40: there is a loop over the tokens. The task allows none: which "
            "product holds all pairs of the chunk?"
        )


attend_chunk = WithoutALoop(
    layers.attend_chunk,
    level=3,
    minutes=20,
    cases=chunks_and_states,
    hints=(
        "Numerator and denominator are sums over all earlier tokens. Split each into the tokens "
        "before the chunk and those of the chunk.",
        "The first part is what every query of the chunk reads from S and Z. The second is the "
        "definition, C × C weights, with a mask. Add before you divide.",
        "`A = (phi_q @ phi_k.mT).tril()`; numerator `phi_q @ S + A @ v`; denominator `phi_q @ "
        "Z[..., None] + A.sum(dim=-1, keepdim=True)`; then S and Z grow by the sums over the "
        "chunk.",
    ),
)


def _parts(phi_q, phi_k, v, S, Z, mask=torch.tril):
    """Numerators and denominators of the past and of the chunk."""
    A = mask(phi_q @ phi_k.mT)
    return (phi_q @ S, A @ v), (phi_q @ Z[..., None], A.sum(dim=-1, keepdim=True))


def _grown(phi_k, v, S, Z):
    return S + phi_k.mT @ v, Z + phi_k.sum(dim=-2)


@attend_chunk.mistake(
    """No mask inside the chunk: a token hears those behind it in the same chunk. Training will
    look too good to be true. Which of the C × C weights are allowed?"""
)
def no_mask_in_the_chunk(phi_q, phi_k, v, S, Z):
    (a, b), (c, d) = _parts(phi_q, phi_k, v, S, Z, mask=lambda A: A)
    return (a + b) / (c + d), *_grown(phi_k, v, S, Z)


@attend_chunk.mistake(
    """A token does not hear itself: your mask leaves the diagonal out. Which tokens may token i
    hear?"""
)
def without_the_diagonal(phi_q, phi_k, v, S, Z):
    (a, b), (c, d) = _parts(phi_q, phi_k, v, S, Z, mask=lambda A: A.tril(-1))
    return (a + b) / (c + d), *_grown(phi_k, v, S, Z)


@attend_chunk.mistake(
    """What came before the chunk is not heard: each chunk begins anew. Which two arguments carry
    the past, and where do they go into the fraction?"""
)
def forgets_the_past(phi_q, phi_k, v, S, Z):
    (_, b), (_, d) = _parts(phi_q, phi_k, v, S, Z)
    return b / d, *_grown(phi_k, v, S, Z)


@attend_chunk.mistake(
    """Each part is divided by its own sum and then they are added: the weights of a token sum to
    two. A fraction of sums is no sum of fractions. When does the division come?"""
)
def divides_each_part(phi_q, phi_k, v, S, Z):
    (a, b), (c, d) = _parts(phi_q, phi_k, v, S, Z)
    return a / c.clamp(min=1e-300) + b / d, *_grown(phi_k, v, S, Z)


@attend_chunk.mistake(
    """The denominator lacks the past: Z is not in it. What did S bring into the numerator?"""
)
def denominator_of_the_chunk(phi_q, phi_k, v, S, Z):
    (a, b), (_, d) = _parts(phi_q, phi_k, v, S, Z)
    return (a + b) / d, *_grown(phi_k, v, S, Z)


@attend_chunk.mistake(
    """You let S and Z grow first and read them then: every token hears the whole chunk, and those
    before it in the chunk twice. Which sums belong to the time before the chunk?"""
)
def grows_before_it_reads(phi_q, phi_k, v, S, Z):
    S, Z = _grown(phi_k, v, S, Z)
    (a, b), (c, d) = _parts(phi_q, phi_k, v, S, Z)
    return (a + b) / (c + d), S, Z


@attend_chunk.mistake(
    """y is right, but S and Z are handed on as they came: the next chunk will not know of this
    one."""
)
def hands_the_old_state_on(phi_q, phi_k, v, S, Z):
    (a, b), (c, d) = _parts(phi_q, phi_k, v, S, Z)
    return (a + b) / (c + d), S, Z


@attend_chunk.mistake(
    """y is right, but what you hand on are the sums of this chunk alone: what came before it is
    lost for the next one."""
)
def hands_the_chunk_alone_on(phi_q, phi_k, v, S, Z):
    (a, b), (c, d) = _parts(phi_q, phi_k, v, S, Z)
    return (a + b) / (c + d), phi_k.mT @ v, phi_k.sum(dim=-2)


@attend_chunk.mistake(
    """Your mask keeps the other triangle: a token hears itself and those behind it. Rows of A are
    queries: on which side of the diagonal is the past?"""
)
def upper_triangle(phi_q, phi_k, v, S, Z):
    (a, b), (c, d) = _parts(phi_q, phi_k, v, S, Z, mask=torch.triu)
    return (a + b) / (c + d), *_grown(phi_k, v, S, Z)


@attend_chunk.mistake(
    """The numerator is masked, the denominator is not: it sums weights of tokens that nobody may
    hear. Where does one mask serve both?"""
)
def numerator_alone_is_masked(phi_q, phi_k, v, S, Z):
    (a, b), (c, _) = _parts(phi_q, phi_k, v, S, Z)
    d = (phi_q @ phi_k.mT).sum(dim=-1, keepdim=True)
    return (a + b) / (c + d), *_grown(phi_k, v, S, Z)


@attend_chunk.mistake(
    """Inside the chunk you take a softmax. The weights are φ(q)·φ(k) themselves, in the chunk as
    before it: only then do they add up with S and Z."""
)
def softmax_in_the_chunk(phi_q, phi_k, v, S, Z):
    def mask(A):
        future = torch.ones_like(A, dtype=torch.bool).triu(1)
        return A.masked_fill(future, -torch.inf).softmax(dim=-1)

    (a, b), (c, d) = _parts(phi_q, phi_k, v, S, Z, mask)
    return (a + b) / (c + d), *_grown(phi_k, v, S, Z)
