"""PointNet's core in NumPy, forward beside backward: a function of a set. Taught in chapter 19.

Qi et al., PointNet (CVPR 2017, 1612.00593), section 4. Symbols and shapes, the same in prose and
code:

    X       (B, N, C)   B clouds of N points; C = 3 coordinates, or features that are there already
    layers              of the shared MLP h: a list of (W, b), W (C_in, C_out) and b (C_out,),
                        with a ReLU between two of them
    H       (B, N, D)   features of each point, h(x_i)
    G       (B, D)      global feature of each cloud, the maximum of H over its points

A gradient is named after what it belongs to: dX is ∂L/∂X, with X's shape.
"""

import numpy as np

from tutorial_lib.from_scratch.feed_forward import linear, linear_backward


def global_feature(X, layers):
    """What PointNet knows of a cloud: h on every point, then the maximum over the points.

    X       (B, N, C)  clouds of points; the order of the points is arbitrary
    layers             of h: a list of (W, b) with W (C_in, C_out) and b (C_out,); a ReLU between
                       two layers, none behind the last
    ->  dict of H (B, N, D), the features h(x_i) of each point by itself, and G (B, D), of each
        feature the largest that a point of the cloud has: G_c = max_i H_ic
    """
    H = X
    for number, (W, b) in enumerate(layers):
        if number > 0:
            H = np.maximum(H, 0)
        H = H @ W + b
    return {"H": H, "G": H.max(axis=1)}


def max_pool_backward(dG, H):
    """Carry a gradient back through the maximum over the points, G = H.max(axis=1).

    dG (B, D)  ∂L/∂G;  H (B, N, D)  what was pooled
    ->  dH (B, N, D), of dG's dtype

    Each feature of each cloud was copied from one point; of several with the same largest number,
    from the first (`argmax`).
    """
    winner = H.argmax(axis=1)[:, None]  # (B, 1, D)
    dH = np.zeros(H.shape, dG.dtype)
    np.put_along_axis(dH, winner, dG[:, None], axis=1)
    return dH


def global_feature_backward(dG, X, layers):
    """Every gradient of G = global_feature(X, layers).

    dG (B, D), X (B, N, C), layers a list of (W, b)
    ->  dict of dX (B, N, C) and dlayers, a list of (dW, db)
    """
    inputs = [X]  # of each layer
    for W, b in layers:
        inputs.append(np.maximum(linear(inputs[-1], W, b), 0))
    W, b = layers[-1]
    dH, dlayers = max_pool_backward(dG, linear(inputs[-2], W, b)), []
    for (W, _), into in zip(reversed(layers), reversed(inputs[:-1])):
        found = linear_backward(dH, into, W)
        dlayers.insert(0, (found["dW"], found["db"]))
        dX = found["dX"]
        dH = dX * (into > 0)  # through the ReLU that made the input; X itself has passed none
    return {"dX": dX, "dlayers": dlayers}


def critical_points(H):
    """Which points of one cloud the maximum was taken from; all others could be left out.

    H (N, D)  features of each point of one cloud
    ->  int64, the places of the points in ascending order, each once; of several points with the
        same largest number of a feature, the first is meant

    Qi et al. call them the critical point set, C_S (section 4.3). There are at most D.
    """
    return np.unique(H.argmax(axis=0))
