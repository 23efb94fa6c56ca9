"""The way back through an encoder layer, Pre-LN and Post-LN."""

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.transformer.layers import attend, norm, tokens_and_layers
from tutorial_lib.from_scratch import transformer as np_transformer
from tutorial_lib.from_scratch.feed_forward import feed_forward, feed_forward_backward
from tutorial_lib.from_scratch.multi_head import multi_head_attention_backward
from tutorial_lib.from_scratch.normalization import layer_norm_backward


def gradients_tokens_and_layers(rng):
    for case in tokens_and_layers(rng):
        dY = rng.normal(size=case["X"].shape).astype(case["X"].dtype)
        yield {"dY": dY, **case}


encoder_layer_backward = Exercise(
    np_transformer.encoder_layer_backward,
    level=4,
    minutes=35,
    cases=gradients_tokens_and_layers,
    hints=(
        "Write the forward pass with a name for everything on the way, then walk it from the end. "
        "A sum x + f(x) sends its gradient along both ways, and what comes back from both is added "
        "in x.",
        "Pre-LN: dY goes into the feed-forward network, from there into its norm (which was given "
        "R), and dR = dY + what comes out. Post-LN: dY goes into the norm first, and what comes "
        "out goes along the residual and into the network. For attention, once more the same.",
        "In self-attention the tokens are X and memory at once, so its gradient is "
        '`attend["dX"] + attend["dmemory"]`. Pre-LN passes that sum through the first norm before '
        "adding dR; Post-LN adds it to the first norm's dX.",
    ),
)


ASKED = "dW_2 db_2 dW_1 db_1 dgamma_2 dbeta_2 dR dW_O dW_V dW_K dW_Q dgamma_1 dbeta_1 dX".split()


def _norm_backward(dY, X, W, i):
    return layer_norm_backward(dY, X, W[f"gamma_{i}"])


def _gradients(
    dY,
    X,
    W,
    heads,
    norm_first,
    mask,
    *,
    keep=(1, 1),
    keys=1,
    raw=(0, 0),
    normed_sum=True,
    masked_back=True,
    norm_backward=_norm_backward,
):
    """`encoder_layer_backward` with residuals or keys left out, other norms, or raw tokens."""

    def attend_backward(dZ, Y):
        seen = mask if masked_back else None
        found = multi_head_attention_backward(dZ, Y, Y, W, heads, seen)
        return found, found["dX"] + keys * found["dmemory"]

    if norm_first:
        A = norm(X, W, 1)
        R = X + attend(A, A, W, heads, mask)
        feed = feed_forward_backward(dY, R if raw[1] else norm(R, W, 2), W)
        norm_2 = norm_backward(feed["dX"], R, W, 2)
        dR = keep[1] * dY + norm_2["dX"]
        attention, dA = attend_backward(dR, X if raw[0] else A)
        norm_1 = norm_backward(dA, X, W, 1)
        dX = keep[0] * dR + norm_1["dX"]
    else:
        S = X + attend(X, X, W, heads, mask)
        R = norm(S, W, 1)
        norm_2 = norm_backward(dY, R + feed_forward(R, W), W, 2)
        feed = feed_forward_backward(norm_2["dX"], R, W)
        dR = keep[1] * norm_2["dX"] + feed["dX"]
        norm_1 = norm_backward(dR, S if normed_sum else X, W, 1)
        attention, dA = attend_backward(norm_1["dX"], X)
        dX = keep[0] * norm_1["dX"] + dA
    found = {**feed, **attention, "dR": dR, "dX": dX}
    for i, inner in ((1, norm_1), (2, norm_2)):
        found |= {f"dgamma_{i}": inner["dgamma"], f"dbeta_{i}": inner["dbeta"]}
    return {name: found[name] for name in ASKED}


@encoder_layer_backward.mistake(
    """The residual around the feed-forward network is lost: dR holds only what comes through the
    branch. R also reaches Y along the plain line of the sum; how much of the gradient does that
    line carry?"""
)
def loses_the_second_residual(dY, X, W, heads, norm_first, mask=None):
    return _gradients(dY, X, W, heads, norm_first, mask, keep=(1, 0))


@encoder_layer_backward.mistake(
    """The residual around the attention is lost: dX holds only what comes through the branch. How
    else does X reach R?"""
)
def loses_the_first_residual(dY, X, W, heads, norm_first, mask=None):
    return _gradients(dY, X, W, heads, norm_first, mask, keep=(0, 1))


@encoder_layer_backward.mistake(
    """Both residuals are lost: you walk back through the branches alone. A sum x + f(x) has two
    inputs that depend on x; what does each of them receive?"""
)
def loses_both_residuals(dY, X, W, heads, norm_first, mask=None):
    return _gradients(dY, X, W, heads, norm_first, mask, keep=(0, 0))


@encoder_layer_backward.mistake(
    """dX holds what came through the queries and not what came through the keys and values. In
    self-attention a token asks and answers: which two entries of attention's gradients belong to
    it?"""
)
def queries_only(dY, X, W, heads, norm_first, mask=None):
    return _gradients(dY, X, W, heads, norm_first, mask, keys=0)


