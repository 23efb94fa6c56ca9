"""From patches to what the encoder reads."""

import numpy as np

from tutorial_lib.checking import Exercise
from tutorial_lib.from_scratch import vit as np_vit


def patches_and_positions(rng):
    for B, n, D in [(1, 2, 1), (2, 1, 2), (1, 3, 2), (2, 3, 3), (3, 2, 4)]:
        yield dict(
            X=rng.normal(size=(B, n, D)),
            x_class=rng.normal(size=D),
            E_pos=rng.normal(size=(n + 1, D)),
        )
    shapes = dict(X=(2, 2, 3), x_class=(3,), E_pos=(3, 3))
    yield {name: rng.normal(size=s).astype(np.float32) for name, s in shapes.items()}
    for wrong in (1, 2, 4):  # positions where 3 are expected; one alone would broadcast
        shapes = dict(X=(2, 2, 2), x_class=(2,), E_pos=(wrong, 2))
        yield {name: rng.normal(size=s) for name, s in shapes.items()}


prepend_class_token = Exercise(
    np_vit.prepend_class_token,
    level=2,
    minutes=10,
    cases=patches_and_positions,
    hints=(
        "How many tokens come out for n patches, and how many rows has E_pos? That says what is "
        "added to what.",
        "The class token is one vector, and every image needs it: `np.broadcast_to` repeats "
        "without copying, `np.concatenate` takes an axis.",
        "Check `len(E_pos)` against n + 1; put `np.broadcast_to(x_class, (B, 1, D))` before X "
        "along axis 1; add E_pos to the whole.",
    ),
)


def _prepended(X, x_class, E_pos):
    B, n, D = X.shape
    if len(E_pos) != n + 1:
        raise ValueError("wrong number of positions")
    return np.concatenate([np.broadcast_to(x_class, (B, 1, D)), X], axis=1)


@prepend_class_token.mistake(
    """The class token stands at the end. The head will read token 0, which is now a patch, and
    each patch gets its neighbour's position."""
)
def class_token_last(X, x_class, E_pos):
    Z = _prepended(X, x_class, E_pos)
    return np.roll(Z, -1, axis=1) + E_pos


@prepend_class_token.mistake(
    """The patches get their positions before the class token is there, so it gets none. E_pos has
    1 + n rows: whose is row 0?"""
)
def no_position_for_the_class_token(X, x_class, E_pos):
    Z = _prepended(X, x_class, E_pos)
    return Z + np.concatenate([0 * E_pos[:1], E_pos[1:]])


@prepend_class_token.mistake(
    """Patch i gets row i of E_pos, counted from 0, which is the row of its neighbour: everything
    is shifted by one, and the last row is never used. What stands in row 0?"""
)
def positions_shifted(X, x_class, E_pos):
    Z = _prepended(X, x_class, E_pos)
    return Z + np.concatenate([0 * E_pos[:1], E_pos[:-1]])


@prepend_class_token.mistake(
    """The class token gets the *last* row of E_pos and the patches the first n. A published table
    has the class token's row first, as its token is."""
)
def class_position_last(X, x_class, E_pos):
    return _prepended(X, x_class, E_pos) + np.roll(E_pos, 1, axis=0)


@prepend_class_token.mistake(
    """There are no positions in it. Attention treats tokens as a set: without positions the order
    of the patches is lost."""
)
def without_positions(X, x_class, E_pos):
    return _prepended(X, x_class, E_pos)


@prepend_class_token.mistake(
    """You put the positions beside the features (a concatenation), which makes tokens twice as
    wide. In the task's formula they are added."""
)
def positions_beside(X, x_class, E_pos):
    Z = _prepended(X, x_class, E_pos)
    return np.concatenate([Z, np.broadcast_to(E_pos, Z.shape)], axis=-1)


@prepend_class_token.mistake(
    """Right until E_pos has a single row: then it is added to every token, by broadcasting, and
    nobody notices that the positions are gone. What does the task want instead?"""
)
def without_a_check(X, x_class, E_pos):
    first = np.broadcast_to(x_class, (len(X), 1, X.shape[-1]))
    return np.concatenate([first, X], axis=1) + E_pos


@prepend_class_token.mistake(
    """Right until E_pos has rows to spare: you take the first 1 + n and drop the others without a
    word, and tokens may stand at places that were learned for another image. What does the task
    want instead?"""
)
def too_many_cut_off(X, x_class, E_pos):
    first = np.broadcast_to(x_class, (len(X), 1, X.shape[-1]))
    Z = np.concatenate([first, X], axis=1)
    return Z + E_pos[: Z.shape[1]]
