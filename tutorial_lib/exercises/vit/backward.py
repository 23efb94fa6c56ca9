"""The gradients of what is new in ViT: the patch embedding and the class token."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import patches as np_patches
from tutorial_lib.from_scratch import vit as np_vit
from tutorial_lib.from_scratch.patches import patchify, unpatchify


def gradients_images_and_maps(rng):
    for B, H, W, C, p, D in [
        (1, 2, 2, 1, 1, 2),
        (1, 2, 4, 1, 2, 1),
        (2, 2, 4, 1, 2, 4),
        (2, 4, 2, 3, 2, 5),
        (3, 2, 2, 2, 2, 3),
        (2, 4, 6, 1, 2, 4),
    ]:
        yield dict(
            dX=rng.normal(size=(B, H * W // p**2, D)),
            images=rng.normal(size=(B, H, W, C)),
            E=rng.normal(size=(p * p * C, D)),
            p=p,
        )
    shapes = dict(dX=(2, 2, 3), images=(2, 2, 4, 1), E=(4, 3))
    yield {name: rng.normal(size=s).astype(np.float32) for name, s in shapes.items()} | {"p": 2}


patch_embedding_backward = Exercise(
    np_patches.patch_embedding_backward,
    level=3,
    minutes=20,
    cases=gradients_images_and_maps,
    hints=(
        "Two steps forward, cut and multiply, so two steps back, in the other order. Cutting only "
        "moves numbers: where must the gradient of a pixel go?",
        "For X = patches E + b: dpatches = dX Eᵀ; dE and db add up over all patches of all images, "
        "because all of them used the same E and b.",
        "`patchify(images, p)` and dX as matrices with a row for each patch of the batch give "
        "dE = patchesᵀ dX in one product; db is the sum of the rows of dX; "
        "`unpatchify(dpatches, p, columns)` with as many columns as W holds patches.",
    ),
)


_backward = np_patches.patch_embedding_backward


@patch_embedding_backward.mistake(
    """dimages is dpatches in another shape: a reshape alone, so a pixel gets the gradient of
    another one. Cutting moved the numbers; what moves them back?"""
)
def pixels_not_moved_back(dX, images, E, p):
    found = _backward(dX, images, E, p)
    return {**found, "dimages": found["dpatches"].reshape(images.shape)}


@patch_embedding_backward.mistake(
    """Right for square images: you put the patches together in rows of H/p. How many patches stand
    side by side?"""
)
def rows_for_columns(dX, images, E, p):
    found = _backward(dX, images, E, p)
    together = unpatchify(found["dpatches"], p, images.shape[1] // p)
    return {**found, "dimages": together}


@patch_embedding_backward.mistake(
    """dE and db are averaged over the patches. If the loss is a mean, its own backward has divided
    already, and dX carries that. What does the chain rule do with several paths to one number?"""
)
def averaged(dX, images, E, p):
    found = _backward(dX, images, E, p)
    count = dX[..., 0].size
    return {**found, "dE": found["dE"] / count, "db": found["db"] / count}


@patch_embedding_backward.mistake(
    """Divided by the images: your dE and db are B times too small. dX is the gradient of the loss
    already, with whatever mean is in it. Is there another mean on the way from X back to E?"""
)
def averaged_over_the_batch(dX, images, E, p):
    found = _backward(dX, images, E, p)
    return {**found, "dE": found["dE"] / len(images), "db": found["db"] / len(images)}


@patch_embedding_backward.mistake(
    """dE and db have the batch's axis: one for each image. There is one E for all images, and each
    has its share in the loss. What is to be done with the shares?"""
)
def for_each_image(dX, images, E, p):
    found = _backward(dX, images, E, p)
    return {**found, "dE": patchify(images, p).mT @ dX, "db": dX.sum(axis=1)}


@patch_embedding_backward.mistake(
    """db has a row for each patch: you sum over the images alone. The bias was added to every
    patch of every image."""
)
def bias_for_each_place(dX, images, E, p):
    return {**_backward(dX, images, E, p), "db": dX.sum(axis=0)}


@patch_embedding_backward.mistake(
    """dE pairs dX with pixels that are not cut into patches: you only reshaped the images. What did
    E multiply on the way forward?"""
)
def from_uncut_pixels(dX, images, E, p):
    uncut = images.reshape(-1, p * p * images.shape[-1])
    return {**_backward(dX, images, E, p), "dE": uncut.T @ dX.reshape(len(uncut), -1)}


@patch_embedding_backward.mistake(
    """dpatches is dX E where the chain rule has dX Eᵀ. With as many features in a token as in a
    patch the shapes agree, and only the numbers tell. How does a feature of the patch reach the D
    features of its token?"""
)
def map_not_transposed(dX, images, E, p):
    dpatches = dX @ E
    together = unpatchify(dpatches, p, images.shape[2] // p)
    return {**_backward(dX, images, E, p), "dpatches": dpatches, "dimages": together}


@patch_embedding_backward.mistake(
    """dE lies on its side: dXᵀ patches is its transpose. Row r of E belongs to feature r of a
    patch: on which side of the product must the patches stand?"""
)
def map_gradient_transposed(dX, images, E, p):
    found = _backward(dX, images, E, p)
    return {**found, "dE": found["dE"].T}


def gradients_of_tokens(rng):
    for shape in [(1, 2, 1), (1, 2, 2), (2, 2, 1), (2, 3, 2), (3, 2, 4), (2, 2, 2), (4, 4, 4)]:
        yield dict(dZ_0=rng.normal(size=shape))
    yield dict(dZ_0=rng.normal(size=(2, 3, 2)).astype(np.float32))


prepend_class_token_backward = Exercise(
    np_vit.prepend_class_token_backward,
    level=2,
    minutes=5,
    cases=gradients_of_tokens,
    hints=(
        "Write the sum for one number: Z_0[b, t, c] is what, for t = 0 and for t > 0? Who else "
        "uses E_pos[t, c]?",
        "What is used once per image gets the sum over the images. What each image has for itself "
        "keeps its axis.",
        "dE_pos is dZ_0 summed over axis 0. The class token is added to position 0 of every image. "
        "The patches are the other tokens.",
    ),
)


@prepend_class_token_backward.mistake(
    """You average over the images. If the loss is a mean, its own backward has divided already.
    What does the chain rule do with several paths to one number?"""
)
def averaged_over_images(dZ_0):
    dE_pos = dZ_0.mean(axis=0)
    return {"dE_pos": dE_pos, "dx_class": dE_pos[0], "dX": dZ_0[:, 1:]}


@prepend_class_token_backward.mistake(
    """dE_pos and dx_class still have the batch's axis. There is one table and one class token for
    all images: what becomes of the images' shares?"""
)
def one_for_each_image(dZ_0):
    return {"dE_pos": dZ_0, "dx_class": dZ_0[:, 0], "dX": dZ_0[:, 1:]}


