"""Attention in moved windows: the way back."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch.attention import masked_softmax, scores, softmax_backward
from tutorial_lib.from_scratch.positions import relative_position_index
from tutorial_lib.from_scratch.windows import shift_mask, window_partition, window_reverse


def biased_attention(x, table, window, shift):
    """Attention in moved windows, without weights but with a bias table of one head.

    x (B, H, W, C), table ((2 · window − 1)²,)  ->  (B, H, W, C) and the weights P (B, n, N, N)
    """
    H, W = x.shape[1:3]
    tokens = window_partition(np.roll(x, (-shift, -shift), (1, 2)), window, window)
    S = scores(tokens, tokens) + table[relative_position_index(window, window)]
    P = masked_softmax(S, shift_mask(H, W, window, shift))
    found = window_reverse(P @ tokens, window, window, H, W)
    return np.roll(found, (shift, shift), (1, 2)), P


def biased_attention_backward(dZ, x, P, window, shift):
    """Every gradient of `biased_attention`, from what came out back to tokens and table.

    dZ (B, H, W, C)  ∂L/∂Z of what came out; x (B, H, W, C) what went in
    P (B, n, N, N)   the weights of the forward, zero where the mask hides; n windows, N = window²
    window, shift    in tokens, as in the forward
    ->  dict: dx (B, H, W, C), and dtable ((2 · window − 1)²,)

    `softmax_backward(dP, P)` gives ∂L/∂S of the scores, S = t tᵀ / √C + bias, for the tokens t of a
    window: each token is query, key and value. `relative_position_index(window, window)`, int
    (N, N), says which entry of the table a pair has used.
    """
    H, W = x.shape[1:3]
    t, dz = (
        window_partition(np.roll(a, (-shift, -shift), (1, 2)), window, window) for a in (x, dZ)
    )
    dS = softmax_backward(dz @ t.mT, P)  # (B, n, N, N)
    dt = P.mT @ dz + (dS + dS.mT) @ t / t.shape[-1] ** 0.5  # as value, as query and as key
    dtable = np.zeros((2 * window - 1) ** 2, dZ.dtype)
    np.add.at(dtable, relative_position_index(window, window), dS.sum(axis=(0, 1)))
    dx = window_reverse(dt, window, window, H, W)
    return {"dx": np.roll(dx, (shift, shift), (1, 2)), "dtable": dtable}


def forwards(rng):
    for B, H, W, C, window, shift in [
        (1, 2, 4, 2, 2, 0),
        (2, 4, 2, 1, 2, 1),
        (1, 6, 3, 2, 3, 1),
        (2, 3, 6, 3, 3, 2),
        (1, 4, 4, 5, 2, 1),
    ]:
        x, dZ = rng.normal(size=(2, B, H, W, C))
        table = rng.normal(size=(2 * window - 1) ** 2)
        _, P = biased_attention(x, table, window, shift)
        yield dict(dZ=dZ, x=x, P=P, window=window, shift=shift)


biased_attention_backward = Exercise(
    biased_attention_backward,
    level=4,
    minutes=20,
    cases=forwards,
    hints=(
        "Everything outside the attention only moves numbers. What moves a gradient to the place "
        "where its number came from?",
        "Within a window it is chapter 01's backward three times over, for t as value, as query "
        "and as key, and the three add up. An entry of the table went to many pairs, in every "
        "window of every image: how do gradients of one number combine?",
        "Roll and cut dZ as x; dS from dP = dz tᵀ; dt = Pᵀ dz + (dS + dSᵀ) t / √C; back by "
        "`window_reverse` and the opposite roll. `np.add.at(dtable, index, dS.sum(axis=(0, 1)))`.",
    ),
)


def _back(
    dZ, x, P, window, shift, *, there=None, back=None, ways=("value", "query", "key"), root=0.5,
    softmax=softmax_backward, gather=np.add.at, forth=None, value=lambda P, dz: P.mT @ dz,
):  # fmt: skip
    """`biased_attention_backward` with one of its steps changed."""
    H, W = x.shape[1:3]
    there = -shift if there is None else there
    forth = -shift if forth is None else forth
    back = shift if back is None else back
    t = window_partition(np.roll(x, (forth, forth), (1, 2)), window, window)
    dz = window_partition(np.roll(dZ, (there, there), (1, 2)), window, window)
    dS = softmax(dz @ t.mT, P)
    parts = {
        "value": value(P, dz),
        "query": dS @ t / t.shape[-1] ** root,
        "key": dS.mT @ t / t.shape[-1] ** root,
    }
    dx = window_reverse(sum(parts[way] for way in ways), window, window, H, W)
    dtable = np.zeros((2 * window - 1) ** 2, dZ.dtype)
    gather(dtable, relative_position_index(window, window), dS.sum(axis=(0, 1)))
    return {"dx": np.roll(dx, (back, back), (1, 2)), "dtable": dtable}


def _table(dZ, x, P, window, shift):
    return _back(dZ, x, P, window, shift)["dtable"]


@biased_attention_backward.mistake(
    """The tokens' gradient is right; the table's is not: where several pairs used one entry, the
    last one is all that is left. `a[index] += b` adds to each entry once. Which function of NumPy
    adds as often as an entry occurs?"""
)
def last_pair_wins(dZ, x, P, window, shift):
    def gather(dtable, index, dS):
        dtable[index] += dS

    return _back(dZ, x, P, window, shift, gather=gather)


@biased_attention_backward.mistake(
    """The tokens' gradient is right; of the table's you take the mean over the pairs that used an
    entry. A number that went into many places moves the loss along all of them. What does the
    chain rule do with copies?"""
)
def mean_over_pairs(dZ, x, P, window, shift):
    def gather(dtable, index, dS):
        np.add.at(dtable, index, dS)
        dtable /= np.bincount(index.ravel(), minlength=len(dtable))

    return _back(dZ, x, P, window, shift, gather=gather)


@biased_attention_backward.mistake(
    """Your table is read backwards: an offset and its opposite are exchanged. Is the index query by
    key in yours, as the scores are?"""
)
def index_transposed(dZ, x, P, window, shift):
    def gather(dtable, index, dS):
        np.add.at(dtable, index.T, dS)

    return _back(dZ, x, P, window, shift, gather=gather)


@biased_attention_backward.mistake(
    """You divide the table's gradient by √C. The bias is added to the scores after the division:
    what is ∂S/∂bias?"""
)
def scales_the_table(dZ, x, P, window, shift):
    def gather(dtable, index, dS):
        np.add.at(dtable, index, dS / x.shape[-1] ** 0.5)

    return _back(dZ, x, P, window, shift, gather=gather)


@biased_attention_backward.mistake(
    """The table's gradient is a mean over the windows and images. All of them have used the same
    table: how do their gradients combine?"""
)
def mean_over_windows(dZ, x, P, window, shift):
    def gather(dtable, index, dS):
        np.add.at(dtable, index, dS / (P.shape[0] * P.shape[1]))

    return _back(dZ, x, P, window, shift, gather=gather)


@biased_attention_backward.mistake(
    """Your gradient lies at the wrong place: dZ is cut into windows as it is. The forward rolled
    back what came out. Where does the backward of that roll move dZ?"""
)
def does_not_roll_dz(dZ, x, P, window, shift):
    return _back(dZ, x, P, window, shift, there=0)


@biased_attention_backward.mistake(
    """You roll dZ the way the forward rolled its result. The backward of a roll goes the other way:
    which token of the windows has made the token (0, 0) that came out?"""
)
def rolls_dz_the_other_way(dZ, x, P, window, shift):
    return _back(dZ, x, P, window, shift, there=shift)


@biased_attention_backward.mistake(
    """The gradient of the tokens stays rolled. The forward began with a roll: what is its
    backward?"""
)
def dx_stays_rolled(dZ, x, P, window, shift):
    return _back(dZ, x, P, window, shift, back=0)


@biased_attention_backward.mistake(
    """The gradient of the tokens is rolled as the forward rolled x, once more the same way. The
    backward of a roll is the roll that undoes it."""
)
def rolls_dx_on(dZ, x, P, window, shift):
    return _back(dZ, x, P, window, shift, back=-shift)


@biased_attention_backward.mistake(
    """The way through the values is missing: a token is also what is summed up. In which three
    places does t stand?"""
)
def without_values(dZ, x, P, window, shift):
    return _back(dZ, x, P, window, shift, ways=("query", "key"))


@biased_attention_backward.mistake(
    """The way through the keys is missing: a token is asked, too. In t tᵀ, t stands twice."""
)
def without_keys(dZ, x, P, window, shift):
    return _back(dZ, x, P, window, shift, ways=("value", "query"))


@biased_attention_backward.mistake(
    """The way through the queries is missing: a token asks, too. In t tᵀ, t stands twice."""
)
def without_queries(dZ, x, P, window, shift):
    return _back(dZ, x, P, window, shift, ways=("value", "key"))


@biased_attention_backward.mistake(
    """Only the way through the values is there: weights depend on the tokens as well."""
)
def values_alone(dZ, x, P, window, shift):
    return _back(dZ, x, P, window, shift, ways=("value",))


@biased_attention_backward.mistake(
    """The root of C is missing on the way back. Where the forward divides, the backward divides."""
)
def without_the_root(dZ, x, P, window, shift):
    return _back(dZ, x, P, window, shift, root=0)


@biased_attention_backward.mistake(
    """Your softmax's way back is P · dP alone. A row of weights sums to one: raise one, and the
    others fall. What does `softmax_backward` subtract?"""
)
def half_a_softmax(dZ, x, P, window, shift):
    return _back(dZ, x, P, window, shift, softmax=lambda dP, P: P * dP)


@biased_attention_backward.mistake(
    """The table's gradient is a mean over the images. All of them have used the same table: how do
    their gradients combine?"""
)
def mean_over_images(dZ, x, P, window, shift):
    return _back(dZ, x, P, window, shift) | {"dtable": _table(dZ, x, P, window, shift) / len(x)}


@biased_attention_backward.mistake(
    """The table has learned from the first image alone. Who else has used it?"""
)
def first_image_alone(dZ, x, P, window, shift):
    first = _table(dZ[:1], x[:1], P[:1], window, shift)
    return _back(dZ, x, P, window, shift) | {"dtable": first}


@biased_attention_backward.mistake(
    """You leave the softmax out on the way back: dP goes on as if it were the scores' gradient.
    Which function leads from the weights back to the scores?"""
)
def without_the_softmax(dZ, x, P, window, shift):
    return _back(dZ, x, P, window, shift, softmax=lambda dP, P: dP)


@biased_attention_backward.mistake(
    """Your softmax goes back along the queries. Which axis of P sums to one?"""
)
def softmax_along_queries(dZ, x, P, window, shift):
    return _back(dZ, x, P, window, shift, softmax=lambda dP, P: softmax_backward(dP.mT, P.mT).mT)


@biased_attention_backward.mistake(
    """A value gets its gradient from those whom it listens to, and should get it from those who
    listened to it. What happens to P on the way back through P t?"""
)
def weights_not_transposed(dZ, x, P, window, shift):
    return _back(dZ, x, P, window, shift, value=lambda P, dz: P @ dz)


@biased_attention_backward.mistake(
    """You take the way through the queries twice, as if the scores' gradient were symmetric. S is,
    without the bias; is dS? What is the way through the keys?"""
)
def queries_twice(dZ, x, P, window, shift):
    return _back(dZ, x, P, window, shift, ways=("value", "query", "query"))


@biased_attention_backward.mistake(
    """x, dZ and the result are all rolled the other way. They fit each other and not P, which comes
    from windows of a grid that was rolled up and to the left."""
)
def everything_the_other_way(dZ, x, P, window, shift):
    return _back(dZ, x, P, window, shift, forth=shift, there=shift, back=-shift)
