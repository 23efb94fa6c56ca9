"""Multi-head attention in NumPy, forward beside backward. Taught in chapter 02.

Vaswani et al., Attention Is All You Need (NeurIPS 2017, 1706.03762), section 3.2.2. Symbols and
shapes, the same in prose and code:

    X       (..., N, D)       tokens that ask
    memory  (..., M, D_m)     tokens that answer; X itself in self-attention
    W_Q     (D, D)            projections of all heads side by side: head i owns the columns
    W_K     (D_m, D)            from i·d to (i + 1)·d, where d = D / heads
    W_V     (D_m, D)
    W_O     (D, D)            mixes the heads' outputs
    Q, K, V (..., N or M, D)  projected tokens; the heads' queries, keys, values side by side
    P       (..., heads, N, M)  weights, a matrix for each head
    H       (..., N, D)       the heads' outputs side by side
    Y       (..., N, D)       output, H W_O
    mask    bool (N, M), one for all, or (..., N, M), an axis of size 1 where it does not vary; True
            where a query may look
"""

from tutorial_lib.from_scratch.attention import attention, attention_backward


def split_heads(X, heads):
    """Give each head its own block of neighbouring features.

    X (..., N, D), heads: a divisor of D  ->  (..., heads, N, d) of X's dtype, d = D / heads;
    head i holds the features from i·d to (i + 1)·d of every token. ValueError if D is no multiple
    of heads.
    """
    *batch, n, width = X.shape
    if width % heads:
        raise ValueError(f"{width} features do not divide among {heads} heads")
    return X.reshape(*batch, n, heads, width // heads).swapaxes(-3, -2)


def merge_heads(X):
    """Put the heads' features side by side again, the inverse of `split_heads`.

    X (..., heads, N, d)  ->  (..., N, heads · d), of X's dtype: for each token the features of
    head 0, then those of head 1, and so on
    """
    *batch, heads, n, d = X.shape
    return X.swapaxes(-3, -2).reshape(*batch, n, heads * d)


def multi_head_attention(X, memory, W, heads, mask=None):
    """Several attentions side by side: Y = Concat(head_1, …, head_h) W_O.

    X (..., N, D) tokens that ask; memory (..., M, D_m) tokens that answer, X for self-attention;
    W: dict of W_Q (D, D), W_K (D_m, D), W_V (D_m, D), W_O (D, D);
    heads: a divisor of D; mask bool, (N, M) for all sequences or (..., N, M), an axis of size 1
    where it does not vary; the same for every head, True where a query may look; or None
    ->  Y (..., N, D), P (..., heads, N, M), of X's dtype

    head_i = softmax(Q_i K_iᵀ / √d) V_i, where Q_i, K_i and V_i are the i-th blocks of d = D / heads
    features of X W_Q, memory W_K and memory W_V.
    """
    Q = split_heads(X @ W["W_Q"], heads)  # (..., heads, N, d)
    K = split_heads(memory @ W["W_K"], heads)  # (..., heads, M, d)
    V = split_heads(memory @ W["W_V"], heads)
    if mask is not None:
        mask = mask[..., None, :, :]  # (..., 1, N, M)
    Z, P = attention(Q, K, V, mask)
    return merge_heads(Z) @ W["W_O"], P


def multi_head_attention_backward(dY, X, memory, W, heads, mask=None):
    """Every gradient of multi-head attention, from the output back to the tokens.

    dY (..., N, D)  ∂L/∂Y; the other arguments are those of `multi_head_attention`
    ->  dict, of X's dtype, in the order of the chain, of
        dW_O (D, D), dH (..., N, D), where H are the heads' outputs side by side,
        dQ (..., N, D), dK and dV (..., M, D), all heads side by side,
        dW_Q (D, D), dW_K and dW_V (D_m, D), dX (..., N, D), dmemory (..., M, D_m)

    All sequences of a batch share the weights. dX is what comes through the queries alone: for
    self-attention the caller adds dX + dmemory.
    """
    Q = split_heads(X @ W["W_Q"], heads)
    K, V = (split_heads(memory @ W[name], heads) for name in ("W_K", "W_V"))
    if mask is not None:
        mask = mask[..., None, :, :]
    H = merge_heads(attention(Q, K, V, mask)[0])

    def rows(A):  # all tokens of the batch in one matrix, so that a product sums over them
        return A.reshape(-1, A.shape[-1])

    dH = dY @ W["W_O"].T
    inner = attention_backward(split_heads(dH, heads), Q, K, V, mask)
    dQ, dK, dV = (merge_heads(inner[name]) for name in ("dQ", "dK", "dV"))
    return {
        "dW_O": rows(H).T @ rows(dY),
        "dH": dH,
        "dQ": dQ,
        "dK": dK,
        "dV": dV,
        "dW_Q": rows(X).T @ rows(dQ),
        "dW_K": rows(memory).T @ rows(dK),
        "dW_V": rows(memory).T @ rows(dV),
        "dX": dQ @ W["W_Q"].T,
        "dmemory": dK @ W["W_K"].T + dV @ W["W_V"].T,
    }
