"""An encoder layer wired from its parts, Pre-LN and Post-LN."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import transformer as np_transformer
from tutorial_lib.from_scratch.attention import causal_mask, padding_mask
from tutorial_lib.from_scratch.feed_forward import feed_forward
from tutorial_lib.from_scratch.multi_head import multi_head_attention
from tutorial_lib.from_scratch.normalization import layer_norm


def _weights(rng, dim, hidden):
    W = {name: rng.normal(size=(dim, dim)) for name in ("W_Q", "W_K", "W_V", "W_O")}
    W |= {"W_1": rng.normal(size=(dim, hidden)), "b_1": rng.normal(size=hidden)}
    W |= {"W_2": rng.normal(size=(hidden, dim)), "b_2": rng.normal(size=dim)}
    for i in (1, 2):
        W |= {f"gamma_{i}": rng.normal(size=dim), f"beta_{i}": rng.normal(size=dim)}
    return W


def tokens_and_layers(rng):
    sizes = [((1, 3), 1, 1, None), ((2, 3), 1, 2, None), ((3, 4), 2, 5, causal_mask(3))]
    sizes += [((2, 3, 4), 4, 3, padding_mask([3, 1], 3)), ((4, 6), 2, 6, None)]
    sizes += [((2, 1, 3, 4), 2, 5, None), ((2, 3, 4), 2, 5, causal_mask(3))]
    for shape, heads, hidden, mask in sizes:
        X, W = rng.normal(size=shape), _weights(rng, shape[-1], hidden)
        for norm_first in (True, False):
            yield dict(X=X, W=W, heads=heads, norm_first=norm_first, mask=mask)
    # Each token's score of itself is far below −10000, and the first may look nowhere else.
    X, W = rng.normal(size=(2, 4)), _weights(rng, 4, 3)
    W["W_K"] = -1e6 * W["W_Q"]
    for norm_first in (True, False):
        yield dict(X=X, W=W, heads=1, norm_first=norm_first, mask=causal_mask(2))
    W = {name: value.astype(np.float32) for name, value in _weights(rng, 4, 3).items()}
    X = (3 + 2 * rng.normal(size=(2, 4))).astype(np.float32)
    for norm_first in (True, False):
        yield dict(X=X, W=W, heads=2, norm_first=norm_first)  # `mask` is left to its default


encoder_layer = Exercise(
    np_transformer.encoder_layer,
    level=2,
    minutes=15,
    cases=tokens_and_layers,
    hints=(
        "Draw both layers: a line from X to Y with two branches. On which side of the plus does "
        "each norm stand?",
        "Pre-LN: the branch reads the normed tokens, and its result is added to the tokens as they "
        "were. Post-LN: the branch reads the tokens, and the sum is normed. Self-attention reads "
        "one sequence as both X and memory.",
        "Pre-LN: `A = layer_norm(X, gamma_1, beta_1)`, `R = X + attention of A with A`, then "
        "`R + feed_forward(layer_norm(R, gamma_2, beta_2), W)`. Post-LN: "
        "`R = layer_norm(X + attention of X with X, ...)`, and the same once more around "
        "`feed_forward`.",
    ),
)


def norm(X, W, i):
    return layer_norm(X, W[f"gamma_{i}"], W[f"beta_{i}"])


def attend(X, memory, W, heads, mask):
    return multi_head_attention(X, memory, W, heads, mask)[0]


@encoder_layer.mistake(
    """The two orders are swapped: you give Post-LN where Pre-LN is asked, and the other way round.
    What does `norm_first` say is done first?"""
)
def swaps_the_orders(X, W, heads, norm_first, mask=None):
    return np_transformer.encoder_layer(X, W, heads, not norm_first, mask)


@encoder_layer.mistake(
    """Your layer is Post-LN whatever is asked. With `norm_first` the sum is never normed: what
    reads the normed tokens instead?"""
)
def always_post(X, W, heads, norm_first, mask=None):
    return np_transformer.encoder_layer(X, W, heads, False, mask)


@encoder_layer.mistake(
    """Your layer is Pre-LN whatever is asked. Without `norm_first` a branch reads the tokens as
    they are: when does the norm have its turn?"""
)
def always_pre(X, W, heads, norm_first, mask=None):
    return np_transformer.encoder_layer(X, W, heads, True, mask)


@encoder_layer.mistake(
    """In Pre-LN your residual starts from the normed tokens, so the tokens themselves are lost and
    no straight line leads from Y back to X. What should the branch's result be added to?"""
)
def residual_from_the_normed(X, W, heads, norm_first, mask=None):
    if not norm_first:
        return np_transformer.encoder_layer(X, W, heads, norm_first, mask)
    A = norm(X, W, 1)
    B = norm(A + attend(A, A, W, heads, mask), W, 2)
    return B + feed_forward(B, W)


