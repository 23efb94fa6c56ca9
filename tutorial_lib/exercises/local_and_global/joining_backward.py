"""From the gradient at the patches back to their pixels."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import inside_patches
from tutorial_lib.from_scratch.normalization import layer_norm, layer_norm_backward


def gradients_at_patches(rng):
    for B, n, m, c, D in [(1, 1, 2, 2, 3), (1, 2, 3, 1, 2), (2, 3, 2, 2, 5), (3, 1, 1, 3, 4),
                          (2, 4, 4, 3, 6)]:  # fmt: skip
        weights = {
            "gamma_in": 1 + rng.normal(size=m * c),
            "beta_in": rng.normal(size=m * c),
            "W": rng.normal(size=(m * c, D)),
            "b": rng.normal(size=D),
            "gamma_out": 1 + rng.normal(size=D),
        }
        Y = rng.normal(size=(B, n, m, c))
        yield dict(dA=rng.normal(size=(B, n, D)), Y=Y, weights=weights)


pixels_to_patch_backward = Exercise(
    inside_patches.pixels_to_patch_backward,
    level=4,
    minutes=15,
    cases=gradients_at_patches,
    hints=(
        "Write the forward once more, with a name for what goes into each step: V, U = LN(V), "
        "T = U W + b, A = LN(T). Then go through the names from the right to the left.",
        "`layer_norm_backward` wants what went *into* the norm, and gives its dX. T is the same W "
        "for all patches: what is summed over B and n?",
        "dT comes from the outer norm; dU = dT Wᵀ goes into the inner one; dW = Uᵀ dT with all "
        "patches of all images as rows; dY is the inner norm's dX in the shape of Y.",
    ),
)


def _back(dA, Y, weights, *, into_outer=None, dU=None, dW=None, db=None, into_inner=None):
    """The reference with one of its steps changed."""
    V = Y.reshape(*Y.shape[:2], -1)
    U = layer_norm(V, weights["gamma_in"], weights["beta_in"])
    T = U @ weights["W"] + weights["b"]
    outer = layer_norm_backward(dA, into_outer(U, T) if into_outer else T, weights["gamma_out"])
    dT = outer["dX"]
    back = dU(dT) if dU else dT @ weights["W"].T
    inner = layer_norm_backward(back, into_inner(V, U) if into_inner else V, weights["gamma_in"])
    rows = U.reshape(-1, U.shape[-1]), dT.reshape(-1, dT.shape[-1])
    return {
        "dgamma_out": outer["dgamma"],
        "dbeta_out": outer["dbeta"],
        "db": db(dT) if db else dT.sum(axis=(0, 1)),
        "dW": dW(V, U, dT) if dW else rows[0].T @ rows[1],
        "dgamma_in": inner["dgamma"],
        "dbeta_in": inner["dbeta"],
        "dY": inner["dX"].reshape(Y.shape),
    }


@pixels_to_patch_backward.mistake(
    """The outer norm is differentiated at the wrong place: you hand `layer_norm_backward` what came
    *out* of that norm. It wants what went in."""
)
def outer_norm_of_its_output(dA, Y, weights):
    def out(U, T):
        return layer_norm(T, weights["gamma_out"], 0)

    return _back(dA, Y, weights, into_outer=out)


@pixels_to_patch_backward.mistake(
    """The inner norm is differentiated at U, which came out of it. It wants V, which went in."""
)
def inner_norm_of_its_output(dA, Y, weights):
    return _back(dA, Y, weights, into_inner=lambda V, U: U)


@pixels_to_patch_backward.mistake(
    """Your dW is made of V, the pixels before the norm. What did W multiply in the forward?"""
)
def weights_from_the_raw_pixels(dA, Y, weights):
    def dW(V, U, dT):
        return V.reshape(-1, V.shape[-1]).T @ dT.reshape(-1, dT.shape[-1])

    return _back(dA, Y, weights, dW=dW)


@pixels_to_patch_backward.mistake(
    """dW lies on its side, (D, m · c). A gradient has the shape of what it belongs to: which of the
    two factors is transposed?"""
)
def transposed_weights(dA, Y, weights):
    def dW(V, U, dT):
        return dT.reshape(-1, dT.shape[-1]).T @ U.reshape(-1, U.shape[-1])

    return _back(dA, Y, weights, dW=dW)


@pixels_to_patch_backward.mistake(
    """Your dW keeps the axis of the images: one matrix for each. All images share one W. What
    happens to the gradients of several ways to one number?"""
)
def weights_of_each_image(dA, Y, weights):
    return _back(dA, Y, weights, dW=lambda V, U, dT: U.swapaxes(1, 2) @ dT)


@pixels_to_patch_backward.mistake(
    """You average over images or patches where the task sums. How often is the loss divided by
    their number? Not at all: dA has that in it already."""
)
def mean_over_patches(dA, Y, weights):
    def dW(V, U, dT):
        return np.einsum("bni,bnj->ij", U, dT) / (dT.shape[0] * dT.shape[1])

    return _back(dA, Y, weights, dW=dW, db=lambda dT: dT.mean(axis=(0, 1)))


@pixels_to_patch_backward.mistake(
    """Your db is a sum of dA. The bias stands in front of the outer norm: which gradient arrives
    there?"""
)
def bias_behind_the_norm(dA, Y, weights):
    return _back(dA, Y, weights, db=lambda dT: dA.sum(axis=(0, 1)))


@pixels_to_patch_backward.mistake(
    """The outer norm has no way back in yours: dW, db and all that follows are made of dA times
    gamma, as if mean and variance did not depend on T."""
)
def through_the_gain_alone(dA, Y, weights):
    V = Y.reshape(*Y.shape[:2], -1)
    right = inside_patches.pixels_to_patch_backward(dA, Y, weights)
    U = layer_norm(V, weights["gamma_in"], weights["beta_in"])
    dT = dA * weights["gamma_out"]
    inner = layer_norm_backward(dT @ weights["W"].T, V, weights["gamma_in"])
    return right | {
        "db": dT.sum(axis=(0, 1)),
        "dW": np.einsum("bni,bnj->ij", U, dT),
        "dgamma_in": inner["dgamma"],
        "dbeta_in": inner["dbeta"],
        "dY": inner["dX"].reshape(Y.shape),
    }


@pixels_to_patch_backward.mistake(
    """Your pixels get the gradient of what came out of the inner norm: its own way back is missing.
    What did V pass before it met W?"""
)
def without_the_inner_norm(dA, Y, weights):
    right = inside_patches.pixels_to_patch_backward(dA, Y, weights)
    V = Y.reshape(*Y.shape[:2], -1)
    T = layer_norm(V, weights["gamma_in"], weights["beta_in"]) @ weights["W"] + weights["b"]
    dT = layer_norm_backward(dA, T, weights["gamma_out"])["dX"]
    return right | {"dY": (dT @ weights["W"].T).reshape(Y.shape)}


@pixels_to_patch_backward.mistake(
    """dY is still a row for each patch, (B, n, m · c). The forward made rows of the pixel tokens;
    what is the way back of a reshape?"""
)
def leaves_the_rows(dA, Y, weights):
    right = inside_patches.pixels_to_patch_backward(dA, Y, weights)
    return right | {"dY": right["dY"].reshape(*Y.shape[:2], -1)}


@pixels_to_patch_backward.mistake(
    """dA goes on into the map as it is: the outer norm is passed over on the way back. What stands
    between A and T?"""
)
def without_the_outer_norm(dA, Y, weights):
    right = inside_patches.pixels_to_patch_backward(dA, Y, weights)
    V = Y.reshape(*Y.shape[:2], -1)
    U = layer_norm(V, weights["gamma_in"], weights["beta_in"])
    inner = layer_norm_backward(dA @ weights["W"].T, V, weights["gamma_in"])
    return right | {
        "db": dA.sum(axis=(0, 1)),
        "dW": np.einsum("bni,bnj->ij", U, dA),
        "dgamma_in": inner["dgamma"],
        "dbeta_in": inner["dbeta"],
        "dY": inner["dX"].reshape(Y.shape),
    }


@pixels_to_patch_backward.mistake(
    """dW and db are those of the first image alone. All images share W and b: what happens to the
    gradients of several ways to one number?"""
)
def first_image_alone(dA, Y, weights):
    return _back(
        dA, Y, weights, dW=lambda V, U, dT: U[0].T @ dT[0], db=lambda dT: dT[0].sum(axis=0)
    )


@pixels_to_patch_backward.mistake(
    """The bias is missing from what you hand to the outer norm. T = U W + b: it moves the mean and
    the variance of a patch."""
)
def forgets_the_bias(dA, Y, weights):
    return _back(dA, Y, weights, into_outer=lambda U, T: T - weights["b"])


@pixels_to_patch_backward.mistake(
    """dY comes back with feature 0 of all pixel tokens first. In which order did vec put the
    numbers side by side?"""
)
def features_first(dA, Y, weights):
    right = inside_patches.pixels_to_patch_backward(dA, Y, weights)
    B, n, m, c = Y.shape
    return right | {"dY": right["dY"].reshape(B, n, c, m).swapaxes(2, 3)}


@pixels_to_patch_backward.mistake(
    """Your inner norm is undone for each pixel token by itself. It ran over the whole vector of a
    patch: which numbers share a mean?"""
)
def norm_of_each_token(dA, Y, weights):
    right = inside_patches.pixels_to_patch_backward(dA, Y, weights)
    V = Y.reshape(*Y.shape[:2], -1)
    T = layer_norm(V, weights["gamma_in"], weights["beta_in"]) @ weights["W"] + weights["b"]
    dT = layer_norm_backward(dA, T, weights["gamma_out"])["dX"]
    dU = (dT @ weights["W"].T * weights["gamma_in"]).reshape(Y.shape)
    return right | {"dY": layer_norm_backward(dU, Y, np.ones(Y.shape[-1]))["dX"]}
