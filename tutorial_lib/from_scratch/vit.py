"""A Vision Transformer of one layer in NumPy, forward beside backward. Taught in chapter 05.

Dosovitskiy et al., An Image is Worth 16x16 Words (ICLR 2021, 2010.11929), section 3.1, equations 1
to 4. Symbols and shapes, the same in prose and code:

    images   (B, H, W, C)    n = H/p · W/p patches of p × p pixels each
    X        (B, n, D)       embedded patches
    Z_0      (B, 1 + n, D)   tokens, the class token first, positions added
    Z_1      (B, 1 + n, D)   tokens after the encoder layer
    y        (B, D)          the image: the class token of Z_1, normalized
    logits   (B, K)          a score for each of K classes

The weights are one dict, which the code calls W:

    E, b            (p·p·C, D), (D,)  patch embedding
    x_class         (D,)              class token
    E_pos           (1 + n, D)        positions, that of the class token first
    layer           dict              the encoder layer's, as in `transformer.encoder_layer`
    gamma, beta     (D,)              the last norm
    W_head, b_head  (D, K), (K,)      the head

The gradient of a weight has its name with a d in front.
"""

import numpy as np

from tutorial_lib.from_scratch.feed_forward import linear, linear_backward
from tutorial_lib.from_scratch.normalization import layer_norm, layer_norm_backward
from tutorial_lib.from_scratch.patches import patch_embedding, patch_embedding_backward
from tutorial_lib.from_scratch.transformer import encoder_layer, encoder_layer_backward


def prepend_class_token(X, x_class, E_pos):
    """Put the class token before the patches, then tell every token where it stands.

    X        (B, n, D)    embedded patches
    x_class  (D,)         the class token, the same for every image
    E_pos    (1 + n, D)   a learned vector for each place
    ->  Z_0  (B, 1 + n, D) = [x_class; X_1; …; X_n] + E_pos

    Raises ValueError if E_pos has not as many rows as there are tokens.
    """
    B, n, D = X.shape
    if len(E_pos) != n + 1:
        raise ValueError(
            f"{len(E_pos)} positions for {n} patches and a class token, expected {n + 1}"
        )
    first = np.broadcast_to(x_class, (B, 1, D))
    return np.concatenate([first, X], axis=1) + E_pos


def prepend_class_token_backward(dZ_0):
    """Every gradient of Z_0 = [x_class; X_1; …; X_n] + E_pos.

    dZ_0 (B, 1 + n, D)  ∂L/∂Z_0
    ->  dict of dE_pos (1 + n, D), dx_class (D,), dX (B, n, D)

    All images of the batch share E_pos and x_class.
    """
    dE_pos = dZ_0.sum(axis=0)
    return {"dE_pos": dE_pos, "dx_class": dE_pos[0], "dX": dZ_0[:, 1:]}


def vit(images, W, p, heads):
    """A Vision Transformer with one encoder layer: from pixels to a score for each class.

    images  (B, height, width, C)  height and width multiples of p
    W       the weights, a dict: E (p·p·C, D), b (D,), x_class (D,), E_pos (1 + n, D), layer (the
            dict of an encoder layer), gamma, beta (D,), W_head (D, K), b_head (K,)
    p       pixels, the side of a patch; heads: a divisor of D
    ->  logits (B, K)

    The formula of the chapter's section 1 with L = 1, its layer with the norms inside (Pre-LN), and
    one linear map from y to the scores. Use `patch_embedding(images, E, b, p)`, `layer_norm(X,
    gamma, beta)`, `encoder_layer(X, W, heads, norm_first)`, `linear(X, W, b)` and your
    `prepend_class_token(X, x_class, E_pos)`.
    """
    X = patch_embedding(images, W["E"], W["b"], p)  # (B, n, D)
    Z_0 = prepend_class_token(X, W["x_class"], W["E_pos"])  # (B, 1 + n, D)
    Z_1 = encoder_layer(Z_0, W["layer"], heads, norm_first=True)
    y = layer_norm(Z_1[:, 0], W["gamma"], W["beta"])  # (B, D)
    return linear(y, W["W_head"], W["b_head"])  # (B, K)


def vit_backward(dlogits, images, W, p, heads):
    """Every gradient of `vit`, from the logits back to the pixels.

    dlogits (B, K)  ∂L/∂logits; the other arguments are those of `vit`
    ->  dict, in the order of the chain, of dW_head, db_head, dy, dgamma, dbeta, dZ_1, layer (a dict
        of the encoder layer's), dZ_0, dE_pos, dx_class, dX, dE, db, dpatches, dimages, each with
        the shape of what it belongs to
    """
    X = patch_embedding(images, W["E"], W["b"], p)
    Z_0 = prepend_class_token(X, W["x_class"], W["E_pos"])
    Z_1 = encoder_layer(Z_0, W["layer"], heads, norm_first=True)
    z = Z_1[:, 0]  # (B, D)

    head = linear_backward(dlogits, layer_norm(z, W["gamma"], W["beta"]), W["W_head"])
    norm = layer_norm_backward(head["dX"], z, W["gamma"])
    dZ_1 = np.zeros_like(Z_1)
    dZ_1[:, 0] = norm["dX"]  # the head reads the class token alone
    layer = encoder_layer_backward(dZ_1, Z_0, W["layer"], heads, norm_first=True)
    dZ_0 = layer.pop("dX")
    tokens = prepend_class_token_backward(dZ_0)
    return {
        "dW_head": head["dW"],
        "db_head": head["db"],
        "dy": head["dX"],
        "dgamma": norm["dgamma"],
        "dbeta": norm["dbeta"],
        "dZ_1": dZ_1,
        "layer": layer,
        "dZ_0": dZ_0,
        **tokens,
        **patch_embedding_backward(tokens["dX"], images, W["E"], p),
    }
