"""Where a token stands, told to attention in four ways, in NumPy. Taught in chapter 02.

Sinusoids: Vaswani et al., Attention Is All You Need (NeurIPS 2017, 1706.03762), section 3.5; in two
dimensions as in Carion et al., DETR (ECCV 2020, 2005.12872). A relative bias: Liu et al., Swin
Transformer (ICCV 2021, 2103.14030), section 3.2. Rotations: Su et al., RoFormer (2104.09864).
Positions are whole numbers from 0, angles are radians. A grid of rows × columns tokens is numbered
row by row.
"""

import numpy as np


def frequencies(d):
    """How fast each pair of features turns: ω_i = 10000^(−2i/d), i = 0 … d/2 − 1.

    d even  ->  (d / 2,), radians for each step of one position, from 1 down to nearly 1/10000
    """
    if d < 2 or d % 2:
        raise ValueError(f"d = {d}: features come in pairs of a sine and a cosine, so d is even")
    return 10000.0 ** (-np.arange(0, d, 2) / d)


def sinusoidal(n, d):
    """The Transformer's positional encoding.

    n positions, d features, d even  ->  E (n, d) float64 with
        E[p, 2i]     = sin(p / 10000^(2i/d))
        E[p, 2i + 1] = cos(p / 10000^(2i/d)),   p = 0 … n − 1,  i = 0 … d/2 − 1
    """
    angle = np.arange(n)[:, None] * frequencies(d)  # (n, d / 2)
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(n, d)


def shift_matrix(k, d):
    """The matrix that moves a sinusoidal encoding by k positions, wherever it stands.

    k: any whole number; d features, even
    ->  T (d, d) with E[p + k] = T E[p] for every p, where E = sinusoidal(n, d)

    Features 2i and 2i + 1 are sin(pω_i) and cos(pω_i), ω_i = 10000^(−2i/d); write sin((p + k)ω_i)
    and cos((p + k)ω_i) in terms of the two. All other entries of T are zero.
    """
    angle = k * frequencies(d)  # (d / 2,)
    sine = np.arange(0, d, 2)  # where the sines stand; each cosine stands one further
    T = np.zeros((d, d))
    T[sine, sine] = T[sine + 1, sine + 1] = np.cos(angle)
    T[sine, sine + 1] = np.sin(angle)
    T[sine + 1, sine] = -np.sin(angle)
    return T


def sinusoidal_2d(rows, columns, d):
    """A positional encoding for a grid: half of the features say the row, half the column.

    rows, columns: the grid's size; d features, a multiple of 4
    ->  (rows · columns, d), row by row: the token in row y and column x has the d/2 features of
    sinusoidal(rows, d / 2)[y], then the d/2 of sinusoidal(columns, d / 2)[x]
    """
    if d % 4:
        raise ValueError(f"d = {d}: rows and columns both need pairs, so d is a multiple of 4")
    row = np.repeat(sinusoidal(rows, d // 2), columns, axis=0)  # (rows · columns, d / 2)
    column = np.tile(sinusoidal(columns, d // 2), (rows, 1))
    return np.concatenate([row, column], axis=-1)


def relative_position_index(rows, columns):
    """Which entry of a bias table belongs to each pair of tokens of a grid.

    rows, columns: the grid's size; N = rows · columns tokens, numbered row by row
    ->  int (N, N), query by key, with entries from 0 to (2 rows − 1)(2 columns − 1) − 1

    Let dy and dx be the query's row and column minus the key's. A table of (2 rows − 1) lines of
    (2 columns − 1) entries, read line by line, has one for each (dy, dx): the line is dy, counted
    from the smallest that occurs, and the place in the line is dx, counted likewise.
    """
    y, x = np.divmod(np.arange(rows * columns), columns)  # (N,) each
    dy, dx = y[:, None] - y, x[:, None] - x  # (N, N) each
    return (dy + rows - 1) * (2 * columns - 1) + dx + columns - 1


def relative_bias_backward(dS, index, size):
    """The gradient of a bias table whose entries were added to the scores: S += table[..., index].

    dS (..., N, M)  ∂L/∂S; leading axes, such as one for the heads, have tables of their own
    index int (N, M)  as `relative_position_index` gives it; size: the number of entries of a table
    ->  (..., size): an entry collects the gradients of all pairs that used it. A batch shares its
    tables, so sum dS over the batch first.
    """
    dtable = np.zeros((*dS.shape[:-2], size), dtype=dS.dtype)
    np.add.at(dtable, (..., index), dS)  # += would count an index that occurs twice only once
    return dtable


def rotary(X, positions):
    """Rotate each pair of features by an angle that grows with the token's position.

    X float (..., N, d) queries or keys, d even; positions (N,)
    ->  (..., N, d), of X's dtype; of a token at position p the features 2i and 2i + 1 become
        x_2i cos(pω_i) − x_2i+1 sin(pω_i)   and   x_2i sin(pω_i) + x_2i+1 cos(pω_i),
    with ω_i = 10000^(−2i/d)
    """
    if not np.issubdtype(X.dtype, np.floating):  # whole numbers would cut sines down to 0
        raise TypeError(f"rotary turns floats, not {X.dtype}")
    if positions.dtype == np.float16:  # 2049 is 2048 in float16
        raise TypeError("positions are float16, expected whole numbers or float32")
    angle = positions[:, None] * frequencies(X.shape[-1])  # (N, d / 2)
    cos, sin = np.cos(angle).astype(X.dtype), np.sin(angle).astype(X.dtype)
    even, odd = X[..., 0::2], X[..., 1::2]  # (..., N, d / 2)
    turned = np.stack([even * cos - odd * sin, even * sin + odd * cos], axis=-1)
    return turned.reshape(X.shape)


def rotary_backward(dY, positions):
    """Carry a gradient back through `rotary`: dY (..., N, d), positions (N,)  ->  dX (..., N, d).

    The backward of Y = R X is dX = Rᵀ dY, and the transpose of a rotation turns it back.
    """
    return rotary(dY, -positions)