@encoder_layer_backward.mistake(
    """The gradient passes by the norms as if they were not there: dgamma and dbeta are taken, and
    then what arrived is passed on unchanged. Which entry of `layer_norm_backward` goes on?"""
)
def passes_by_the_norms(dY, X, W, heads, norm_first, mask=None):
    def norm_backward(dY, X, W, i):
        return {**_norm_backward(dY, X, W, i), "dX": dY}

    return _gradients(dY, X, W, heads, norm_first, mask, norm_backward=norm_backward)


@encoder_layer_backward.mistake(
    """You pass on dXhat where the norm's dX is due: that is the gradient inside the norm, before it
    has gone back through mean and variance. Which one belongs to what the norm was given?"""
)
def passes_on_dxhat(dY, X, W, heads, norm_first, mask=None):
    def norm_backward(dY, X, W, i):
        found = _norm_backward(dY, X, W, i)
        return {**found, "dX": found["dXhat"]}

    return _gradients(dY, X, W, heads, norm_first, mask, norm_backward=norm_backward)


@encoder_layer_backward.mistake(
    """You give `layer_norm_backward` the norm's output. A backward needs what its forward was
    given: what went into each norm?"""
)
def norms_given_their_output(dY, X, W, heads, norm_first, mask=None):
    def norm_backward(dY, X, W, i):
        return _norm_backward(dY, norm(X, W, i), W, i)

    return _gradients(dY, X, W, heads, norm_first, mask, norm_backward=norm_backward)


@encoder_layer_backward.mistake(
    """In Post-LN you give the first norm's backward X. A backward needs what its forward was given:
    what did that norm stand behind?"""
)
def first_norm_given_the_input(dY, X, W, heads, norm_first, mask=None):
    return _gradients(dY, X, W, heads, norm_first, mask, normed_sum=False)


@encoder_layer_backward.mistake(
    """In Pre-LN you give both branches' backwards the tokens as they were before the norm. A
    backward needs what its forward was given: what did a branch read there?"""
)
def branches_given_the_raw(dY, X, W, heads, norm_first, mask=None):
    return _gradients(dY, X, W, heads, norm_first, mask, raw=(1, 1))


@encoder_layer_backward.mistake(
    """In Pre-LN you give the attention's backward X. A backward needs what its forward was given:
    what did the attention read there?"""
)
def attention_given_the_raw(dY, X, W, heads, norm_first, mask=None):
    return _gradients(dY, X, W, heads, norm_first, mask, raw=(1, 0))


@encoder_layer_backward.mistake(
    """In Pre-LN you give the feed-forward network's backward R. A backward needs what its forward
    was given: what did the network read there?"""
)
def network_given_the_raw(dY, X, W, heads, norm_first, mask=None):
    return _gradients(dY, X, W, heads, norm_first, mask, raw=(0, 1))


@encoder_layer_backward.mistake(
    """This is the way back through a Pre-LN layer whatever is asked. A backward must undo its own
    forward: what was the last step of a Post-LN layer?"""
)
def always_pre_backward(dY, X, W, heads, norm_first, mask=None):
    return np_transformer.encoder_layer_backward(dY, X, W, heads, True, mask)


@encoder_layer_backward.mistake(
    """This is the way back through a Post-LN layer whatever is asked. A Pre-LN layer ends with a
    sum and not with a norm: what does dY meet first on its way back?"""
)
def always_post_backward(dY, X, W, heads, norm_first, mask=None):
    return np_transformer.encoder_layer_backward(dY, X, W, heads, False, mask)


@encoder_layer_backward.mistake(
    """Right without a mask, wrong with one: the backward computes the weights of attention again
    and needs the same mask as the forward."""
)
def backward_without_the_mask(dY, X, W, heads, norm_first, mask=None):
    return np_transformer.encoder_layer_backward(dY, X, W, heads, norm_first)


@encoder_layer_backward.mistake(
    """Right without a mask; with one you walk forward with it and back without. The backward of
    attention makes the weights once more: who tells it where a query may look?"""
)
def mask_lost_on_the_way_back(dY, X, W, heads, norm_first, mask=None):
    return _gradients(dY, X, W, heads, norm_first, mask, masked_back=False)


@encoder_layer_backward.mistake(
    """The gradients of the two norms are exchanged: 1 belongs to the norm at the attention and 2 to
    that at the feed-forward network. Which of them does the way back meet first?"""
)
def norms_exchanged_backward(dY, X, W, heads, norm_first, mask=None):
    right = np_transformer.encoder_layer_backward(dY, X, W, heads, norm_first, mask)
    names = [f"d{name}_{i}" for name in ("gamma", "beta") for i in (1, 2)]
    return {**right, **{name: right[f"{name[:-1]}{3 - int(name[-1])}"] for name in names}}


@encoder_layer_backward.mistake(
    """Both norms are given gamma_1 and beta_1. In a fresh layer all gammas are 1 and nobody
    notices; which pair belongs to the feed-forward network?"""
)
def one_norm_for_both_backward(dY, X, W, heads, norm_first, mask=None):
    W = {**W, "gamma_2": W["gamma_1"], "beta_2": W["beta_1"]}
    return np_transformer.encoder_layer_backward(dY, X, W, heads, norm_first, mask)