@encoder_layer.mistake(
    """In Pre-LN your first residual starts from the normed tokens; the second is right. What should
    the attention's result be added to?"""
)
def first_residual_from_the_normed(X, W, heads, norm_first, mask=None):
    if not norm_first:
        return np_transformer.encoder_layer(X, W, heads, norm_first, mask)
    A = norm(X, W, 1)
    R = A + attend(A, A, W, heads, mask)
    return R + feed_forward(norm(R, W, 2), W)


@encoder_layer.mistake(
    """In Pre-LN your second residual starts from the normed tokens; the first is right. What should
    the feed-forward network's result be added to?"""
)
def second_residual_from_the_normed(X, W, heads, norm_first, mask=None):
    if not norm_first:
        return np_transformer.encoder_layer(X, W, heads, norm_first, mask)
    A = norm(X, W, 1)
    B = norm(X + attend(A, A, W, heads, mask), W, 2)
    return B + feed_forward(B, W)


@encoder_layer.mistake(
    """In Pre-LN your queries come from the raw tokens, your keys and values from the normed ones.
    In self-attention who asks?"""
)
def queries_from_the_raw(X, W, heads, norm_first, mask=None):
    if not norm_first:
        return np_transformer.encoder_layer(X, W, heads, norm_first, mask)
    R = X + attend(X, norm(X, W, 1), W, heads, mask)
    return R + feed_forward(norm(R, W, 2), W)


@encoder_layer.mistake(
    """In Pre-LN your second branch reads the tokens as they are: the norm that belongs to the
    feed-forward network is nowhere. What does each branch do first?"""
)
def second_branch_not_normed(X, W, heads, norm_first, mask=None):
    if not norm_first:
        return np_transformer.encoder_layer(X, W, heads, norm_first, mask)
    A = norm(X, W, 1)
    R = X + attend(A, A, W, heads, mask)
    return R + feed_forward(R, W)


@encoder_layer.mistake(
    """Each norm is given its shift for its gain and its gain for its shift. In a fresh layer all
    gains are 1 and all shifts 0; what would it then do to its tokens? In which order does
    `layer_norm` take the two?"""
)
def gain_for_shift(X, W, heads, norm_first, mask=None):
    names = {"gamma": "beta", "beta": "gamma"}
    exchanged = {f"{a}_{i}": W[f"{b}_{i}"] for a, b in names.items() for i in (1, 2)}
    return np_transformer.encoder_layer(X, {**W, **exchanged}, heads, norm_first, mask)


@encoder_layer.mistake(
    """In Pre-LN your queries come from the normed tokens, your keys and values from the raw ones.
    In self-attention who answers?"""
)
def keys_from_the_raw(X, W, heads, norm_first, mask=None):
    if not norm_first:
        return np_transformer.encoder_layer(X, W, heads, norm_first, mask)
    R = X + attend(norm(X, W, 1), X, W, heads, mask)
    return R + feed_forward(norm(R, W, 2), W)


@encoder_layer.mistake(
    """You norm twice: in Pre-LN the branch's input and then the sum as well. How many norms has a
    layer with two branches?"""
)
def norms_the_sum_too(X, W, heads, norm_first, mask=None):
    if not norm_first:
        return np_transformer.encoder_layer(X, W, heads, norm_first, mask)
    A = norm(X, W, 1)
    R = norm(X + attend(A, A, W, heads, mask), W, 1)
    return norm(R + feed_forward(norm(R, W, 2), W), W, 2)


@encoder_layer.mistake(
    """Your Pre-LN layer ends with a norm. Its output is the plain sum; a norm at the very end
    belongs to the whole stack, once. What comes last in x + f(LN(x))?"""
)
def norm_at_the_end(X, W, heads, norm_first, mask=None):
    Y = np_transformer.encoder_layer(X, W, heads, norm_first, mask)
    return norm(Y, W, 2) if norm_first else Y


