"""Linear attention in NumPy: its forms agree, its gradients are those of finite differences."""

import tracemalloc

import numpy as np
import pytest

from tutorial_lib.from_scratch import linear_attention as la
from tutorial_lib.from_scratch.gradcheck import numerical_gradient, relative_error


def features(rng, N, r=3, m=4, batch=(), M=None):
    Q, K = rng.normal(size=(*batch, N, r)), rng.normal(size=(*batch, M or N, r))
    return la.elu_plus_one(Q), la.elu_plus_one(K), rng.normal(size=(*batch, M or N, m))


def test_the_feature_map_is_smooth_at_zero_and_harmless_far_out():
    x = np.array([-1e4, -1.0, -1e-9, 0.0, 1e-9, 2.0, 1e4], np.float32)
    with np.errstate(all="raise", under="ignore"):
        phi = la.elu_plus_one(x)
    assert phi.dtype == np.float32 and (phi >= 0).all()
    np.testing.assert_allclose(phi, [0, np.exp(-1), 1, 1, 1, 3, 10001], rtol=1e-6)


def test_the_feature_maps_gradient():
    rng = np.random.default_rng(0)
    x, dphi = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 3, 4))
    judged = numerical_gradient(lambda x: (dphi * la.elu_plus_one(x)).sum(), x)
    assert relative_error(la.elu_plus_one_backward(dphi, x), judged) < 1e-8


@pytest.mark.parametrize("batch, N, M", [((), 1, 1), ((), 2, 5), ((2,), 5, 3), ((2, 3), 4, 4)])
def test_brackets_change_nothing_but_the_cost(batch, N, M):
    given = features(np.random.default_rng(0), N, batch=batch, M=M)
    np.testing.assert_allclose(la.linear_attention(*given), la.quadratic_attention(*given))


@pytest.mark.parametrize("batch, N", [((), 1), ((), 6), ((2, 3), 5)])
def test_running_sums_are_the_masked_definition(batch, N):
    phi_Q, phi_K, V = features(np.random.default_rng(0), N, batch=batch)
    Y, S, Z = la.causal_linear_attention(phi_Q, phi_K, V)
    np.testing.assert_allclose(Y, la.quadratic_attention(phi_Q, phi_K, V, causal=True))
    np.testing.assert_allclose(S, phi_K.mT @ V)
    np.testing.assert_allclose(Z, phi_K.sum(-2))
    # The last token hears all: there the mask hides nothing.
    np.testing.assert_allclose(Y[..., -1, :], la.linear_attention(phi_Q, phi_K, V)[..., -1, :])


@pytest.mark.parametrize("batch, N", [((), 1), ((), 5), ((2, 2), 4)])
def test_backward_agrees_with_finite_differences(batch, N):
    rng = np.random.default_rng(0)
    given = dict(zip(("phi_Q", "phi_K", "V"), features(rng, N, batch=batch)))
    dY = rng.normal(size=given["V"].shape)
    found = la.causal_linear_attention_backward(dY, **given)
    for name in given:

        def loss(x, name=name):
            return (dY * la.causal_linear_attention(**given | {name: x})[0]).sum()

        judged = numerical_gradient(loss, given[name])
        if N > 1 or name == "V":  # one token hears itself alone: its weight is 1 whatever it is
            assert relative_error(found["d" + name], judged) < 1e-6, name
        else:
            np.testing.assert_allclose(found["d" + name], 0, atol=1e-12)


def test_memory_beside_the_results_does_not_grow_with_n():
    def extra(N):
        """Bytes beyond inputs, results and the two arrays of g and h."""
        phi_Q, phi_K, V = features(np.random.default_rng(0), N)
        dY = np.ones_like(V)
        tracemalloc.start()
        la.causal_linear_attention_backward(dY, phi_Q, phi_K, V)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak - phi_Q.nbytes - phi_K.nbytes - 2 * V.nbytes - 8 * N

    assert extra(400) < extra(100) + 2000  # a state for each token would be 9 times as much
