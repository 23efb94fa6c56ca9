"""The soft choice is PyTorch's, its gradient is finite differences', and both know their limits."""

import numpy as np
import pytest
import torch

from tutorial_lib.from_scratch.gradcheck import numerical_gradient, relative_error
from tutorial_lib.from_scratch.soft_selection import soft_selection, soft_selection_backward
from tutorial_lib.models.efficient import slb


def test_it_is_the_torch_version_also_for_large_logits():
    rng = np.random.default_rng(0)
    A, v = 100 * rng.normal(size=(4, 3, 5)), rng.normal(size=5)
    expected = slb.soft_selection(torch.from_numpy(A), torch.from_numpy(v), 0.1)
    np.testing.assert_allclose(soft_selection(A, v, 0.1), expected.numpy())


@pytest.mark.parametrize("tau", [2.0, 0.3])
def test_the_gradient_is_that_of_finite_differences(tau):
    rng = np.random.default_rng(1)
    A, v, dw = rng.normal(size=(2, 3, 4)), rng.normal(size=4), rng.normal(size=(2, 3))
    numerical = numerical_gradient(lambda A: (dw * soft_selection(A, v, tau)).sum(), A)
    assert relative_error(soft_selection_backward(dw, A, v, tau), numerical) < 1e-7


def test_where_the_choice_is_made_no_gradient_is_left():
    A, v = np.array([[0.0, 1.0]]), np.array([-1.0, 1.0])
    sizes = [abs(soft_selection_backward(np.ones(1), A, v, tau)).max() for tau in (0.5, 0.1, 0.03)]
    assert sizes[2] < 1e-10 < sizes[1] < sizes[0]