@encoder_layer.mistake(
    """There is no residual: a branch's result takes the place of the tokens instead of being added
    to them. A deep stack of such layers hardly trains. What does the x in x + f(x) keep?"""
)
def without_residuals(X, W, heads, norm_first, mask=None):
    if norm_first:
        A = norm(X, W, 1)
        return feed_forward(norm(attend(A, A, W, heads, mask), W, 2), W)
    R = norm(attend(X, X, W, heads, mask), W, 1)
    return norm(feed_forward(R, W), W, 2)


@encoder_layer.mistake(
    """The residual around the attention is missing: what it found takes the place of the tokens
    instead of being added to them. What does the x in x + f(x) keep?"""
)
def without_the_first_residual(X, W, heads, norm_first, mask=None):
    if norm_first:
        A = norm(X, W, 1)
        R = attend(A, A, W, heads, mask)
        return R + feed_forward(norm(R, W, 2), W)
    R = norm(attend(X, X, W, heads, mask), W, 1)
    return norm(R + feed_forward(R, W), W, 2)


@encoder_layer.mistake(
    """The residual around the feed-forward network is missing: what it gives takes the place of the
    tokens instead of being added to them. What does the x in x + f(x) keep?"""
)
def without_the_second_residual(X, W, heads, norm_first, mask=None):
    if norm_first:
        A = norm(X, W, 1)
        return feed_forward(norm(X + attend(A, A, W, heads, mask), W, 2), W)
    R = norm(X + attend(X, X, W, heads, mask), W, 1)
    return norm(feed_forward(R, W), W, 2)


@encoder_layer.mistake(
    """Your second residual starts from the layer's input, so what attention found is read by the
    feed-forward network and then dropped. What has the first residual made of X?"""
)
def second_residual_from_the_input(X, W, heads, norm_first, mask=None):
    if norm_first:
        A = norm(X, W, 1)
        R = X + attend(A, A, W, heads, mask)
        return X + feed_forward(norm(R, W, 2), W)
    R = norm(X + attend(X, X, W, heads, mask), W, 1)
    return norm(X + feed_forward(R, W), W, 2)


@encoder_layer.mistake(
    """In Post-LN you norm the branch and then add. After the first paper the norm has the last
    word: what stands inside LN(...)?"""
)
def norms_the_branch(X, W, heads, norm_first, mask=None):
    if norm_first:
        return np_transformer.encoder_layer(X, W, heads, norm_first, mask)
    R = X + norm(attend(X, X, W, heads, mask), W, 1)
    return R + norm(feed_forward(R, W), W, 2)


@encoder_layer.mistake(
    """Both norms use gamma_1 and beta_1. At the start of training all gammas are 1 and nobody
    notices; which pair belongs to the feed-forward network?"""
)
def one_norm_for_both(X, W, heads, norm_first, mask=None):
    W = {**W, "gamma_2": W["gamma_1"], "beta_2": W["beta_1"]}
    return np_transformer.encoder_layer(X, W, heads, norm_first, mask)


@encoder_layer.mistake(
    """In Pre-LN your second norm reads X, the layer's input, so the feed-forward network never
    hears of what attention found. What runs along the residual between the two branches?"""
)
def second_norm_reads_the_input(X, W, heads, norm_first, mask=None):
    if not norm_first:
        return np_transformer.encoder_layer(X, W, heads, norm_first, mask)
    A = norm(X, W, 1)
    R = X + attend(A, A, W, heads, mask)
    return R + feed_forward(norm(X, W, 2), W)


@encoder_layer.mistake(
    """The two norms are exchanged: gamma_2 and beta_2 stand at the attention, gamma_1 and beta_1 at
    the feed-forward network. In a fresh layer both pairs are alike and nobody notices; with trained
    weights all is wrong. To which branch does each pair belong?"""
)
def norms_exchanged(X, W, heads, norm_first, mask=None):
    exchanged = {f"{name}_{i}": W[f"{name}_{3 - i}"] for name in ("gamma", "beta") for i in (1, 2)}
    return np_transformer.encoder_layer(X, {**W, **exchanged}, heads, norm_first, mask)


@encoder_layer.mistake("""Right without a mask, wrong with one: who should be told of the mask?""")
def ignores_the_mask(X, W, heads, norm_first, mask=None):
    return np_transformer.encoder_layer(X, W, heads, norm_first)
