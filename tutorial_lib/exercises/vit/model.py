"""A whole Vision Transformer of one layer."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import vit as np_vit
from tutorial_lib.from_scratch.attention import softmax
from tutorial_lib.from_scratch.feed_forward import linear
from tutorial_lib.from_scratch.normalization import layer_norm
from tutorial_lib.from_scratch.patches import patch_embedding
from tutorial_lib.from_scratch.transformer import encoder_layer


def images_and_weights(rng):
    for B, H, W, C, p, D, heads, K in [
        (1, 2, 2, 1, 1, 4, 2, 2),
        (1, 2, 4, 1, 2, 3, 1, 3),
        (2, 4, 2, 1, 2, 4, 2, 2),
        (2, 4, 4, 3, 2, 6, 3, 4),
        (3, 2, 6, 2, 2, 4, 4, 3),
    ]:
        yield dict(
            images=rng.normal(size=(B, H, W, C)),
            W=_weights(rng, H * W // p**2, p * p * C, D, K),
            p=p,
            heads=heads,
        )
    yield dict(
        images=1e3 * rng.normal(size=(2, 2, 2, 1)), W=_weights(rng, 4, 1, 4, 2), p=1, heads=2
    )
    yield dict(
        images=rng.normal(size=(2, 2, 2, 1)).astype(np.float32),
        W=_single(_weights(rng, 4, 1, 4, 2)),
        p=1,
        heads=2,
    )


def _weights(rng, n, features, D, K):
    layer = {name: rng.normal(size=(D, D)) for name in ("W_Q", "W_K", "W_V", "W_O")}
    layer |= {"W_1": rng.normal(size=(D, 2 * D)), "b_1": rng.normal(size=2 * D)}
    layer |= {"W_2": rng.normal(size=(2 * D, D)), "b_2": rng.normal(size=D)}
    layer |= {name: rng.normal(size=D) for name in ("gamma_1", "beta_1", "gamma_2", "beta_2")}
    shapes = dict(E=(features, D), b=D, x_class=D, E_pos=(1 + n, D), gamma=D, beta=D)
    shapes |= dict(W_head=(D, K), b_head=K)
    return {name: rng.normal(size=shape) for name, shape in shapes.items()} | {"layer": layer}


def _single(value):
    if isinstance(value, dict):
        return {name: _single(inner) for name, inner in value.items()}
    return value.astype(np.float32)


vit = Exercise(
    np_vit.vit,
    level=3,
    minutes=15,
    cases=images_and_weights,
    hints=(
        "Follow the schematic from left to right, a line for each box. Which shape has each?",
        "After the encoder layer there are 1 + n tokens for each image. Which one does the head "
        "read, and what is done to it before?",
        'The encoder layer takes `W["layer"]` and `norm_first=True`. Then token 0 of each image, '
        '`Z_1[:, 0]`, through the norm with `W["gamma"]`, `W["beta"]`, then the head.',
    ),
)


def _first(Z):
    return Z[:, 0]


def _norm(z, W):
    return layer_norm(z, W["gamma"], W["beta"])


def _logits(images, W, p, heads, *, norm_first=True, read=_first, norm=_norm):
    """`vit` with another encoder layer, another token for the head, or another norm."""
    X = patch_embedding(images, W["E"], W["b"], p)
    Z_0 = np_vit.prepend_class_token(X, W["x_class"], W["E_pos"])
    Z_1 = encoder_layer(Z_0, W["layer"], heads, norm_first)
    return linear(norm(read(Z_1), W), W["W_head"], W["b_head"])


@vit.mistake(
    """You average all tokens. That works as well when it is trained so; but here, as in the paper,
    the class token has collected what there is to know, and published weights rely on it."""
)
def averages_all_tokens(images, W, p, heads):
    return _logits(images, W, p, heads, read=lambda Z: Z.mean(axis=1))


@vit.mistake(
    """You normalize all tokens and then average them. The formula's y is the norm of one token:
    which of them answers for the image?"""
)
def averages_after_the_norm(images, W, p, heads):
    def norm(Z, W):
        return _norm(Z, W).mean(axis=1)

    return _logits(images, W, p, heads, read=lambda Z: Z, norm=norm)


@vit.mistake(
    """You average the patches (global average pooling, as in a CNN) and leave the class token
    out. Nothing it has collected reaches the head then. What was it added for?"""
)
def averages_the_patches(images, W, p, heads):
    return _logits(images, W, p, heads, read=lambda Z: Z[:, 1:].mean(axis=1))


@vit.mistake(
    """The head reads the last token, a patch at the lower right. Where does the class token
    stand?"""
)
def reads_the_last_token(images, W, p, heads):
    return _logits(images, W, p, heads, read=lambda Z: Z[:, -1])


@vit.mistake(
    """Every token goes through the head: logits of shape (B, 1 + n, K). The question is what the
    *image* shows; which token answers for it?"""
)
def all_tokens_answer(images, W, p, heads):
    return _logits(images, W, p, heads, read=lambda Z: Z)


@vit.mistake(
    """The last norm is missing. A Pre-LN layer ends with a sum, which no norm has seen yet: what do
    `gamma` and `beta` in W belong to?"""
)
def without_the_last_norm(images, W, p, heads):
    return _logits(images, W, p, heads, norm=lambda z, W: z)


@vit.mistake(
    """Your encoder layer is Post-LN, as in the first Transformer. ViT has the norms inside the
    branches. Which argument says so?"""
)
def post_norm(images, W, p, heads):
    return _logits(images, W, p, heads, norm_first=False)


@vit.mistake(
    """Right with one head, wrong with several: `heads` does not reach the encoder layer."""
)
def one_head(images, W, p, heads):
    return _logits(images, W, p, 1)


@vit.mistake(
    """You return probabilities. The task asks for logits, which the loss turns into probabilities
    itself; a softmax of a softmax is nearly uniform, and the model hardly learns."""
)
def probabilities(images, W, p, heads):
    return softmax(_logits(images, W, p, heads))


@vit.mistake(
    """The head's bias is missing: `b_head` has a number for each class. What is it added to?"""
)
def without_the_head_s_bias(images, W, p, heads):
    return _logits(images, W | {"b_head": 0 * W["b_head"]}, p, heads)


