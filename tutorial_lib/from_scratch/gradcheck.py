"""Finite differences, the judge of every backward pass. Taught in chapter 01."""

import numpy as np


def numerical_gradient(f, x, step=1e-5):
    """The gradient of a number-valued function by central differences, one coordinate at a time.

    f(x) -> float; x float64 array of any shape  ->  gradient of x's shape

    The error falls with step² and rounding grows with 1/step; 1e-5 balances them for numbers near
    one. It costs two calls of f for each coordinate, so it judges and never trains.
    """
    x = np.array(x, dtype=np.float64)
    gradient = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        kept = x[i]
        x[i] = kept + step
        above = f(x)
        x[i] = kept - step
        below = f(x)
        x[i] = kept
        gradient[i] = (above - below) / (2 * step)
    return gradient


def relative_error(a, b):
    """‖a − b‖ / (‖a‖ + ‖b‖) for arrays of one shape: 0 for equal ones and at most 1.

    NaN or infinity in either gives infinity, which no bound lets pass (NaN would: max() drops it).
    Raises ValueError if the shapes differ, which broadcasting would hide.
    """
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        raise ValueError(f"the shapes are {a.shape} and {b.shape}; expected equal ones")
    norm = np.linalg.norm(a) + np.linalg.norm(b)
    if not np.isfinite(norm):
        return float("inf")
    return 0.0 if norm == 0 else float(np.linalg.norm(a - b) / norm)
