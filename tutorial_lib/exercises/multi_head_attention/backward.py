"""The gradients of all heads, by hand."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.multi_head_attention.cases import tokens_memory_weights
from tutorial_lib.from_scratch import attention as np_attention
from tutorial_lib.from_scratch import multi_head as np_multi_head
from tutorial_lib.from_scratch.multi_head import merge_heads, split_heads


def gradients_tokens_memory_weights(rng):
    for case in tokens_memory_weights(rng):
        X = case["X"]
        yield {"dY": rng.normal(size=X.shape).astype(X.dtype), **case}


multi_head_attention_backward = Exercise(
    np_multi_head.multi_head_attention_backward,
    level=4,
    minutes=40,
    cases=gradients_tokens_memory_weights,
    hints=(
        "Go back through project, split, attend, merge, project. Splitting and merging only move "
        "numbers, so the backward of each is the other.",
        "For a product Y = H W the gradients are dW = Hᵀ dY and dH = dY Wᵀ. In a batch every token "
        "used the same W, so dW adds up over all tokens of all sequences.",
        "`attention_backward(split_heads(dH, heads), Q, K, V, mask)` with Q, K, V split; merge its "
        "dQ, dK, dV; then `A.reshape(-1, A.shape[-1])` for A = X and dQ gives dW_Q in one product. "
        "The memory fed two projections.",
    ),
)


def _rows(A):
    return A.reshape(-1, A.shape[-1])


def _backward(dY, X, memory, W, heads, mask, *, dH=None, split=split_heads, merge=merge_heads):
    """The right chain but for dH, or for the way in or out of the heads."""
    projected = (X @ W["W_Q"], memory @ W["W_K"], memory @ W["W_V"])
    Q, K, V = (split_heads(A, heads) for A in projected)
    right = np_multi_head.multi_head_attention_backward(dY, X, memory, W, heads, mask)
    dH = right["dH"] if dH is None else dH
    mask = mask if mask is None else mask[..., None, :, :]
    inner = np_attention.attention_backward(split(dH, heads), Q, K, V, mask)
    dQ, dK, dV = (merge(inner[name]) for name in ("dQ", "dK", "dV"))
    return {
        **right,
        "dH": dH,
        "dQ": dQ,
        "dK": dK,
        "dV": dV,
        "dW_Q": _rows(X).T @ _rows(dQ),
        "dW_K": _rows(memory).T @ _rows(dK),
        "dW_V": _rows(memory).T @ _rows(dV),
        "dX": dQ @ W["W_Q"].T,
        "dmemory": dK @ W["W_K"].T + dV @ W["W_V"].T,
    }


@multi_head_attention_backward.mistake(
    """dQ, dK and dV come back with an axis for the heads, and you bring them to (N, D) by a reshape
    alone. That puts several tokens of one head into a row. Which function of yours undoes the
    split?"""
)
def gradients_not_merged(dY, X, memory, W, heads, mask=None):
    def merge(A):
        return A.reshape(merge_heads(A).shape)

    return _backward(dY, X, memory, W, heads, mask, merge=merge)


@multi_head_attention_backward.mistake(
    """dH has the heads side by side, and you cut it by a reshape alone before it enters the heads.
    Which function gave each head its features on the way forward?"""
)
def gradient_split_by_reshape(dY, X, memory, W, heads, mask=None):
    def split(A, heads):
        return A.reshape(split_heads(A, heads).shape)

    return _backward(dY, X, memory, W, heads, mask, split=split)


@multi_head_attention_backward.mistake(
    """dH should be dY W_Oᵀ. W_O is square, so dY W_O has the right shape as well, and only a
    transpose tells: feature c of Y was made with *column* c of W_O."""
)
def w_o_not_transposed(dY, X, memory, W, heads, mask=None):
    return _backward(dY, X, memory, W, heads, mask, dH=dY @ W["W_O"])


@multi_head_attention_backward.mistake(
    """dW_O lies on its side: (dYᵀ H) is its transpose, and a square W_O does not complain. Row r of
    W_O belongs to feature r of H: on which side of the product must H stand?"""
)
def dw_o_transposed(dY, X, memory, W, heads, mask=None):
    right = np_multi_head.multi_head_attention_backward(dY, X, memory, W, heads, mask)
    return {**right, "dW_O": right["dW_O"].T}


@multi_head_attention_backward.mistake(
    """dW_O is made from X. But W_O never saw X: what did it multiply on the way forward?"""
)
def dw_o_from_x(dY, X, memory, W, heads, mask=None):
    right = np_multi_head.multi_head_attention_backward(dY, X, memory, W, heads, mask)
    return {**right, "dW_O": _rows(X).T @ _rows(dY)}


@multi_head_attention_backward.mistake(
    """dW_K and dW_V are made from X. In self-attention nobody notices; but which tokens did these
    two matrices multiply on the way forward?"""
)
def dw_k_and_dw_v_from_x(dY, X, memory, W, heads, mask=None):
    right = np_multi_head.multi_head_attention_backward(dY, X, memory, W, heads, mask)
    from_x = {f"dW_{n}": _rows(X).T @ _rows(right[f"d{n}"]) for n in "KV"}
    return {**right, **from_x}


@multi_head_attention_backward.mistake(
    """The memory's gradient through its keys is missing: yours is dV W_Vᵀ alone. Moving a token of
    the memory changes what it says *and* how well it is found."""
)
def memory_without_keys(dY, X, memory, W, heads, mask=None):
    right = np_multi_head.multi_head_attention_backward(dY, X, memory, W, heads, mask)
    return {**right, "dmemory": right["dV"] @ W["W_V"].T}


@multi_head_attention_backward.mistake(
    """The memory's gradient through its values is missing: yours is dK W_Kᵀ alone. Moving a token
    of the memory changes how well it is found *and* what it says."""
)
def memory_without_values(dY, X, memory, W, heads, mask=None):
    right = np_multi_head.multi_head_attention_backward(dY, X, memory, W, heads, mask)
    return {**right, "dmemory": right["dK"] @ W["W_K"].T}


@multi_head_attention_backward.mistake(
    """All three paths end in your dX, as in self-attention, and where the memory has another shape
    than X they cannot even be added. Which of the three projections did X go through? (Who calls
    it with memory = X adds dX and dmemory.)"""
)
def all_paths_into_x(dY, X, memory, W, heads, mask=None):
    right = np_multi_head.multi_head_attention_backward(dY, X, memory, W, heads, mask)
    return {**right, "dX": right["dX"] + right["dmemory"]}


@multi_head_attention_backward.mistake(
    """A gradient of weights has the batch's axis: one matrix for each sequence. All sequences used
    the *same* W, and each has its share in the loss. What is to be done with the shares?"""
)
def weights_for_each_sequence(dY, X, memory, W, heads, mask=None):
    right = np_multi_head.multi_head_attention_backward(dY, X, memory, W, heads, mask)
    unmixed = {**W, "W_O": np.eye(X.shape[-1], dtype=X.dtype)}
    H, _ = np_multi_head.multi_head_attention(X, memory, unmixed, heads, mask)
    return {
        **right,
        "dW_O": H.mT @ dY,
        "dW_Q": X.mT @ right["dQ"],
        "dW_K": memory.mT @ right["dK"],
        "dW_V": memory.mT @ right["dV"],
    }


@multi_head_attention_backward.mistake(
    """You average the gradients of the weights over the sequences. If the loss is a mean, its own
    backward has divided already, and dY carries that. What does the chain rule do with several
    paths to one number?"""
)
def weights_averaged(dY, X, memory, W, heads, mask=None):
    right = np_multi_head.multi_head_attention_backward(dY, X, memory, W, heads, mask)
    sequences = X[..., 0, 0].size
    averaged = {n: right[n] / sequences for n in ("dW_O", "dW_Q", "dW_K", "dW_V")}
    return {**right, **averaged}


@multi_head_attention_backward.mistake(
    """You do not use the mask: right without one, wrong with one. A forbidden pair has weight zero:
    what can it add to H, and what gradient can flow through it?"""
)
def ignores_mask(dY, X, memory, W, heads, mask=None):
    return np_multi_head.multi_head_attention_backward(dY, X, memory, W, heads, None)


@multi_head_attention_backward.mistake(
    """H is made with the mask and the gradients without it: dW_O is right, and what comes out of
    the heads is not. Which function of chapter 01 makes the weights once more on its way back?"""
)
def mask_lost_on_the_way_back(dY, X, memory, W, heads, mask=None):
    right = np_multi_head.multi_head_attention_backward(dY, X, memory, W, heads, mask)
    return {**_backward(dY, X, memory, W, heads, None), "dW_O": right["dW_O"]}