@vit.mistake(
    """The last norm's gain and shift are exchanged: `layer_norm` takes gamma, which multiplies,
    before beta, which is added. In which order do you hand them over?"""
)
def gain_and_shift_exchanged(images, W, p, heads):
    return _logits(images, W | {"gamma": W["beta"], "beta": W["gamma"]}, p, heads)


@vit.mistake(
    """The head reads the class token of Z_0, before the encoder layer: it has seen no patch, so the
    answer is the same for every image. Of which Z is y the class token?"""
)
def reads_before_the_layer(images, W, p, heads):
    X = patch_embedding(images, W["E"], W["b"], p)
    Z_0 = np_vit.prepend_class_token(X, W["x_class"], W["E_pos"])
    return linear(_norm(Z_0[:, 0], W), W["W_head"], W["b_head"])


@vit.mistake(
    """No positions are added: an image whose patches are shuffled gets the same answer. What does
    E_pos in W belong to?"""
)
def without_positions(images, W, p, heads):
    return _logits(images, W | {"E_pos": 0 * W["E_pos"]}, p, heads)


@vit.mistake(
    """You return y: the norm of the class token, (B, D). It has no score for any class yet. Which
    line of the formula comes after it?"""
)
def without_the_head(images, W, p, heads):
    X = patch_embedding(images, W["E"], W["b"], p)
    Z_0 = np_vit.prepend_class_token(X, W["x_class"], W["E_pos"])
    return _norm(encoder_layer(Z_0, W["layer"], heads, norm_first=True)[:, 0], W)


@vit.mistake(
    """The last norm stands before the layer, on Z_0, and the head reads what no norm has seen. The
    layer has norms of its own at its start. After which sum does the formula put the last one?"""
)
def last_norm_before_the_layer(images, W, p, heads):
    X = patch_embedding(images, W["E"], W["b"], p)
    Z_0 = np_vit.prepend_class_token(X, W["x_class"], W["E_pos"])
    Z_1 = encoder_layer(_norm(Z_0, W), W["layer"], heads, norm_first=True)
    return linear(Z_1[:, 0], W["W_head"], W["b_head"])
