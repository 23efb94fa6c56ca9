"""The feed-forward network of a transformer in NumPy. Taught in chapter 03.

Vaswani et al., Attention Is All You Need (NeurIPS 2017, 1706.03762), section 3.3, with the GELU of
Hendrycks and Gimpel, Gaussian Error Linear Units (2016, 1606.08415). Symbols and shapes:

    X  (..., D)  tokens
    U  (..., H)  before the bend, X W_1 + b_1; H is often 4 D
    A  (..., H)  after the bend, GELU(U)
    Y  (..., D)  output, A W_2 + b_2

A gradient is named after what it belongs to: dY is ∂L/∂Y, with Y's shape.
"""

import numpy as np
from scipy.special import erf


def gelu(x):
    """The Gaussian error linear unit, exact: x Φ(x), an x kept with the probability Φ(x).

    x, any shape  ->  the same shape and dtype

    Φ(x) = ½ (1 + erf(x / √2)) is the chance that a standard normal number is below x.
    """
    u = x / 2**0.5
    return x * 0.5 * (1 + erf(u)).astype(u.dtype)  # SciPy's erf widens float16


def gelu_backward(dy, x):
    """Carry a gradient back through GELU(x) = x Φ(x).

    dy  ∂L/∂y, the gradient with respect to the output
    x   what GELU was given; the shape of dy, any shape
    ->  dx  ∂L/∂x, of the same shape and dtype

    Φ(x) = ½ (1 + erf(x / √2)) is the distribution function of a standard normal number, and its
    derivative is the density φ(x) = exp(−x² / 2) / √(2π). `erf` takes arrays.
    """
    u = x / 2**0.5
    Phi = 0.5 * (1 + erf(u)).astype(u.dtype)
    phi = np.exp(-(x**2) / 2) / (2 * np.pi) ** 0.5
    return dy * (Phi + x * phi)


def linear(X, W, b):
    """The same linear map for every token: Y = X W + b.

    X (..., D), W (D, E), b (E,)  ->  Y (..., E)
    """
    return X @ W + b


def linear_backward(dY, X, W):
    """Every gradient of `linear`. W and b serve all tokens, so theirs are sums over all of them.

    dY (..., E), X (..., D), W (D, E)  ->  dict of dW (D, E), db (E,), dX (..., D)
    """
    rows_X = X.reshape(-1, X.shape[-1])  # (tokens, D)
    rows_dY = dY.reshape(-1, dY.shape[-1])  # (tokens, E)
    return {"dW": rows_X.T @ rows_dY, "db": rows_dY.sum(axis=0), "dX": dY @ W.T}


def feed_forward(X, W):
    """Two linear maps with a GELU between them, the same for every token.

    X (..., D); W a dict of W_1 (D, H), b_1 (H,), W_2 (H, D), b_2 (D,)  ->  Y (..., D)
    """
    return linear(gelu(linear(X, W["W_1"], W["b_1"])), W["W_2"], W["b_2"])


def feed_forward_backward(dY, X, W):
    """Every gradient of Y = A W_2 + b_2 with A = GELU(U) and U = X W_1 + b_1.

    dY (..., D)  ∂L/∂Y
    X  (..., D)  what the network was given
    W  a dict of W_1 (D, H), b_1 (H,), W_2 (H, D), b_2 (D,)
    ->  dict of dW_2, db_2, dA, dU, dW_1, db_1, dX, each with the shape of what it belongs to

    `linear_backward(dY, X, W)` gives dW, db and dX of one linear map, summed over all tokens.
    """
    U = linear(X, W["W_1"], W["b_1"])  # (..., H)
    second = linear_backward(dY, gelu(U), W["W_2"])
    dU = gelu_backward(second["dX"], U)
    first = linear_backward(dU, X, W["W_1"])
    return {
        "dW_2": second["dW"],
        "db_2": second["db"],
        "dA": second["dX"],
        "dU": dU,
        "dW_1": first["dW"],
        "db_1": first["db"],
        "dX": first["dX"],
    }
