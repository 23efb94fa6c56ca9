"""The layers of a transformer and its loss in NumPy, forward and backward. Taught in chapter 03.

Vaswani et al., Attention Is All You Need (NeurIPS 2017, 1706.03762), section 3, with LayerNorm
after the sum (Post-LN); Xiong et al., On Layer Normalization in the Transformer Architecture
(ICML 2020, 2002.04745), with LayerNorm inside the branch (Pre-LN).

The weights of a layer are one dict, named as in its parts:

    W_Q, W_K, W_V, W_O  (D, D)          self-attention
    W_1, b_1, W_2, b_2  (D, H) … (D,)   feed-forward network
    gamma_i, beta_i     (D,)            norm of the i-th residual, counted from the layer's input
    cross               dict            W_Q, W_K, W_V, W_O of a decoder's second attention

The gradient of a weight has its name with a d in front. R (..., N, D), and T in a decoder, are the
tokens after the first and the second residual.
"""

import numpy as np

from tutorial_lib.from_scratch.attention import causal_mask, softmax
from tutorial_lib.from_scratch.feed_forward import feed_forward, feed_forward_backward
from tutorial_lib.from_scratch.multi_head import (
    multi_head_attention,
    multi_head_attention_backward,
)
from tutorial_lib.from_scratch.normalization import layer_norm, layer_norm_backward


def encoder_layer(X, W, heads, norm_first, mask=None):
    """Self-attention, then a feed-forward network, each a branch f inside a residual.

    X (..., N, D)  tokens
    W              a dict with W_Q, W_K, W_V, W_O of the attention, W_1, b_1, W_2, b_2 of the
                   feed-forward network, gamma_1, beta_1 of the norm at the attention and gamma_2,
                   beta_2 of the norm at the feed-forward network
    norm_first     True for Pre-LN, x + f(LN(x)); False for Post-LN, LN(x + f(x))
    mask           bool, broadcasts to (..., N, N), True where a query may look, or None
    ->  Y (..., N, D)

    The parts: `multi_head_attention(X, memory, W, heads, mask)`, which returns a pair,
    `feed_forward(X, W)` and `layer_norm(X, gamma, beta)`.
    """
    norm_1, norm_2 = (W["gamma_1"], W["beta_1"]), (W["gamma_2"], W["beta_2"])
    if norm_first:
        A = layer_norm(X, *norm_1)
        R = X + multi_head_attention(A, A, W, heads, mask)[0]
        return R + feed_forward(layer_norm(R, *norm_2), W)
    R = layer_norm(X + multi_head_attention(X, X, W, heads, mask)[0], *norm_1)
    return layer_norm(R + feed_forward(R, W), *norm_2)


def encoder_layer_backward(dY, X, W, heads, norm_first, mask=None):
    """Every gradient of an encoder layer, from the output back to its input.

    dY (..., N, D)  ∂L/∂Y; the other arguments are those of `encoder_layer`
    ->  dict of dW_2, db_2, dW_1, db_1, dgamma_2, dbeta_2, dR, dW_O, dW_V, dW_K, dW_Q, dgamma_1,
        dbeta_1, dX, each with the shape of what it belongs to

    R (..., N, D) are the tokens between the two residuals: in Pre-LN the sum X + f(LN(X)), in
    Post-LN what the first norm makes of its sum.

    The parts: `feed_forward_backward(dY, X, W)`, `layer_norm_backward(dY, X, gamma)` and
    `multi_head_attention_backward(dY, X, memory, W, heads, mask)`, whose dX is what arrives through
    the queries and whose dmemory what arrives through the keys and values.
    """
    if norm_first:
        A = layer_norm(X, W["gamma_1"], W["beta_1"])
        R = X + multi_head_attention(A, A, W, heads, mask)[0]
        feed = feed_forward_backward(dY, layer_norm(R, W["gamma_2"], W["beta_2"]), W)
        norm_2 = layer_norm_backward(feed["dX"], R, W["gamma_2"])
        dR = dY + norm_2["dX"]
        attend = multi_head_attention_backward(dR, A, A, W, heads, mask)
        norm_1 = layer_norm_backward(attend["dX"] + attend["dmemory"], X, W["gamma_1"])
        dX = dR + norm_1["dX"]
    else:
        S = X + multi_head_attention(X, X, W, heads, mask)[0]
        R = layer_norm(S, W["gamma_1"], W["beta_1"])
        norm_2 = layer_norm_backward(dY, R + feed_forward(R, W), W["gamma_2"])
        feed = feed_forward_backward(norm_2["dX"], R, W)
        dR = norm_2["dX"] + feed["dX"]
        norm_1 = layer_norm_backward(dR, S, W["gamma_1"])
        attend = multi_head_attention_backward(norm_1["dX"], X, X, W, heads, mask)
        dX = norm_1["dX"] + attend["dX"] + attend["dmemory"]
    return {
        **{name: feed[name] for name in ("dW_2", "db_2", "dW_1", "db_1")},
        "dgamma_2": norm_2["dgamma"],
        "dbeta_2": norm_2["dbeta"],
        "dR": dR,
        **{name: attend[name] for name in ("dW_O", "dW_V", "dW_K", "dW_Q")},
        "dgamma_1": norm_1["dgamma"],
        "dbeta_1": norm_1["dbeta"],
        "dX": dX,
    }


