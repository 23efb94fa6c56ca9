"""Arguments that several exercises are tried on."""

import numpy as np

from tutorial_lib.from_scratch import attention as np_attention


def queries_keys(rng):
    """Q and K: size-1 axes, N ≠ M, a batch, float32, large numbers."""
    for n, m, d in [(1, 1, 1), (2, 3, 4), (3, 2, 1), (1, 5, 2), (4, 4, 4)]:
        yield dict(Q=rng.normal(size=(n, d)), K=rng.normal(size=(m, d)))
    yield dict(Q=rng.normal(size=(2, 3, 4)), K=rng.normal(size=(2, 5, 4)))
    single = np.float32
    yield dict(Q=rng.normal(size=(2, 3)).astype(single), K=rng.normal(size=(3, 3)).astype(single))
    yield dict(Q=1e6 * rng.normal(size=(2, 3)), K=rng.normal(size=(2, 3)))


def queries_keys_values(rng):
    for case in list(queries_keys(rng))[:6]:
        *batch, m, _ = case["K"].shape
        yield {**case, "V": rng.normal(size=(*batch, m, 3))}
    yield dict(
        Q=40 * rng.normal(size=(3, 4)), K=40 * rng.normal(size=(3, 4)), V=rng.normal(size=(3, 4))
    )


def queries_keys_values_mask(rng):
    for case in queries_keys_values(rng):
        yield {**case, "mask": None}
    yield dict(
        Q=rng.normal(size=(3, 2)),
        K=rng.normal(size=(3, 2)),
        V=rng.normal(size=(3, 4)),
        mask=np.tril(np.ones((3, 3), dtype=bool)),
    )
    yield dict(
        Q=rng.normal(size=(2, 3, 4)),
        K=rng.normal(size=(2, 5, 4)),
        V=rng.normal(size=(2, 5, 3)),
        mask=np_attention.padding_mask([5, 2], 5),
    )
    for axes in [(3, 5), (5,)]:  # one mask for a batch and all heads
        yield dict(
            Q=rng.normal(size=(2, 2, 3, 4)),
            K=rng.normal(size=(2, 2, 5, 4)),
            V=rng.normal(size=(2, 2, 5, 3)),
            mask=np.broadcast_to(np.arange(5) < 3, axes).copy(),
        )
