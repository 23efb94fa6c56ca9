"""Who hears whom after several layers: a question of graphs, in NumPy."""

import numpy as np

from tutorial_lib.checking import Exercise


def layers_until_all_hear(hears):
    """After how many layers does every token know of every other?

    hears  list of bool arrays (N, N): hears[i][t, s] says whether token t listens to token s in
           layer i. hears[i][t, t] is True, thanks to the residual. The layers of the list take
           turns: after the last one comes the first again.
    ->  int, the smallest number of layers that is enough; None if no number is
    """
    knows = np.eye(len(hears[0]), dtype=bool)  # before the first layer: of oneself
    depth, before = 0, None
    while not knows.all():
        if depth % len(hears) == 0:
            if before is not None and (knows == before).all():  # a whole round has added nothing
                return None
            before = knows
        knows = hears[depth % len(hears)] @ knows  # of bools: some token that t hears knows of s
        depth += 1
    return depth


def _windows(N, size, shift=0):
    """Windows of `size` tokens in a row of N, the borders moved by `shift`."""
    place = (np.arange(N) - shift) // size
    return place[:, None] == place[None, :]


def _apart(N, step):
    """Who is a multiple of `step` away."""
    rest = np.arange(N) % step
    return rest[:, None] == rest[None, :]


def graphs(rng):
    yield dict(hears=[_windows(4, 2), _windows(4, 2, 1)])
    yield dict(hears=[_windows(3, 2), _windows(3, 3)])
    yield dict(hears=[_windows(6, 3), _apart(6, 3)])
    yield dict(hears=[_windows(6, 2)])  # never
    yield dict(hears=[_windows(12, 3), _windows(12, 3, 1)])
    yield dict(hears=[np.ones((3, 3), bool)])
    yield dict(hears=[np.tril(np.ones((4, 4), bool))])  # never: only backwards
    yield dict(hears=[np.eye(4, dtype=bool), _windows(4, 2), _windows(4, 2, 1)])
    ring = np.eye(7, dtype=bool) | np.roll(np.eye(7, dtype=bool), 1, axis=1)
    yield dict(hears=[ring])  # one way round
    # Two layers that do not commute: which is called first matters.
    star = np.eye(5, dtype=bool)
    star[0] = True
    yield dict(hears=[star, star.T])
    yield dict(hears=[star.T, star])
    long = np.eye(14, dtype=bool) | np.roll(np.eye(14, dtype=bool), -1, axis=1)
    yield dict(hears=[long])  # 13 layers
    yield dict(hears=[np.eye(6, dtype=bool), np.ones((6, 6), bool)])  # the first adds nothing
    mixed = [rng.random((9, 9)) < 0.2 for _ in range(3)]
    yield dict(hears=[graph | np.eye(9, dtype=bool) for graph in mixed])


layers_until_all_hear = Exercise(
    layers_until_all_hear,
    level=3,
    minutes=12,
    seconds=3,
    cases=graphs,
    hints=(
        "Keep one table: knows[t, s], whether token t knows of token s so far. What is it before "
        "the first layer?",
        "In a layer, t comes to know what those know whom it hears: knows'[t, s] is true if some "
        "u has hears[t, u] and knows[u, s]. That is a product of matrices.",
        "`knows = hears[depth % len(hears)] @ knows` (a product of bool arrays is bool). It can "
        "only grow: if a whole round of the layers adds nothing, nothing will.",
    ),
)


def _count(hears, *, start=np.eye, step=lambda layer, knows: layer @ knows, rounds=400):
    """The task, with another beginning or another step."""
    knows = start(len(hears[0])).astype(bool)
    for depth in range(rounds):
        if knows.all():
            return depth
        knows = step(hears[depth % len(hears)], knows)
    return None


