"""The gradients of GELU and of the feed-forward network."""

import numpy as np
from scipy.special import erf

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import feed_forward as np_feed_forward


def numbers_and_gradients(rng):
    for shape in [(3,), (2, 3), (3, 1), (2, 3, 4)]:
        yield dict(dy=rng.normal(size=shape), x=2 * rng.normal(size=shape))
    yield dict(dy=np.array([1.0, 1.0, 2.0]), x=np.array([-40.0, 0.0, 40.0]))
    single = np.float32
    yield dict(dy=rng.normal(size=(2, 2)).astype(single), x=rng.normal(size=(2, 2)).astype(single))


gelu_backward = Exercise(
    np_feed_forward.gelu_backward,
    level=3,
    minutes=10,
    cases=numbers_and_gradients,
    hints=(
        "x Φ(x) is a product of two functions of x, and both of them change with x.",
        "The product rule gives two terms, one with Φ and one with its derivative φ. What then "
        "happens to the gradient that comes from above?",
        "`Phi = 0.5 * (1 + erf(x / 2**0.5))`, `phi = np.exp(-x**2 / 2) / (2 * np.pi) ** 0.5`; the "
        "derivative is Phi + x · phi, and dy multiplies it.",
    ),
)


def _Phi(x):
    return 0.5 * (1 + erf(x / 2**0.5))


def _phi(x):
    return np.exp(-(x**2) / 2) / (2 * np.pi) ** 0.5


@gelu_backward.mistake(
    """You keep Φ(x) alone, as if it did not change with x. In x Φ(x) both factors depend on x:
    what does the rule for a product say?"""
)
def only_the_distribution(dy, x):
    return dy * _Phi(x)


@gelu_backward.mistake(
    """You keep x φ(x) alone: at 40, where GELU is the identity, your slope is 0. Which term of the
    product rule is missing?"""
)
def only_the_density(dy, x):
    return dy * x * _phi(x)


@gelu_backward.mistake(
    """You add φ(x) as it is. At 0 your slope is then 0.9, while GELU, with Φ(0) = ½, rises there
    by a half. In the product rule each term keeps one factor as it was: which one does φ keep?"""
)
def density_without_x(dy, x):
    return dy * (_Phi(x) + _phi(x))


@gelu_backward.mistake(
    """This is the derivative itself. Where is dy, the gradient that arrives from above?"""
)
def forgets_dy(dy, x):
    return _Phi(x) + x * _phi(x)


@gelu_backward.mistake(
    """This is the gradient of ReLU: 0 or 1. GELU has no corner. What is its slope just beside
    zero?"""
)
def of_relu(dy, x):
    return dy * (x > 0)


@gelu_backward.mistake(
    """Close, and off in the third or fourth digit: this is the derivative of the approximation with
    tanh (√(2/π), 0.044715), which older code uses since it is quicker. The task asks for the exact
    GELU: which function holds Φ?"""
)
def of_the_tanh_approximation(dy, x):
    inner = (2 / np.pi) ** 0.5 * (x + 0.044715 * x**3)
    slope = (2 / np.pi) ** 0.5 * (1 + 3 * 0.044715 * x**2)
    t = np.tanh(inner)
    return dy * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * slope)


@gelu_backward.mistake(
    """Your density is too large: exp(−x²/2) integrates to √(2π) and not to one. What makes a
    density of it?"""
)
def density_without_its_constant(dy, x):
    return dy * (_Phi(x) + x * np.exp(-(x**2) / 2))


@gelu_backward.mistake(
    """Your density is too small: its constant is 1 / √(2π), and the root is missing. To what must a
    density integrate?"""
)
def density_without_the_root(dy, x):
    return dy * (_Phi(x) + x * np.exp(-(x**2) / 2) / (2 * np.pi))


@gelu_backward.mistake(
    """Your Φ is erf(x) with the root of 2 left out. erf belongs to exp(−t²) and Φ to exp(−t²/2): by
    what must x be divided before erf sees it?"""
)
def erf_without_the_root(dy, x):
    return dy * (0.5 * (1 + erf(x)) + x * _phi(x))


@gelu_backward.mistake(
    """Your φ is too large by √2. You differentiate erf(x / √2) as if its argument were x: what does
    the chain rule add for the function inside?"""
)
def inner_derivative_lost(dy, x):
    return dy * (_Phi(x) + x * _phi(x) * 2**0.5)


def _network(rng, dim, hidden):
    return {
        "W_1": rng.normal(size=(dim, hidden)),
        "b_1": rng.normal(size=hidden),
        "W_2": rng.normal(size=(hidden, dim)),
        "b_2": rng.normal(size=dim),
    }


def tokens_and_networks(rng):
    shapes = [((1, 2), 3), ((3, 2), 2), ((2, 3), 1), ((4, 1), 3), ((2, 3, 2), 4)]
    shapes += [((2, 1, 3, 2), 1)]
    for shape, hidden in shapes:
        W = _network(rng, shape[-1], hidden)
        yield dict(dY=rng.normal(size=shape), X=rng.normal(size=shape), W=W)
    yield dict(dY=rng.normal(size=(2, 2)), X=50 * rng.normal(size=(2, 2)), W=_network(rng, 2, 3))
    dY, X, W = rng.normal(size=(2, 2)), rng.normal(size=(2, 2)), _network(rng, 2, 3)
    single = np.float32
    W = {name: value.astype(single) for name, value in W.items()}
    yield dict(dY=dY.astype(single), X=X.astype(single), W=W)


