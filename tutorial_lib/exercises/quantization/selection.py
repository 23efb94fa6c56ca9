"""Searching for low-bit weights: a soft choice, a hard one, and the gradient of the soft one."""

import numpy as np

from tutorial_lib.checking import Exercise


def searched_weight(A, v, tau, dw):
    """A weight that is one of K values: in training, in deployment, and what its logits learn.

    A (..., K) logits; v (K,) values, rising; tau > 0; dw (...), the gradient of the loss with
    respect to w
    ->  dict of
        w    (...): the mean of the values under the softmax of A / tau
        w_q  (...): the value with the largest logit
        dA   (..., K): the gradient of the loss with respect to A, through w

    Logits may be large and tau small: nothing may overflow.
    """
    e = np.exp((A - A.max(axis=-1, keepdims=True)) / tau)
    p = e / e.sum(axis=-1, keepdims=True)  # (..., K)
    w = p @ v
    dA = dw[..., None] * p * (v - w[..., None]) / tau
    return {"w": w, "w_q": v[A.argmax(axis=-1)], "dA": dA}


def logits_and_values(rng):
    for shape, K, tau in [((2,), 2, 0.5), ((1,), 3, 1.0), ((3, 2), 4, 0.3), ((2, 1, 3), 2, 2.0)]:
        yield dict(
            A=rng.normal(size=(*shape, K)),
            v=np.linspace(-1, 1, K),
            tau=tau,
            dw=rng.normal(size=shape),
        )
    yield dict(A=rng.normal(size=(4, 4)), v=np.array([-2.0, 0.0, 0.5, 3.0]), tau=0.7, dw=np.ones(4))
    # the mean of the outer two lies next to the middle one, which has the smallest logit
    yield dict(
        A=np.array([[1.0, -3.0, 1.1], [0.4, 0.1, 0.3]]),
        v=np.array([-1.0, 0.0, 1.0]),
        tau=1.0,
        dw=np.array([1.0, -2.0]),
    )
    yield dict(A=1000 * rng.normal(size=(3, 2)), v=np.array([-1.0, 1.0]), tau=0.01, dw=np.ones(3))


searched_weight = Exercise(
    searched_weight,
    level=3,
    minutes=15,
    cases=logits_and_values,
    hints=(
        "w is a mean, with the shares p = softmax(A / tau). For dA: what does a little more of A_k "
        "do to p_k, and what to the other shares?",
        "∂p_j/∂A_k = p_j (1[j = k] − p_k) / tau. Sum it with v_j over j: what remains has one p_k "
        "in front and a difference behind it.",
        "`dA = dw[..., None] * p * (v - w[..., None]) / tau`; for w_q index v with `A.argmax(-1)`; "
        "subtract the largest logit before the exponential.",
    ),
)


def _found(A, v, tau, dw, **other):
    """The reference's results, some of them replaced."""
    return searched_weight.reference(A, v, tau, dw) | other


def _softmax(A, tau):
    e = np.exp((A - A.max(axis=-1, keepdims=True)) / tau)
    return e / e.sum(axis=-1, keepdims=True)


@searched_weight.mistake(
    """dA lacks the 1 / tau: the softmax sees A / tau, and the chain rule passes through that
    division too."""
)
def no_tau_in_the_gradient(A, v, tau, dw):
    return _found(A, v, tau, dw, dA=_found(A, v, tau, dw)["dA"] * tau)


@searched_weight.mistake(
    """You multiply by tau. A low temperature should make the choice sharp: which way must the
    logits change for that?"""
)
def times_tau(A, v, tau, dw):
    return searched_weight.reference(A, v, 1 / tau, dw)


@searched_weight.mistake(
    """The temperature does nothing: your shares are the softmax of A itself."""
)
def no_temperature(A, v, tau, dw):
    return searched_weight.reference(A, v, 1, dw)