@layers_until_all_hear.mistake(
    """You count rounds, all layers of the list at once. It may be done in the middle of a round:
    how many layers is that?"""
)
def counts_rounds(hears):
    depth = layers_until_all_hear.reference(hears)
    return None if depth is None else -(-depth // len(hears))


@layers_until_all_hear.mistake("""One too few: the layer after which all is known counts too.""")
def one_too_few(hears):
    depth = layers_until_all_hear.reference(hears)
    return None if depth is None else depth - 1


@layers_until_all_hear.mistake(
    """One too many: you look whether all is known before the layer, and count it afterwards."""
)
def one_too_many(hears):
    depth = layers_until_all_hear.reference(hears)
    return None if depth is None else depth + 1


@layers_until_all_hear.mistake(
    """News travels the wrong way in yours: t hears u *now*, and u knew of s *before*. In which
    order do the two matrices stand, and who is the row of `hears`, who listens or who is heard?
    With windows you see no difference, as there hearing is mutual."""
)
def product_turned_round(hears):
    return _count(hears, step=lambda layer, knows: knows @ layer)


@layers_until_all_hear.mistake(
    """You add layers up: who hears whom in some layer. But news travels: what u has heard of s in
    the first layer, t can hear from u in the second. What joins two layers?"""
)
def union_of_layers(hears):
    return _count(hears, step=np.logical_or)


@layers_until_all_hear.mistake(
    """You use the first layer of the list again and again. The layers take turns."""
)
def first_layer_alone(hears):
    return layers_until_all_hear.reference(hears[:1])


@layers_until_all_hear.mistake(
    """You give up when *one* layer has added nothing. The next one may: only a whole round that
    adds nothing is the end."""
)
def gives_up_after_one_layer(hears):
    knows = np.eye(len(hears[0]), dtype=bool)
    for depth in range(400):
        if knows.all():
            return depth
        new = hears[depth % len(hears)] @ knows
        if (new == knows).all():
            return None
        knows = new


@layers_until_all_hear.mistake(
    """You stop after the last layer of the list. The layers take turns: after the last one comes
    the first again."""
)
def one_round(hears):
    return _count(hears, rounds=len(hears) + 1)


@layers_until_all_hear.mistake(
    """You stop as soon as *one* token knows of all. The question is when the last one does."""
)
def one_knows_all(hears):
    knows = np.eye(len(hears[0]), dtype=bool)
    for depth in range(400):
        if knows.all(axis=1).any():
            return depth
        knows = hears[depth % len(hears)] @ knows


@layers_until_all_hear.mistake(
    """You stop as soon as all know of *one* token, or of the first. The question is when everyone
    knows of everyone."""
)
def all_know_one(hears):
    knows = np.eye(len(hears[0]), dtype=bool)
    for depth in range(400):
        if knows[:, 0].all():
            return depth
        knows = hears[depth % len(hears)] @ knows


@layers_until_all_hear.mistake(
    """You multiply elementwise, `*` or `&`: that asks whether t hears s in both layers. What is
    asked is whether somebody stands between them. Which operator sums over that somebody?"""
)
def elementwise(hears):
    knows = np.ones_like(hears[0])
    for depth in range(len(hears)):
        knows = knows & hears[depth]
        if knows.all():
            return depth + 1
    return None


@layers_until_all_hear.mistake(
    """Where no number of layers is enough you return 0. A number of layers it is not: the task
    wants None."""
)
def zero_for_never(hears):
    return layers_until_all_hear.reference(hears) or 0


@layers_until_all_hear.mistake(
    """Where no number of layers is enough you return −1. A number of layers it is not: the task
    wants None."""
)
def minus_one_for_never(hears):
    depth = layers_until_all_hear.reference(hears)
    return -1 if depth is None else depth


@layers_until_all_hear.mistake(
    """You give up after as many layers as there are tokens. With one layer that is enough; but when
    several take turns, some of them may add nothing to what is known. What shows that nothing will
    be added any more?"""
)
def gives_up_after_as_many_as_tokens(hears):
    depth = layers_until_all_hear.reference(hears)
    return None if depth is None or depth > len(hears[0]) else depth


@layers_until_all_hear.mistake(
    """You join all layers of the list to one and use that again and again: in yours a token listens
    to everyone at once whom it hears in any layer. In which layer does it hear whom?"""
)
def all_layers_in_one(hears):
    return layers_until_all_hear.reference([np.any(hears, axis=0)])


@layers_until_all_hear.mistake(
    """After the last layer of the list you go on with the last one. The layers take turns: which
    comes after it?"""
)
def last_layer_again(hears):
    return _count(hears + 400 * hears[-1:])


@layers_until_all_hear.mistake(
    """You stop as soon as *token 0* knows of all. The question is when the last one does."""
)
def token_zero_knows_all(hears):
    knows = np.eye(len(hears[0]), dtype=bool)
    for depth in range(400):
        if knows[0].all():
            return depth
        knows = hears[depth % len(hears)] @ knows


@layers_until_all_hear.mistake(
    """Your tokens learn one after the other in the same table: a later one already hears what an
    earlier one has learned in this very layer. In a layer all listen at once: from which table do
    they read?"""
)
def one_token_after_the_other(hears):
    def step(layer, knows):
        knows = knows.copy()
        for t, listens in enumerate(layer):
            knows[t] = knows[listens].any(axis=0)
        return knows

    return _count(hears, step=step)