def decoder_layer(X, memory, W, heads, norm_first, memory_mask=None):
    """Causal self-attention, attention to the encoder's memory, a feed-forward network.

    X       (..., N, D)  tokens; token i sees tokens 0 … i
    memory  (..., M, D)  what the encoder gave
    W                    as for `encoder_layer`, with the second attention's weights in W["cross"]
                         and three norms: 1 at self-attention, 2 at the second attention, 3 at the
                         feed-forward network
    memory_mask          bool, broadcasts to (..., N, M), True where a query may look, or None
    ->  Y (..., N, D)
    """
    causal = causal_mask(X.shape[-2])
    norm_1, norm_2, norm_3 = ((W[f"gamma_{i}"], W[f"beta_{i}"]) for i in (1, 2, 3))
    if norm_first:
        A = layer_norm(X, *norm_1)
        R = X + multi_head_attention(A, A, W, heads, causal)[0]
        B = layer_norm(R, *norm_2)
        T = R + multi_head_attention(B, memory, W["cross"], heads, memory_mask)[0]
        return T + feed_forward(layer_norm(T, *norm_3), W)
    R = layer_norm(X + multi_head_attention(X, X, W, heads, causal)[0], *norm_1)
    Z, _ = multi_head_attention(R, memory, W["cross"], heads, memory_mask)
    T = layer_norm(R + Z, *norm_2)
    return layer_norm(T + feed_forward(T, W), *norm_3)


def decoder_layer_backward(dY, X, memory, W, heads, norm_first, memory_mask=None):
    """Every gradient of a decoder layer, from the output back to its input and to the memory.

    dY (..., N, D)  ∂L/∂Y; the other arguments are those of `decoder_layer`
    ->  dict of the gradients of all weights, those of W["cross"] in a dict named cross, and of
        dT, dR, dX (..., N, D) and dmemory (..., M, D)
    """
    causal = causal_mask(X.shape[-2])
    gamma_1, gamma_2, gamma_3 = W["gamma_1"], W["gamma_2"], W["gamma_3"]
    if norm_first:
        A = layer_norm(X, gamma_1, W["beta_1"])
        R = X + multi_head_attention(A, A, W, heads, causal)[0]
        B = layer_norm(R, gamma_2, W["beta_2"])
        T = R + multi_head_attention(B, memory, W["cross"], heads, memory_mask)[0]
        feed = feed_forward_backward(dY, layer_norm(T, gamma_3, W["beta_3"]), W)
        norm_3 = layer_norm_backward(feed["dX"], T, gamma_3)
        dT = dY + norm_3["dX"]
        cross = multi_head_attention_backward(dT, B, memory, W["cross"], heads, memory_mask)
        norm_2 = layer_norm_backward(cross["dX"], R, gamma_2)
        dR = dT + norm_2["dX"]
        attend = multi_head_attention_backward(dR, A, A, W, heads, causal)
        norm_1 = layer_norm_backward(attend["dX"] + attend["dmemory"], X, gamma_1)
        dX = dR + norm_1["dX"]
    else:
        S_1 = X + multi_head_attention(X, X, W, heads, causal)[0]
        R = layer_norm(S_1, gamma_1, W["beta_1"])
        S_2 = R + multi_head_attention(R, memory, W["cross"], heads, memory_mask)[0]
        T = layer_norm(S_2, gamma_2, W["beta_2"])
        norm_3 = layer_norm_backward(dY, T + feed_forward(T, W), gamma_3)
        feed = feed_forward_backward(norm_3["dX"], T, W)
        dT = norm_3["dX"] + feed["dX"]
        norm_2 = layer_norm_backward(dT, S_2, gamma_2)
        cross = multi_head_attention_backward(
            norm_2["dX"], R, memory, W["cross"], heads, memory_mask
        )
        dR = norm_2["dX"] + cross["dX"]
        norm_1 = layer_norm_backward(dR, S_1, gamma_1)
        attend = multi_head_attention_backward(norm_1["dX"], X, X, W, heads, causal)
        dX = norm_1["dX"] + attend["dX"] + attend["dmemory"]
    projections = ("dW_O", "dW_V", "dW_K", "dW_Q")
    return {
        **{name: feed[name] for name in ("dW_2", "db_2", "dW_1", "db_1")},
        "dgamma_3": norm_3["dgamma"],
        "dbeta_3": norm_3["dbeta"],
        "dT": dT,
        "cross": {name: cross[name] for name in projections},
        "dmemory": cross["dmemory"],
        "dgamma_2": norm_2["dgamma"],
        "dbeta_2": norm_2["dbeta"],
        "dR": dR,
        **{name: attend[name] for name in projections},
        "dgamma_1": norm_1["dgamma"],
        "dbeta_1": norm_1["dbeta"],
        "dX": dX,
    }


def _check_targets(logits, targets):
    """Fewer targets than places would broadcast."""
    if targets.shape != logits.shape[:-1]:
        raise ValueError(f"targets are {targets.shape}, expected {logits.shape[:-1]}, one a place")


def cross_entropy(logits, targets):
    """How surprised the model is by the right tokens: the mean of −log p(target), in nats.

    logits (..., C) scores of C tokens; targets (...) int, the right token of each place  ->  float

    Logits of any size give a finite loss. Raises ValueError for a target outside 0 … C − 1, and
    for targets that are not one for each place.
    """
    _check_targets(logits, targets)
    classes = logits.shape[-1]
    if targets.min() < 0 or targets.max() >= classes:
        raise ValueError(
            f"targets run from {targets.min()} to {targets.max()}, expected 0 to {classes - 1}"
        )
    shifted = logits - logits.max(axis=-1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=-1))  # (...)
    right = np.take_along_axis(shifted, targets[..., None], axis=-1)[..., 0]  # (...)
    return float((log_sum - right).mean())


def cross_entropy_backward(logits, targets):
    """The gradient of `cross_entropy`: (p − onehot(target)) / number of tokens.

    logits (..., C), targets (...) int  ->  dlogits (..., C)
    """
    _check_targets(logits, targets)
    onehot = np.arange(logits.shape[-1]) == targets[..., None]  # (..., C)
    return (softmax(logits) - onehot) / targets.size
