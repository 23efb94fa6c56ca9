"""An idea of convolutional networks about channels: cheap copies of them."""

import torch
import torch.nn.functional as F

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.t2t.tensors import normal


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
        (1, 1, 2, 2, 1, 3, 2, 2),
        (1, 2, 2, 2, 3, 3, 2, 3),
        (1, 2, 2, 3, 1, 1, 2, 1),
        (2, 3, 2, 3, 5, 1, 3, 2),
        (2, 3, 3, 2, 1, 5, 4, 3),
        (1, 2, 4, 4, 3, 3, 3, 3),
    ]:
        yield dict(
            x=normal(rng, batch, channels, height, width, wanted=batch > 1),
            primary=normal(rng, m, channels, k, k, wanted=batch > 1),
            cheap=normal(rng, m * (ratio - 1), 1, d, d, wanted=batch > 1),
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
        "`F.conv2d(x, primary, padding=k // 2)` makes the intrinsic maps. The ghosts are made of "
        "these, with `cheap`, the padding of its own size, and `groups=` one for each map.",
    ),
)


def _parts(x, primary, cheap):
    return ghost_module.reference(x, primary, cheap).split([len(primary), len(cheap)], dim=1)


def _padded(x, primary, cheap, first, second):
    """`ghost_module` with these paddings."""
    intrinsic = F.conv2d(x, primary, padding=first)
    ghosts = F.conv2d(intrinsic, cheap, padding=second, groups=len(primary))
    return torch.cat([intrinsic, ghosts], dim=1)


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
    return _padded(x, primary, cheap, 0, 0)


@ghost_module.mistake(
    """The padding of the first kernel, k // 2, is in both convolutions. Unless k = d, intrinsic
    maps and ghosts differ in size. What keeps the size under a kernel of d × d?"""
)
def pads_both_for_k(x, primary, cheap):
    k = primary.shape[-1]
    return _padded(x, primary, cheap, k // 2, k // 2)


@ghost_module.mistake(
    """A padding of one pixel is right for kernels of 3 × 3 alone: under 1 × 1 the maps grow, under
    5 × 5 they shrink. On what does the padding that keeps the size depend?"""
)
def pads_by_one(x, primary, cheap):
    return _padded(x, primary, cheap, 1, 1)


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


@ghost_module.mistake(
    """Maps and ghosts are interleaved: each map is followed by its own ghosts. The next layer's
    weights expect all intrinsic maps in front."""
)
def interleaved(x, primary, cheap):
    intrinsic, ghosts = _parts(x, primary, cheap)
    own = ghosts.unflatten(1, (len(primary), -1))  # (B, m, s − 1, H, W)
    return torch.cat([intrinsic[:, :, None], own], dim=2).flatten(1, 2)


@ghost_module.mistake(
    """The ghosts are right and their order is not: yours are the first ghost of each map, then the
    second of each. In the task, the first s − 1 belong to map 0."""
)
def ghosts_in_turn(x, primary, cheap):
    intrinsic, ghosts = _parts(x, primary, cheap)
    turned = ghosts.unflatten(1, (len(primary), -1)).transpose(1, 2).flatten(1, 2)
    return torch.cat([intrinsic, turned], dim=1)


@ghost_module.mistake(
    """The padding of the second kernel, d // 2, is in both convolutions. Unless k = d, your maps
    have another size than x. What keeps the size under a kernel of k × k?"""
)
def pads_both_for_d(x, primary, cheap):
    d = cheap.shape[-1]
    return _padded(x, primary, cheap, d // 2, d // 2)


@ghost_module.mistake(
    """There is a ReLU after each convolution, as in the authors' code; the equations of the paper
    and this task have none."""
)
def bends_after_both(x, primary, cheap):
    return bends_in_between(x, primary, cheap).relu()


@ghost_module.mistake(
    """The first convolution is padded by one pixel, which is right for k = 3 alone. On what does
    the padding that keeps the size depend?"""
)
def pads_the_first_by_one(x, primary, cheap):
    return _padded(x, primary, cheap, 1, cheap.shape[-1] // 2)


@ghost_module.mistake(
    """The second convolution is padded by one pixel, which is right for d = 3 alone. On what does
    the padding that keeps the size depend?"""
)
def pads_the_second_by_one(x, primary, cheap):
    return _padded(x, primary, cheap, primary.shape[-1] // 2, 1)


@ghost_module.mistake(
    """The intrinsic maps are right, and the ghosts are made of what a ReLU has left of them. The
    equations of the paper and this task have none."""
)
def ghosts_of_bent_maps(x, primary, cheap):
    intrinsic = _parts(x, primary, cheap)[0]
    padding = cheap.shape[-1] // 2
    ghosts = F.conv2d(intrinsic.relu(), cheap, padding=padding, groups=len(primary))
    return torch.cat([intrinsic, ghosts], dim=1)