@searched_weight.mistake(
    """Your shares are the softmax of A itself: the temperature is in the gradient alone. What does
    the softmax see?"""
)
def temperature_in_the_gradient_alone(A, v, tau, dw):
    found = searched_weight.reference(A, v, 1, dw)
    return found | {"dA": found["dA"] / tau}


@searched_weight.mistake(
    """dA = dw p v: as if each share depended on its own logit alone. All shares have one sum: what
    one gains, the others lose. Does a constant added to all values change your gradient?"""
)
def shares_on_their_own(A, v, tau, dw):
    return _found(A, v, tau, dw, dA=dw[..., None] * _softmax(A, tau) * v / tau)


@searched_weight.mistake(
    """dA = dw p (1 − p) v: the diagonal of the softmax's derivative alone. A logit also changes the
    shares of the *other* values."""
)
def diagonal_alone(A, v, tau, dw):
    p = _softmax(A, tau)
    return _found(A, v, tau, dw, dA=dw[..., None] * p * (1 - p) * v / tau)


@searched_weight.mistake(
    """dA has the other sign: to descend is the optimizer's business. A value above w should make w
    larger if its logit grows."""
)
def gradient_turned(A, v, tau, dw):
    return _found(A, v, tau, dw, dA=-_found(A, v, tau, dw)["dA"])


@searched_weight.mistake(
    """Your w_q is the value nearest to w. A mean of −1 and 1 may lie next to 0, which nobody chose.
    Who decides, the mean or the logits?"""
)
def rounds_the_mean(A, v, tau, dw):
    found = _found(A, v, tau, dw)
    return found | {"w_q": v[abs(found["w"][..., None] - v).argmin(axis=-1)]}


@searched_weight.mistake(
    """Your w_q says which value it is, and not the value. What does it index?"""
)
def index_for_value(A, v, tau, dw):
    return _found(A, v, tau, dw, w_q=A.argmax(axis=-1))


@searched_weight.mistake(
    """Your w_q is the largest logit. Logits say how strongly a value is wanted; w_q is that
    value."""
)
def largest_logit(A, v, tau, dw):
    return _found(A, v, tau, dw, w_q=A.max(axis=-1))


@searched_weight.mistake(
    """NaN for large logits: their exponential is infinite. What may be subtracted from all logits
    of a weight without a change of its shares?"""
)
def overflows(A, v, tau, dw):
    with np.errstate(all="ignore"):
        e = np.exp(A / tau)
        p = e / e.sum(axis=-1, keepdims=True)
        w = p @ v
        return _found(A, v, tau, dw, w=w, dA=dw[..., None] * p * (v - w[..., None]) / tau)


@searched_weight.mistake(
    """dA is multiplied by tau. The softmax sees A / tau: what is its derivative by A?"""
)
def times_tau_in_the_gradient(A, v, tau, dw):
    return _found(A, v, tau, dw, dA=_found(A, v, tau, dw)["dA"] * tau**2)


@searched_weight.mistake(
    """Your softmax runs over the weights, its first axis, and not over the values of one weight."""
)
def over_the_weights(A, v, tau, dw):
    p = np.moveaxis(_softmax(np.moveaxis(A, 0, -1), tau), -1, 0)
    w = p @ v
    return _found(A, v, tau, dw, w=w, dA=dw[..., None] * p * (v - w[..., None]) / tau)


@searched_weight.mistake(
    """dA measures each value against w_q. The loss has w, the mean: against what does a share win
    or lose?"""
)
def against_the_hard_value(A, v, tau, dw):
    found, p = _found(A, v, tau, dw), _softmax(A, tau)
    return found | {"dA": dw[..., None] * p * (v - found["w_q"][..., None]) / tau}


@searched_weight.mistake(
    """dA = dw (v − w) / tau: the share is missing. A value that hardly counts should hardly
    learn."""
)
def without_the_share(A, v, tau, dw):
    found = _found(A, v, tau, dw)
    return found | {"dA": dw[..., None] * (v - found["w"][..., None]) / tau}
