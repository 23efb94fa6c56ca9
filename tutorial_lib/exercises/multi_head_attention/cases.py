"""Arguments that several exercises are tried on."""

import numpy as np

from tutorial_lib.from_scratch import attention as np_attention


def tokens_memory_weights(rng):
    """All heads, one head, size-1 axes, N ≠ M, D ≠ D_m, batches, masks, float32, large scores."""
    yield _draw(rng, (), 1, 2, 4, 3, 2)  # `mask` is left to its default
    for n, m, width, width_m, heads in [
        (1, 2, 2, 2, 2),
        (2, 2, 2, 2, 1),
        (2, 2, 6, 6, 2),
        (2, 3, 6, 3, 2),
        (3, 1, 6, 2, 3),
        (6, 2, 6, 6, 2),
    ]:  # few with d = heads: there √D = d, and two wrong scales look the same
        yield {**_draw(rng, (), n, m, width, width_m, heads), "mask": None}
    yield {**_draw(rng, (2,), 3, 2, 6, 4, 2), "mask": None}
    alone = _draw(rng, (), 3, 3, 4, 4, 2)  # self-attention, which is the caller's business
    yield {**alone, "memory": alone["X"].copy(), "mask": None}
    yield {**_draw(rng, (), 3, 3, 6, 6, 2), "mask": np_attention.causal_mask(3)}
    yield {**_draw(rng, (2,), 2, 3, 6, 6, 2), "mask": np_attention.padding_mask([3, 1], 3)}
    yield {**_draw(rng, (3,), 2, 2, 4, 4, 2), "mask": np_attention.padding_mask([2, 1, 1], 2)}
    large = _draw(rng, (), 2, 3, 6, 6, 2)
    yield {**large, "X": 400 * large["X"], "mask": None}
    single = _draw(rng, (), 2, 3, 6, 6, 2)
    yield {
        "X": single["X"].astype(np.float32),
        "memory": single["memory"].astype(np.float32),
        "W": {name: matrix.astype(np.float32) for name, matrix in single["W"].items()},
        "heads": 2,
        "mask": None,
    }
    yield {**_draw(rng, (2,), 3, 3, 6, 6, 3), "mask": np_attention.causal_mask(3)}  # one for all
    yield {**_draw(rng, (3, 2), 2, 2, 4, 4, 2), "mask": np_attention.causal_mask(2)}
    # In every head the one score that is allowed lies below −10000, and below the other.
    low = _draw(rng, (), 1, 2, 2, 2, 2)
    low["W"] |= {"W_Q": np.eye(2), "W_K": np.eye(2)}
    tokens = {"X": np.array([[1e3, 2e3]]), "memory": np.array([[-1e3, -2e3], [0.0, 0.0]])}
    yield {**low, **tokens, "mask": np.array([[True, False]])}


def _draw(rng, batch, n, m, width, width_m, heads):
    shapes = {name: (width_m, width) for name in ("W_K", "W_V")}
    shapes = {"W_Q": (width, width), **shapes, "W_O": (width, width)}
    return {
        "X": rng.normal(size=(*batch, n, width)),
        "memory": rng.normal(size=(*batch, m, width_m)),
        "W": {name: rng.normal(size=shape) for name, shape in shapes.items()},
        "heads": heads,
    }
