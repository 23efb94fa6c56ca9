"""What a Swin costs, stage by stage."""

from tutorial_lib.checking import Exercise


def swin_cost(height, width, patch, window, channels, dim, depths):
    """Predict the floating-point operations of a Swin for one image, without its head.

    height, width  of the image, in pixels; patch, window  sides, in pixels and in tokens
    channels, dim  of the image; features of a token in the first stage, doubled by every merge
    depths         list: how many blocks each stage has
    ->  dict of int: linear (operations of all linear maps: the patches', queries', keys', values'
        and outputs', both of each feed-forward network, with four times the features between
        them, and the merges', from 4 D to 2 D features), and attention (those of q kᵀ and of the
        weights times v)

    The grid in each stage divides into windows, and has an even number of rows and columns where
    it is merged. A multiplication and an addition are two operations. Softmax, norms, biases and
    the mask are left out.
    """
    tokens = (height // patch) * (width // patch)
    linear = 2 * tokens * (patch * patch * channels) * dim
    attention = 0
    for i, depth in enumerate(depths):
        if i > 0:  # a merge: a quarter of the tokens, from 4 D to 2 D
            tokens //= 4
            linear += 2 * tokens * (4 * dim) * (2 * dim)
            dim *= 2
        linear += depth * 2 * tokens * (4 * dim * dim + 2 * 4 * dim * dim)
        attention += depth * 2 * (2 * tokens * window**2 * dim)
    return {"linear": linear, "attention": attention}


swin_cost = Exercise(
    swin_cost,
    level=3,
    minutes=12,
    cases=lambda rng: (
        dict(zip(("height", "width", "patch", "window", "channels", "dim", "depths"), sizes))
        for sizes in [
            (4, 8, 2, 2, 3, 4, [1]),
            (16, 16, 2, 2, 1, 6, [2, 2]),
            (24, 48, 1, 3, 1, 4, [2, 1, 3]),
            (64, 64, 4, 8, 3, 6, [3, 1]),
            (224, 224, 4, 7, 3, 96, [2, 2, 6, 2]),
        ]
    ),
    hints=(
        "Carry two numbers from stage to stage: how many tokens there are, and how many features "
        "each has. What does a merge do to the two?",
        "A linear map from a to b features costs 2·n·a·b for n tokens. A block has four of D to D "
        "and two between D and 4 D. A token meets window² others, in two products.",
        "Patches: 2·n·(patch²·channels)·dim. Then for each stage: a merge, 2·(n/4)·4D·2D, if it is "
        "not the first; depth · 2·n·12·D² of linear maps; depth · 2·2·n·window²·D of attention.",
    ),
)


def _cost(
    height, width, patch, window, channels, dim, depths, *, unit=2, pixels=2, seen=None,
    fewer=4, wider=2, maps=12, products=2, merges=True, embeds=True, merged=(4, 2),
    blocks=lambda depth: depth, before=1,
):  # fmt: skip
    """`swin_cost` with one of its counts changed."""
    tokens = (height // patch) * (width // patch)
    linear = unit * tokens * patch**pixels * channels * dim if embeds else 0
    attention = 0
    for i, depth in enumerate(depths):
        if i > 0:
            tokens //= fewer
            reads = before * tokens
            linear += unit * reads * (merged[0] * dim) * (merged[1] * dim) if merges else 0
            dim *= wider
        linear += blocks(depth) * unit * tokens * maps * dim * dim
        met = window**2 if seen is None else seen(tokens, window)
        attention += blocks(depth) * products * unit * tokens * met * dim
    return {"linear": linear, "attention": attention}


@swin_cost.mistake(
    """Each of your tokens meets all the others: that is a ViT's attention, and its cost grows with
    the square of the area. Whom does a token meet here?"""
)
def meets_everyone(height, width, patch, window, channels, dim, depths):
    return _cost(
        height, width, patch, window, channels, dim, depths, seen=lambda tokens, window: tokens
    )


@swin_cost.mistake(
    """A window of yours has `window` tokens. It is a square: how many tokens has it?"""
)
def windows_of_one_row(height, width, patch, window, channels, dim, depths):
    return _cost(
        height, width, patch, window, channels, dim, depths, seen=lambda tokens, window: window
    )


@swin_cost.mistake(
    """You count a multiplication and its addition as one, which is the unit MAC. The paper's tables
    are in MACs, called FLOPs there; here the two are two operations."""
)
def counts_macs(height, width, patch, window, channels, dim, depths):
    return _cost(height, width, patch, window, channels, dim, depths, unit=1)


@swin_cost.mistake("""A merge of yours leaves half of the tokens. It halves rows *and* columns.""")
def half_the_tokens(height, width, patch, window, channels, dim, depths):
    return _cost(height, width, patch, window, channels, dim, depths, fewer=2)


@swin_cost.mistake(
    """Your tokens keep their features through all stages. What comes out of a merge?"""
)
def features_never_grow(height, width, patch, window, channels, dim, depths):
    return _cost(height, width, patch, window, channels, dim, depths, wider=1)


@swin_cost.mistake(
    """Your tokens have four times the features after a merge. Four tokens' features stand side by
    side, and then comes a linear map: to how many?"""
)
def four_times_the_features(height, width, patch, window, channels, dim, depths):
    return _cost(height, width, patch, window, channels, dim, depths, wider=4)


@swin_cost.mistake(
    """The merges' linear maps are missing. A merge is not only a reshape: from 4 D to 2 D features
    leads a matrix."""
)
def merges_are_free(height, width, patch, window, channels, dim, depths):
    return _cost(height, width, patch, window, channels, dim, depths, merges=False)


@swin_cost.mistake(
    """Your merge leads from D to 2 D features. How long is the token that it reads?"""
)
def merges_one_token(height, width, patch, window, channels, dim, depths):
    return _cost(height, width, patch, window, channels, dim, depths, merged=(1, 2))


@swin_cost.mistake(
    """The patches are free in yours. Before the first block, each patch becomes a token by a linear
    map."""
)
def patches_are_free(height, width, patch, window, channels, dim, depths):
    return _cost(height, width, patch, window, channels, dim, depths, embeds=False)


@swin_cost.mistake("""A patch of yours has `patch` pixels. It is a square.""")
def patches_of_one_row(height, width, patch, window, channels, dim, depths):
    return _cost(height, width, patch, window, channels, dim, depths, pixels=1)


@swin_cost.mistake(
    """You count three maps for the attention, queries, keys and values. What does its output pass
    in the end?"""
)
def three_maps(height, width, patch, window, channels, dim, depths):
    return _cost(height, width, patch, window, channels, dim, depths, maps=11)


@swin_cost.mistake(
    """The feed-forward networks are missing. In a block they are two thirds of the linear maps."""
)
def without_feed_forward(height, width, patch, window, channels, dim, depths):
    return _cost(height, width, patch, window, channels, dim, depths, maps=4)


@swin_cost.mistake(
    """Your feed-forward network has one map of D to 4 D. How does it come back to D?"""
)
def half_a_feed_forward(height, width, patch, window, channels, dim, depths):
    return _cost(height, width, patch, window, channels, dim, depths, maps=8)


@swin_cost.mistake(
    """You count one of the two products of attention: the scores, or the weights times the
    values."""
)
def half_the_attention(height, width, patch, window, channels, dim, depths):
    return _cost(height, width, patch, window, channels, dim, depths, products=1)


@swin_cost.mistake("""You count one block for each stage. What does `depths` say?""")
def one_block_a_stage(height, width, patch, window, channels, dim, depths):
    return _cost(height, width, patch, window, channels, dim, depths, blocks=lambda depth: 1)


@swin_cost.mistake(
    """Your merge reads as many tokens as there were before it. How many long tokens does it make of
    them, before its linear map?"""
)
def merges_before_they_are_fewer(height, width, patch, window, channels, dim, depths):
    return _cost(height, width, patch, window, channels, dim, depths, before=4)


@swin_cost.mistake(
    """Your merge costs half of what it should: it leads from 4 D to D features, or from 2 D to
    2 D. How many tokens stand side by side in what it reads, and how many features leave it?"""
)
def half_a_merge(height, width, patch, window, channels, dim, depths):
    return _cost(height, width, patch, window, channels, dim, depths, merged=(4, 1))


@swin_cost.mistake(
    """Your patches are counted without their area: a patch has channels · patch² numbers."""
)
def patches_of_one_pixel(height, width, patch, window, channels, dim, depths):
    return _cost(height, width, patch, window, channels, dim, depths, pixels=0)


@swin_cost.mistake(
    """Queries, keys and values share one map in yours. Each has its own, and the outputs too."""
)
def one_map_for_three(height, width, patch, window, channels, dim, depths):
    return _cost(height, width, patch, window, channels, dim, depths, maps=10)


@swin_cost.mistake(
    """A merge follows your last stage too. Between how many pairs of stages is there one?"""
)
def merges_after_the_last(height, width, patch, window, channels, dim, depths):
    found = _cost(height, width, patch, window, channels, dim, depths)
    factor = 2 ** (len(depths) - 1)  # of D; the tokens are fewer by its square
    tokens = (height // patch) * (width // patch) // factor**2 // 4
    return found | {"linear": found["linear"] + 2 * tokens * 4 * 2 * (factor * dim) ** 2}


@swin_cost.mistake("""You count the attention of one window. How many does the grid have?""")
def one_window(height, width, patch, window, channels, dim, depths):
    found = _cost(height, width, patch, window, channels, dim, depths)
    attention = sum(4 * d * window**4 * dim * 2**i for i, d in enumerate(depths))
    return found | {"attention": attention}


@swin_cost.mistake(
    """You take the image for a square, height by height. Right for square ones alone."""
)
def square_images(height, width, patch, window, channels, dim, depths):
    return _cost(height, height, patch, window, channels, dim, depths)


@swin_cost.mistake(
    """Attention is counted twice: under its own name, and once more in linear. Which of the two
    products has weights that are learned?"""
)
def attention_in_both(height, width, patch, window, channels, dim, depths):
    found = _cost(height, width, patch, window, channels, dim, depths)
    return found | {"linear": found["linear"] + found["attention"]}


@swin_cost.mistake(
    """Your blocks with moved windows have one window more each way. Rolled, the pieces at the
    border share windows: how many windows does the rolled grid have?"""
)
def more_windows_where_moved(height, width, patch, window, channels, dim, depths):
    found, attention = _cost(height, width, patch, window, channels, dim, depths), 0
    for stage, depth in enumerate(depths):
        down, across = (side // patch // 2**stage // window for side in (height, width))
        for i in range(depth):
            windows = (down + i % 2) * (across + i % 2)
            attention += 4 * windows * window**4 * dim * 2**stage
    return found | {"attention": attention}
