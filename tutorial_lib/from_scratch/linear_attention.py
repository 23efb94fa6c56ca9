"""Linear attention in NumPy: one function in four forms, and its backward. Taught in chapter 38.

Katharopoulos et al., Transformers are RNNs: Fast Autoregressive Transformers with Linear Attention
(ICML 2020, 2006.16236), section 3. Symbols and shapes:

    Q, K  (..., N, d)   queries and keys, before the feature map
    phi_Q, phi_K (..., N, r)  φ of each row: r positive features; with elu + 1, r = d
    V     (..., N, m)   values
    S     (..., r, m)   Σ φ(K_j) V_jᵀ over the keys so far: what was said, filed under its key
    Z     (..., r)      Σ φ(K_j) over the keys so far: how much was said (not chapter 01's output)
    Y   (..., N, m)   V′ in the paper

A gradient is named after what it belongs to: dY is ∂L/∂Y, with Y's shape.
"""

import numpy as np


def elu_plus_one(x):
    """The paper's feature map φ, number by number: x + 1 above zero, exp(x) below.

    x float, any shape  ->  φ(x) of x's shape and dtype, nowhere negative

    The two pieces meet at zero, with the same value and the same slope. A large x must give no
    infinity and no warning on the way.
    """
    return np.where(x > 0, x + 1, np.exp(np.minimum(x, 0)))


def elu_plus_one_backward(dphi, x):
    """dphi ∂L/∂φ(x) of x's shape  ->  dx: the slope is 1 above zero, and φ(x) itself below."""
    return dphi * np.minimum(elu_plus_one(x), 1)


def quadratic_attention(phi_Q, phi_K, V, causal=False):
    """The definition, with all weights in memory: Y_i = Σ_j w_ij V_j, w_ij ∝ φ(Q_i)·φ(K_j).

    phi_Q (..., N, r), phi_K (..., M, r), V (..., M, m); causal: query i sees keys 0 … i, M = N
    ->  Y (..., N, m)
    """
    A = phi_Q @ phi_K.mT  # (..., N, M)
    if causal:
        A = np.tril(A)
    return A @ V / A.sum(axis=-1, keepdims=True)


def linear_attention(phi_Q, phi_K, V):
    """What every query hears from every key, in time and memory that grow with N and not with N².

    phi_Q (..., N, r), phi_K (..., M, r), both positive; V (..., M, m)  ->  Y (..., N, m)

        Y_i = Σ_j φ(Q_i)·φ(K_j) V_j / Σ_j φ(Q_i)·φ(K_j)          (equation 4 of the paper)

    No array may have a side for the queries and one for the keys.
    """
    S = phi_K.mT @ V  # (..., r, m)
    Z = phi_K.sum(axis=-2)  # (..., r)
    return phi_Q @ S / (phi_Q @ Z[..., None])


def causal_linear_attention(phi_Q, phi_K, V):
    """The same where query i sees keys 0 … i alone.

    phi_Q, phi_K (..., N, r), both positive; V (..., N, m)
    ->  Y (..., N, m), S (..., r, m), Z (..., r), the last two after all N tokens

        Y_i = φ(Q_i)ᵀ S_i / φ(Q_i)·Z_i,  S_i = Σ_{j≤i} φ(K_j) V_jᵀ,  Z_i = Σ_{j≤i} φ(K_j)

    Of S and Z only the present ones are kept: beside Y, memory does not grow with N.
    """
    S = np.zeros((*V.shape[:-2], phi_K.shape[-1], V.shape[-1]), V.dtype)
    Z = np.zeros(phi_K[..., 0, :].shape, V.dtype)
    Y = np.empty_like(V)
    for i in range(V.shape[-2]):
        S = S + phi_K[..., i, :, None] * V[..., i, None, :]
        Z = Z + phi_K[..., i, :]
        q = phi_Q[..., i, None, :]  # (..., 1, r)
        Y[..., i, :] = (q @ S / (q @ Z[..., None]))[..., 0, :]
    return Y, S, Z


def causal_linear_attention_backward(dY, phi_Q, phi_K, V):
    """Every gradient of `causal_linear_attention`, in memory linear in N (section 3.3.1).

    dY (..., N, m) ∂L/∂Y; the other arguments are those of the forward
    ->  dict of dphi_Q, dphi_K, dV, each with the shape of what it belongs to

    A sum is kept for the present token only, never one for each: what the forward has added up is
    added up once more.
    """
    # Y_i = n_i / d_i, with n_i = S_iᵀ φ(Q_i) and d_i = Z_i·φ(Q_i). Their gradients: g_i, h_i.
    g, h = np.empty_like(V), np.empty_like(V[..., :1])  # (..., N, m), (..., N, 1)
    dphi_Q, dphi_K, dV = np.empty_like(phi_Q), np.empty_like(phi_K), np.empty_like(V)

    S = np.zeros((*V.shape[:-2], phi_K.shape[-1], V.shape[-1]), V.dtype)  # over the past
    Z = np.zeros(phi_K[..., 0, :].shape, V.dtype)
    for i in range(V.shape[-2]):
        S += phi_K[..., i, :, None] * V[..., i, None, :]
        Z += phi_K[..., i, :]
        n = (phi_Q[..., i, None, :] @ S)[..., 0, :]  # (..., m)
        d = (phi_Q[..., i, :] * Z).sum(axis=-1, keepdims=True)  # (..., 1)
        g[..., i, :] = dY[..., i, :] / d
        h[..., i, :] = -(dY[..., i, :] * n).sum(axis=-1, keepdims=True) / d**2
        dphi_Q[..., i, :] = (S @ g[..., i, :, None])[..., 0] + Z * h[..., i, :]

    S_later, Z_later = np.zeros_like(S), np.zeros_like(Z)  # over the future
    for j in reversed(range(V.shape[-2])):
        S_later += phi_Q[..., j, :, None] * g[..., j, None, :]
        Z_later += phi_Q[..., j, :] * h[..., j, :]
        dphi_K[..., j, :] = (S_later @ V[..., j, :, None])[..., 0] + Z_later
        dV[..., j, :] = (phi_K[..., j, None, :] @ S_later)[..., 0, :]
    return {"dphi_Q": dphi_Q, "dphi_K": dphi_K, "dV": dV}