feed_forward_backward = Exercise(
    np_feed_forward.feed_forward_backward,
    level=3,
    minutes=20,
    cases=tokens_and_networks,
    hints=(
        "Compute U and A again, then walk back: the second linear map, the GELU, the first one. "
        "What was each of the three given on the way forward?",
        "`linear_backward(dY, A, W['W_2'])` gives dW_2, db_2 and, as its dX, dA. GELU was given U, "
        "so its backward needs dA and U.",
        "`dU = gelu_backward(dA, U)`, then `linear_backward(dU, X, W['W_1'])` for dW_1, db_1, dX.",
    ),
)


def _rows(A):
    return A.reshape(-1, A.shape[-1])


def _backward_with(dY, X, W, *, bias=1, input_2=None, bend=np_feed_forward.gelu_backward):
    """`feed_forward_backward` without b_1, with another input of the second map or another bend."""
    U = np_feed_forward.linear(X, W["W_1"], bias * W["b_1"])
    A = np_feed_forward.gelu(U)
    second = np_feed_forward.linear_backward(dY, A if input_2 is None else input_2(U), W["W_2"])
    dU = bend(second["dX"], U)
    first = np_feed_forward.linear_backward(dU, X, W["W_1"])
    return {
        **{"dW_2": second["dW"], "db_2": second["db"], "dA": second["dX"], "dU": dU},
        **{"dW_1": first["dW"], "db_1": first["db"], "dX": first["dX"]},
    }


@feed_forward_backward.mistake(
    """You pass dA on as dU: what lies between the two linear maps is skipped. Which function turned
    U into A, and what is its backward?"""
)
def skips_the_gelu(dY, X, W):
    return _backward_with(dY, X, W, bend=lambda dA, U: dA)


@feed_forward_backward.mistake(
    """dW_2 is made from U, the numbers before the bend. What was the second linear map really
    given?"""
)
def second_map_given_u(dY, X, W):
    return _backward_with(dY, X, W, input_2=lambda U: U)


@feed_forward_backward.mistake(
    """You take the slope of GELU at A, its output. A slope is taken where the function was
    evaluated: what went into GELU?"""
)
def slope_at_the_output(dY, X, W):
    return _backward_with(
        dY, X, W, bend=lambda dA, U: np_feed_forward.gelu_backward(dA, np_feed_forward.gelu(U))
    )


@feed_forward_backward.mistake(
    """You compute U again without b_1, so A and every slope belong to another network. What exactly
    was GELU given on the way forward?"""
)
def forgets_the_first_bias(dY, X, W):
    return _backward_with(dY, X, W, bias=0)


@feed_forward_backward.mistake(
    """Your dU is the slope of GELU alone. Where is dA, the gradient that arrives from the second
    map?"""
)
def forgets_da(dY, X, W):
    return _backward_with(
        dY, X, W, bend=lambda dA, U: np_feed_forward.gelu_backward(np.ones_like(dA), U)
    )


@feed_forward_backward.mistake(
    """Your bend has the slopes of ReLU, 0 and 1. This network bends with GELU."""
)
def bends_as_relu(dY, X, W):
    return _backward_with(dY, X, W, bend=lambda dA, U: dA * (U > 0))


@feed_forward_backward.mistake(
    """Close, and off in the third or fourth digit: dU has the slopes of the approximation with tanh
    (√(2/π), 0.044715). Which GELU does the task name, and what is its slope?"""
)
def bends_with_tanh(dY, X, W):
    return _backward_with(dY, X, W, bend=of_the_tanh_approximation)


@feed_forward_backward.mistake(
    """Right for one sequence; for a batch your weight gradients have one more axis, a gradient for
    each sequence. How many sequences share one W_1, and what does that make of their gradients?"""
)
def one_gradient_for_each_sequence(dY, X, W):
    right = np_feed_forward.feed_forward_backward(dY, X, W)
    A = np_feed_forward.gelu(np_feed_forward.linear(X, W["W_1"], W["b_1"]))
    right["dW_2"], right["db_2"] = A.mT @ dY, dY.sum(axis=-2)
    right["dW_1"], right["db_1"] = X.mT @ right["dU"], right["dU"].sum(axis=-2)
    return right


@feed_forward_backward.mistake(
    """You average the gradients of the weights over the tokens. A mean belongs to a loss that is
    itself a mean, and then dY already carries it: does the chain rule add up the tokens, or average
    them?"""
)
def mean_over_tokens(dY, X, W):
    right, tokens = np_feed_forward.feed_forward_backward(dY, X, W), X[..., 0].size
    for name in ("dW_2", "db_2", "dW_1", "db_1"):
        right[name] = right[name] / tokens
    return right


@feed_forward_backward.mistake(
    """db_2 and db_1 have a row for each token: a bias that is added to every token is shared by all
    of them. What happens to gradients that arrive at one number along many ways?"""
)
def biases_not_summed(dY, X, W):
    right = np_feed_forward.feed_forward_backward(dY, X, W)
    right["db_2"], right["db_1"] = dY, right["dU"]
    return right


@feed_forward_backward.mistake(
    """Right for one sequence; in a batch your db_2 and db_1 are summed over the first axis only. A
    bias is shared by all tokens of all sequences: which axes lead to the last one?"""
)
def biases_summed_over_the_first_axis(dY, X, W):
    right = np_feed_forward.feed_forward_backward(dY, X, W)
    return {**right, "db_2": dY.sum(axis=0), "db_1": right["dU"].sum(axis=0)}


@feed_forward_backward.mistake(
    """Your weight gradients lie on their side: W_2 is (H, D), and so must dW_2 be. In X W the
    features of X meet the rows of W: which factor of the product is transposed?"""
)
def weights_on_their_side(dY, X, W):
    right = np_feed_forward.feed_forward_backward(dY, X, W)
    right["dW_2"], right["dW_1"] = right["dW_2"].T, right["dW_1"].T
    return right
