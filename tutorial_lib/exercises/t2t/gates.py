"""An idea of convolutional networks about channels: a gate for each."""

import torch
import torch.nn.functional as F

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.t2t.tensors import normal


def squeeze_excitation(u, w_1, w_2):
    """Squeeze-and-excitation: scale each channel by a number that the whole image decides.

    u (B, C, H, W) tensor; w_1 (C / r, C), w_2 (C, C / r) matrices without biases
    ->  (B, C, H, W)

        z_c = mean of u_c over H and W        (squeeze)
        s   = σ(W_2 ReLU(W_1 z))              (excitation)
        ũ_c = s_c u_c                         (scale)
    """
    z = u.mean(dim=(2, 3))  # (B, C)
    s = torch.sigmoid((z @ w_1.mT).relu() @ w_2.mT)  # (B, C)
    return u * s[:, :, None, None]


def maps_and_matrices(rng):
    for batch, channels, height, width, reduced in [
        (1, 2, 1, 2, 1),
        (1, 2, 2, 2, 2),
        (1, 4, 3, 2, 2),
        (2, 4, 2, 3, 1),
        (3, 5, 3, 3, 2),
    ]:
        u = normal(rng, batch, channels, height, width, wanted=batch > 1)
        w_1 = normal(rng, reduced, channels, wanted=batch > 1)
        with torch.no_grad():  # so that not every ReLU is shut
            w_1[0] *= (u.mean(dim=(2, 3)) @ w_1[0]).sum().sign()
        yield dict(u=u, w_1=w_1, w_2=normal(rng, channels, reduced, wanted=batch > 1))
    yield dict(  # numbers as large as these leave no gradient to compare
        u=torch.from_numpy(100 * rng.random(size=(2, 2, 1, 3))).float(),
        w_1=torch.ones(1, 2),
        w_2=torch.tensor([[1.0], [-1.0]]),
    )


squeeze_excitation = Exercise(
    squeeze_excitation,
    level=2,
    minutes=10,
    cases=maps_and_matrices,
    hints=(
        "Three lines, as in the formulas. Write the shape beside each: z and s have one number for "
        "each image and channel.",
        "z is a row for each image, so W_1 z is `z @ w_1.mT`. To scale maps, s needs two axes of "
        "size 1 behind its channels.",
        "`z = u.mean(dim=(2, 3))`; s is the sigmoid of `(z @ w_1.mT).relu() @ w_2.mT`; "
        "`s[:, :, None, None]` has the axes that u needs.",
    ),
)


def _gated(u, w_1, w_2, *, z=None, gate=torch.sigmoid, bend=F.relu, scale=lambda u, s: u * s):
    z = u.mean(dim=(2, 3)) if z is None else z
    return scale(u, gate(bend(z @ w_1.mT) @ w_2.mT)[:, :, None, None])


@squeeze_excitation.mistake(
    """A softmax in place of the sigmoid. Then the gates of an image sum to one: opening one channel
    closes the others, and with 512 channels all of them are nearly shut. May two channels be
    important at once?"""
)
def softmax_gate(u, w_1, w_2):
    return _gated(u, w_1, w_2, gate=lambda s: s.softmax(dim=1))


@squeeze_excitation.mistake(
    """There is no sigmoid: your gates may be negative or large, and a channel can change its sign.
    Between which two numbers should a gate lie?"""
)
def no_sigmoid(u, w_1, w_2):
    return _gated(u, w_1, w_2, gate=lambda s: s)


@squeeze_excitation.mistake(
    """A tanh in place of the sigmoid: your gates lie between −1 and 1, and a channel can change its
    sign. Between which two numbers should a gate lie?"""
)
def tanh_gate(u, w_1, w_2):
    return _gated(u, w_1, w_2, gate=torch.tanh)


@squeeze_excitation.mistake(
    """ReLU and sigmoid are exchanged: your gates can be as large as they like, and half of them are
    zero. Which of the two makes a number between 0 and 1, and where is it needed?"""
)
def bends_exchanged(u, w_1, w_2):
    return _gated(u, w_1, w_2, bend=torch.sigmoid, gate=F.relu)


@squeeze_excitation.mistake(
    """The ReLU between the two maps is missing: W_2 W_1 is then one matrix, and of low rank. What
    does the reduction buy without a bend?"""
)
def no_relu(u, w_1, w_2):
    return _gated(u, w_1, w_2, bend=lambda z: z)


@squeeze_excitation.mistake(
    """Your ReLU comes after both maps: no gate is ever below one half, and W_2 W_1 is one matrix.
    To which of the two products does the formula apply it?"""
)
def relu_after_both(u, w_1, w_2):
    return _gated(u, w_1, w_2, bend=lambda z: z, gate=lambda s: s.relu().sigmoid())


@squeeze_excitation.mistake(
    """You add the gate to the channel. A gate that is 0 should shut its channel; what does adding 0
    do?"""
)
def adds_the_gate(u, w_1, w_2):
    return _gated(u, w_1, w_2, scale=lambda u, s: u + s)


@squeeze_excitation.mistake(
    """You return the gates, (B, C). They are what the image decides; what should they do to u?"""
)
def returns_the_gates(u, w_1, w_2):
    return torch.sigmoid((u.mean(dim=(2, 3)) @ w_1.mT).relu() @ w_2.mT)


@squeeze_excitation.mistake(
    """Your gates have the right axes, (B, C, 1, 1), and are all that you return. Which step of the
    three formulas is missing?"""
)
def returns_the_gates_with_axes(u, w_1, w_2):
    return _gated(u, w_1, w_2, scale=lambda u, s: s)


@squeeze_excitation.mistake(
    """You add the gated maps to the maps as they were. A factor 1 + s lies between 1 and 2: which
    channel can such a gate shut?"""
)
def adds_the_gated_maps(u, w_1, w_2):
    return _gated(u, w_1, w_2, scale=lambda u, s: u + s * u)


@squeeze_excitation.mistake(
    """Nothing is squeezed: every pixel decides its own gates. The excitation should see the whole
    image, and one gate should hold for all pixels of a channel. Which axes does the mean remove?"""
)
def a_gate_for_every_pixel(u, w_1, w_2):
    z = u.movedim(1, -1)  # (B, H, W, C)
    return u * torch.sigmoid((z @ w_1.mT).relu() @ w_2.mT).movedim(-1, 1)


@squeeze_excitation.mistake(
    """You squeeze with the maximum. One bright pixel then decides the gate. (CBAM uses both, the
    maximum and the mean; here it is the mean.)"""
)
def max_pooling(u, w_1, w_2):
    return _gated(u, w_1, w_2, z=u.amax(dim=(2, 3)))


@squeeze_excitation.mistake(
    """The mean runs over the batch as well: all images share one gate, and what an image becomes
    depends on who is beside it. Which axes belong to one image?"""
)
def squeezes_the_batch(u, w_1, w_2):
    return _gated(u, w_1, w_2, z=u.mean(dim=(0, 2, 3))[None])


@squeeze_excitation.mistake(
    """You sum where a mean is due. The larger the image, the larger z: the gates stand at 0 or 1
    and no gradient passes. What keeps z independent of the image's size?"""
)
def sums_for_a_mean(u, w_1, w_2):
    return _gated(u, w_1, w_2, z=u.sum(dim=(2, 3)))


@squeeze_excitation.mistake(
    """You return the gates, spread over the pixels. Which step of the three formulas is missing?"""
)
def returns_the_gates_for_every_pixel(u, w_1, w_2):
    return _gated(u, w_1, w_2, scale=lambda u, s: s.expand_as(u))
