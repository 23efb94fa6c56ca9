"""Arguments that several exercises are tried on."""

import numpy as np

from tutorial_lib.from_scratch import attention as np_attention

# axes before the tokens, N, M, d, d_v
SIZES = [
    ((), 1, 2, 3, 2),
    ((), 3, 1, 2, 4),
    ((), 3, 2, 1, 3),
    ((), 2, 3, 4, 5),
    ((), 4, 4, 4, 4),
    ((2,), 1, 3, 2, 1),
    ((2,), 3, 5, 4, 3),
    ((3, 2), 1, 4, 5, 2),
]


def _draw(rng, batch, n, m, d, d_v):
    shapes = dict(Q=(*batch, n, d), K=(*batch, m, d), V=(*batch, m, d_v))
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def queries_keys(rng):
    """Q and K: N ≠ M, size-1 axes, a batch, two axes before the tokens, float32, large numbers."""
    for sizes in SIZES:
        case = _draw(rng, *sizes)
        yield dict(Q=case["Q"], K=case["K"])
    single = np.float32
    yield dict(Q=rng.normal(size=(2, 3)).astype(single), K=rng.normal(size=(3, 3)).astype(single))
    yield dict(Q=1e6 * rng.normal(size=(2, 3)), K=rng.normal(size=(2, 3)))


def queries_keys_values_mask(rng):
    """Without a mask, with None for it, and with one of each shape that broadcasts."""
    for sizes in SIZES:
        yield {**_draw(rng, *sizes), "mask": None}
    yield _draw(rng, (), 1, 3, 2, 1)  # `mask` is left to its default
    large = _draw(rng, (), 3, 4, 6, 2)
    large["Q"] *= [[1.0], [20.0], [2000.0]]  # of the last row the exponentials overflow
    yield {**large, "mask": None}
    yield {**_draw(rng, (), 3, 3, 2, 4), "mask": np_attention.causal_mask(3)}
    yield {**_draw(rng, (2,), 3, 5, 4, 3), "mask": np_attention.padding_mask([5, 2], 5)}
    for axes in [(3, 5), (5,)]:  # one mask for a batch and all heads
        mask = np.broadcast_to(np.arange(5) < 3, axes).copy()
        yield {**_draw(rng, (2, 1), 3, 5, 4, 2), "mask": mask}
    # The only score that is allowed lies below −10000, and below one that is not.
    Q, K, V = np.array([[1e3]]), np.array([[-1e3], [0.0]]), np.array([[1.0], [2.0]])
    yield dict(Q=Q, K=K, V=V, mask=np.array([[True, False]]))
    blind = np.array([[True, False, True, True], [False] * 4, [True, True, False, True]])
    yield {**_draw(rng, (2,), 3, 4, 2, 3), "mask": blind}  # one query may look nowhere
