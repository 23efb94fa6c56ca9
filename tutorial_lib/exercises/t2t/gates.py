"""Two ideas of convolutional networks about channels: gates, and cheap copies."""

import torch
import torch.nn.functional as F

from tutorial_lib.checking import Exercise


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
        (1, 1, 1, 1, 1),
        (1, 2, 1, 2, 1),
        (1, 2, 2, 2, 1),
        (1, 4, 3, 2, 2),
        (2, 4, 2, 3, 1),
        (3, 3, 3, 3, 2),
    ]:
        u = torch.from_numpy(rng.normal(size=(batch, channels, height, width)))
        w_1 = torch.from_numpy(rng.normal(size=(reduced, channels)))
        w_2 = torch.from_numpy(rng.normal(size=(channels, reduced)))
        yield dict(u=u.requires_grad_(), w_1=w_1, w_2=w_2)
    yield dict(
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
        "`z = u.mean(dim=(2, 3))`, `s = torch.sigmoid((z @ w_1.mT).relu() @ w_2.mT)`, and "
        "`u * s[:, :, None, None]`.",
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
    """The ReLU between the two maps is missing: W_2 W_1 is then one matrix, and of low rank. What
    does the reduction buy without a bend?"""
)
def no_relu(u, w_1, w_2):
    return _gated(u, w_1, w_2, bend=lambda z: z)


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


def ghost_module(x, primary, cheap):
    """GhostNet's convolution: compute a few maps, and make the others out of them cheaply.

    x       (B, c, H, W) tensor
    primary (m, c, k, k): a full convolution makes the m intrinsic maps; k odd, padding k // 2
    cheap   (m (s − 1), 1, d, d): each intrinsic map makes s − 1 ghosts, with one kernel for each
            ghost, which sees that map alone; the first s − 1 kernels belong to map 0; d odd,
            padding d // 2
    ->  (B, m s, H, W): the intrinsic maps as they are, then all ghosts

    There are no biases and no activations.
    """
    m, k, d = len(primary), primary.shape[-1], cheap.shape[-1]
    intrinsic = F.conv2d(x, primary, padding=k // 2)  # (B, m, H, W)
    ghosts = F.conv2d(intrinsic, cheap, padding=d // 2, groups=m)  # (B, m (s − 1), H, W)
    return torch.cat([intrinsic, ghosts], dim=1)


def maps_and_two_kernels(rng):
    for batch, channels, m, ratio, k, d, height, width in [
        (1, 1, 1, 2, 1, 1, 1, 1),
        (1, 1, 2, 2, 1, 3, 2, 2),
        (1, 2, 2, 2, 3, 3, 2, 3),
        (1, 2, 2, 3, 1, 1, 2, 2),
        (2, 3, 2, 3, 3, 1, 3, 2),
        (2, 3, 3, 2, 1, 5, 4, 3),
        (1, 2, 4, 4, 3, 3, 3, 3),
    ]:
        yield dict(
            x=torch.from_numpy(rng.normal(size=(batch, channels, height, width))),
            primary=torch.from_numpy(rng.normal(size=(m, channels, k, k))),
            cheap=torch.from_numpy(rng.normal(size=(m * (ratio - 1), 1, d, d))),
        )


ghost_module = Exercise(
    ghost_module,
    level=2,
    minutes=10,
    cases=maps_and_two_kernels,
    hints=(
        "Two convolutions and a concatenation. What is the input of the second?",
        "A convolution in which an output sees one input map is a grouped one, with as many groups "
        "as there are input maps.",
        "`F.conv2d(intrinsic, cheap, padding=d // 2, groups=len(primary))`, and "
        "`torch.cat([intrinsic, ghosts], dim=1)`.",
    ),
)


def _parts(x, primary, cheap):
    maps = ghost_module.reference(x, primary, cheap).split([len(primary), len(cheap)], dim=1)
    return maps


@ghost_module.mistake(
    """You return the ghosts alone. The intrinsic maps are the expensive ones, and the paper keeps
    them as they are: how many maps should come out?"""
)
def only_ghosts(x, primary, cheap):
    return _parts(x, primary, cheap)[1]


@ghost_module.mistake(
    """The ghosts come first. The next layer's weights expect the intrinsic maps in front."""
)
def ghosts_first(x, primary, cheap):
    return torch.cat(_parts(x, primary, cheap)[::-1], dim=1)


@ghost_module.mistake(
    """Each ghost of yours sees all intrinsic maps: one kernel runs over their sum. That costs m
    times more multiplications, and the ghosts of different maps look alike. How many groups does
    the second convolution need?"""
)
def ghosts_see_all_maps(x, primary, cheap):
    intrinsic = _parts(x, primary, cheap)[0]
    total = intrinsic.sum(dim=1, keepdim=True)
    ghosts = F.conv2d(total, cheap, padding=cheap.shape[-1] // 2)
    return torch.cat([intrinsic, ghosts], dim=1)


@ghost_module.mistake(
    """You deal the kernels out in turn: kernel 0 to map 0, kernel 1 to map 1. With s = 2 it makes
    no difference. In the task, the first s − 1 kernels all belong to map 0."""
)
def deals_kernels_out(x, primary, cheap):
    intrinsic = _parts(x, primary, cheap)[0]
    repeated = intrinsic.repeat(1, len(cheap) // len(primary), 1, 1)
    ghosts = F.conv2d(repeated, cheap, padding=cheap.shape[-1] // 2, groups=len(cheap))
    return torch.cat([intrinsic, ghosts], dim=1)


@ghost_module.mistake(
    """There is no padding: the maps shrink, and intrinsic maps and ghosts no longer fit together.
    How many pixels does a kernel of size d need beyond the border?"""
)
def without_padding(x, primary, cheap):
    intrinsic = F.conv2d(x, primary)
    return torch.cat([intrinsic, F.conv2d(intrinsic, cheap, groups=len(primary))], dim=1)


@ghost_module.mistake(
    """There is a ReLU between the two convolutions. The authors' code has one, with a BatchNorm;
    the equations of the paper and this task have none."""
)
def bends_in_between(x, primary, cheap):
    intrinsic = F.relu(_parts(x, primary, cheap)[0])
    ghosts = F.conv2d(intrinsic, cheap, padding=cheap.shape[-1] // 2, groups=len(primary))
    return torch.cat([intrinsic, ghosts], dim=1)


@ghost_module.mistake(
    """You add each intrinsic map to its ghosts. That is a residual connection; here a ghost stands
    beside its map, and the concatenation is what keeps the map."""
)
def adds_the_intrinsic(x, primary, cheap):
    intrinsic, ghosts = _parts(x, primary, cheap)
    own = intrinsic.repeat_interleave(len(cheap) // len(primary), dim=1)
    return torch.cat([intrinsic, ghosts + own], dim=1)