@prepend_class_token_backward.mistake(
    """dE_pos is summed over the images and dx_class is not: it has a row for each image. How many
    class tokens does the model have?"""
)
def class_token_for_each_image(dZ_0):
    return {"dE_pos": dZ_0.sum(axis=0), "dx_class": dZ_0[:, 0], "dX": dZ_0[:, 1:]}


@prepend_class_token_backward.mistake(
    """dx_class adds up over all tokens. The class token stands in one place of each image: does
    moving it change any other place of Z_0?"""
)
def class_token_everywhere(dZ_0):
    return {"dE_pos": dZ_0.sum(axis=0), "dx_class": dZ_0.sum(axis=(0, 1)), "dX": dZ_0[:, 1:]}


@prepend_class_token_backward.mistake(
    """dX has a row too many: the class token's gradient is in it. X holds the patches; which rows
    of Z_0 are made of them?"""
)
def patches_with_the_class_token(dZ_0):
    dE_pos = dZ_0.sum(axis=0)
    return {"dE_pos": dE_pos, "dx_class": dE_pos[0], "dX": dZ_0}


@prepend_class_token_backward.mistake(
    """dE_pos has a row too few. The class token gets a position as well, and it learns."""
)
def no_position_for_the_class_token(dZ_0):
    return {
        "dE_pos": dZ_0[:, 1:].sum(axis=0),
        "dx_class": dZ_0[:, 0].sum(axis=0),
        "dX": dZ_0[:, 1:],
    }


@prepend_class_token_backward.mistake(
    """You look for the class token at the end. `prepend` says where it stands."""
)
def class_token_last(dZ_0):
    dE_pos = dZ_0.sum(axis=0)
    return {"dE_pos": dE_pos, "dx_class": dE_pos[-1], "dX": dZ_0[:, :-1]}


@prepend_class_token_backward.mistake(
    """dX is summed over the images. Each image has patches of its own: who else is there to share
    their gradient with?"""
)
def patches_summed(dZ_0):
    dE_pos = dZ_0.sum(axis=0)
    return {"dE_pos": dE_pos, "dx_class": dE_pos[0], "dX": dE_pos[1:]}
