"""What is inside a patch, in NumPy: its pixel tokens, and what they tell their patch, forward and
backward. Taught in chapter 07.

Han et al., Transformer in Transformer (NeurIPS 2021, 2103.00112), section 2.2. Symbols and shapes:

    Y      (B, n, m, c)  m pixel tokens in each of n patches
    V      (B, n, m · c) the pixel tokens of a patch side by side, vec(Y) in the paper
    U      (B, n, m · c) LayerNorm of V, with gamma_in and beta_in
    T      (B, n, D)     U W + b
    A      (B, n, D)     what is added to the patches: LayerNorm of T, with gamma_out and beta_out
"""

from tutorial_lib.from_scratch.normalization import layer_norm, layer_norm_backward


def pixel_tokens(images, P, s):
    """Cut every patch of every image into squares again, and make a token of each square.

    images (B, H, W, C) array; P  pixels, the side of a patch; s  pixels, the side of a square
    ->  (B, n, m, s · s · C), of the images' dtype: n patches, m squares in each. Patches, the
        squares of a patch and the pixels of a square are all numbered row by row; the channels of
        a pixel stand together. Raises ValueError if the squares do not fill a patch, or the patches
        an image, exactly.
    """
    B, H, W, C = images.shape
    if P % s or H % P or W % P:
        raise ValueError(f"{H} × {W} pixels, patches of {P}, squares of {s}: they do not divide")
    k = P // s  # squares beside each other in a patch
    x = images.reshape(B, H // P, k, s, W // P, k, s, C)
    x = x.transpose(0, 1, 4, 2, 5, 3, 6, 7)  # patch, square, pixel: each row before column
    return x.reshape(B, (H // P) * (W // P), k * k, s * s * C)


def pixels_to_patch(Y, weights):
    """What the pixels of each patch tell it: LN(FC(LN(vec(Y)))).

    Y (B, n, m, c); weights  dict of gamma_in and beta_in (m · c,), W (m · c, D), b (D,), gamma_out
    and beta_out (D,)  ->  (B, n, D)
    """
    V = Y.reshape(*Y.shape[:2], -1)
    U = layer_norm(V, weights["gamma_in"], weights["beta_in"])
    return layer_norm(U @ weights["W"] + weights["b"], weights["gamma_out"], weights["beta_out"])


def pixels_to_patch_backward(dA, Y, weights):
    """Every gradient of A = LN(FC(LN(vec(Y)))), from the patches back to their pixel tokens.

    dA (B, n, D)  ∂L/∂A; Y (B, n, m, c); weights  dict as in `pixels_to_patch`: gamma_in and
    beta_in (m · c,), W (m · c, D), b and gamma_out (D,); what is added last has no say here
    ->  dict of dgamma_out, dbeta_out, db (D,), dW (m · c, D), dgamma_in, dbeta_in (m · c,) and
        dY (B, n, m, c)

    All patches share the weights. `layer_norm(X, gamma, beta)` and `layer_norm_backward(dY, X,
    gamma)`, chapter 03's, give a norm and a dict of the gradients dgamma, dbeta and dX of one.
    """
    V = Y.reshape(*Y.shape[:2], -1)
    U = layer_norm(V, weights["gamma_in"], weights["beta_in"])
    outer = layer_norm_backward(dA, U @ weights["W"] + weights["b"], weights["gamma_out"])
    dT = outer["dX"]
    inner = layer_norm_backward(dT @ weights["W"].T, V, weights["gamma_in"])
    return {
        "dgamma_out": outer["dgamma"],
        "dbeta_out": outer["dbeta"],
        "db": dT.sum(axis=(0, 1)),
        "dW": U.reshape(-1, U.shape[-1]).T @ dT.reshape(-1, dT.shape[-1]),
        "dgamma_in": inner["dgamma"],
        "dbeta_in": inner["dbeta"],
        "dY": inner["dX"].reshape(Y.shape),
    }
