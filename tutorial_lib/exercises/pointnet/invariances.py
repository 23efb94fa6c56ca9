"""Predict: what can happen to a cloud without a network noticing?"""

from tutorial_lib.checking import Exercise

NETWORKS = ("maximum", "mean", "sorted", "around the mean", "distances")
CHANGES = ("shuffle", "double", "move", "turn", "mirror")


def same_answer(network, change):
    """Predict whether a network's answer stays the same, whatever its weights and whatever the
    cloud.

    network  "maximum"          PointNet: an MLP shared by all points, then the maximum
             "mean"             the same with the mean over the points in place of the maximum
             "sorted"           the points sorted by x, then one MLP on all 3 N numbers in a row
             "around the mean"  PointNet on x_i − x̄, the points seen from the mean of all points
             "distances"        PointNet on |x_i − x̄| alone, one number a point
    change   "shuffle"          the same points in another order
             "double"           one of the points is there twice
             "move"             the same vector is added to all points
             "turn"             all points are turned about the origin by the same angle
             "mirror"           x becomes −x
    ->  True or False

    No two points have the same x. "sorted" cannot read a cloud of another size: that counts as no.
    """
    unnoticed = {
        "maximum": {"shuffle", "double"},
        "mean": {"shuffle"},
        "sorted": {"shuffle"},
        "around the mean": {"shuffle", "move"},
        "distances": {"shuffle", "move", "turn", "mirror"},
    }
    return change in unnoticed[network]


same_answer = Exercise(
    same_answer,
    level=2,
    minutes=10,
    cases=lambda rng: (
        dict(network=network, change=change) for network in NETWORKS for change in CHANGES
    ),
    hints=(
        "Follow one number. Which numbers reach the first layer, and are they the same ones after "
        "the change? If not: does a later step give the same from them?",
        "A maximum of a, b, b is that of a, b. A mean is not. And the mean of all points moves "
        "with the cloud, turns with it, and shifts when one point counts twice.",
        "Shuffled, every one of them answers the same. Doubling goes unnoticed by one network, "
        "moving by two, turning and mirroring by the one that sees no directions.",
    ),
)


def _as(**unnoticed):
    right = {
        "maximum": {"shuffle", "double"},
        "mean": {"shuffle"},
        "sorted": {"shuffle"},
        "around the mean": {"shuffle", "move"},
        "distances": {"shuffle", "move", "turn", "mirror"},
    }
    right |= {name.replace("_", " "): set(changes.split()) for name, changes in unnoticed.items()}

    def answer(network, change):
        return change in right[network]

    return answer


@same_answer.mistake(
    """You let PointNet overlook moves and turns, as summaries sometimes say. The shape is the same
    after them, but the coordinates are not, and the first layer reads coordinates."""
)
def rigid_motion_is_built_in(network, change):
    return _as(maximum="shuffle double move turn")(network, change)


@same_answer.mistake(
    """You let PointNet overlook turns. What do W x and W R x have in common, for a W that was drawn
    at random?"""
)
def turns_are_built_in(network, change):
    return _as(maximum="shuffle double turn")(network, change)


@same_answer.mistake(
    """You let PointNet notice a point that is there twice. What is the maximum of 3, 5 and 5?"""
)
def doubling_is_noticed(network, change):
    return _as(maximum="shuffle")(network, change)


@same_answer.mistake(
    """You let the mean overlook a point that is there twice. What is the mean of 3 and 5, and what
    that of 3, 5 and 5?"""
)
def the_mean_overlooks_doubling(network, change):
    return _as(mean="shuffle double")(network, change)


@same_answer.mistake(
    """Sorting undoes a shuffle, as long as no two points tie. What becomes of the order after
    it?"""
)
def sorting_is_not_enough(network, change):
    return _as(sorted="")(network, change)


@same_answer.mistake(
    """You let the network on x_i − x̄ overlook doubling, as PointNet does. Where is the mean of all
    points when one of them counts twice?"""
)
def the_middle_stays(network, change):
    return _as(around_the_mean="shuffle double move")(network, change)


@same_answer.mistake(
    """You let the network on x_i − x̄ overlook turns. The vector from the mean to a point turns
    with the cloud: its length stays, its direction does not."""
)
def turns_around_the_mean(network, change):
    return _as(around_the_mean="shuffle move turn")(network, change)


@same_answer.mistake(
    """You let distances notice a mirror. A hand and its mirror image have all their distances in
    common, which is why distances alone cannot tell left from right."""
)
def distances_notice_a_mirror(network, change):
    return _as(distances="shuffle move turn")(network, change)


@same_answer.mistake(
    """You let the network on distances overlook doubling, as PointNet does. Where is the mean of
    all points when one of them counts twice, and what then becomes of the distances to it?"""
)
def distances_overlook_doubling(network, change):
    return _as(distances="shuffle double move turn mirror")(network, change)


@same_answer.mistake(
    """You let nothing but a shuffle go unnoticed. Two of the networks never see where the cloud
    lies, and one hears nothing new from a point that is there twice: which?"""
)
def nothing_but_a_shuffle(network, change):
    return change == "shuffle"


@same_answer.mistake(
    """You let the sorted network overlook a move. The order stays the same, and what of the numbers
    that stand in it?"""
)
def sorted_overlooks_moves(network, change):
    return _as(sorted="shuffle move")(network, change)
