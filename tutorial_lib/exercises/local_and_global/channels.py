"""CAT: a map of tokens as patches of single channels."""

from tutorial_lib.checking import Exercise
from tutorial_lib.exercises.local_and_global.maps import normal


def channel_patches(x, p):
    """What CAT's cross-patch attention reads: in each channel, whole patches as tokens.

    x (B, H, W, dim) tensor, H and W multiples of p; p  the side of a patch, in tokens
    ->  (B · dim, n, p · p), n = H · W / p²

    An example of the new batch is one channel of one image: those of the first image come first,
    in the order of the channels. Its n tokens are the patches, row by row as one reads; a token's
    features are the p · p numbers that its patch has in this channel, row by row too.
    """
    B, H, W, dim = x.shape
    x = x.view(B, H // p, p, W // p, p, dim)  # row of patches, row in it, column of patches, ...
    x = x.permute(0, 5, 1, 3, 2, 4)  # (B, dim, H / p, W / p, p, p)
    return x.reshape(B * dim, -1, p * p)


def maps_and_a_patch(rng):
    for B, rows, columns, p, dim in [
        (1, 1, 2, 2, 1),
        (1, 2, 1, 2, 3),
        (2, 2, 3, 2, 3),
        (2, 3, 2, 3, 4),
        (3, 2, 2, 1, 2),
        (1, 1, 1, 3, 2),
    ]:
        yield dict(x=normal(rng, B, p * rows, p * columns, dim, wanted=B > 1), p=p)


channel_patches = Exercise(
    channel_patches,
    level=3,
    minutes=10,
    cases=maps_and_a_patch,
    hints=(
        "Give every axis a name: image, row of patches, row inside, column of patches, column "
        "inside, channel. Which of them belong to the batch, which to the list, which to a token?",
        "Cut H into (H // p, p) and W into (W // p, p). Then bring the six axes into the order of "
        "the result: batch first, then patches, then what is inside.",
        "After `view(B, H // p, p, W // p, p, dim)` the order wanted is image, channel, row of "
        "patches, column of patches, row inside, column inside: `permute(0, 5, 1, 3, 2, 4)`.",
    ),
)


def _cut(x, p, order, shape=None):
    """The six axes (B, H / p, p, W / p, p, dim) in another order, as (batch, n, features)."""
    B, H, W, dim = x.shape
    x = x.reshape(B, H // p, p, W // p, p, dim).permute(order)
    return x.reshape(shape or (B * dim, -1, p * p))


@channel_patches.mistake(
    """You reshape without moving an axis: what was read is cut anew, and your tokens hold pieces of
    several channels. Which axes have to change places first?"""
)
def only_reshapes(x, p):
    B, H, W, dim = x.shape
    return x.reshape(B * dim, -1, p * p)


@channel_patches.mistake(
    """The channels come first and then you reshape: a token of yours is p · p numbers of one row,
    or runs over its end, and no square. What has to be cut into two axes before?"""
)
def runs_along_the_rows(x, p):
    B, H, W, dim = x.shape
    return x.permute(0, 3, 1, 2).reshape(B * dim, -1, p * p)


@channel_patches.mistake(
    """Your batch goes through the images within a channel. In the task all channels of the first
    image come first; put back as the task says, images would be mixed."""
)
def channel_by_channel(x, p):
    return _cut(x, p, (5, 0, 1, 3, 2, 4))


@channel_patches.mistake(
    """Patches and what is inside them are exchanged: your tokens are places within a patch, and
    their features run over the patches. Who is to attend to whom in CPSA?"""
)
def places_as_tokens(x, p):
    B, H, W, dim = x.shape
    return _cut(x, p, (0, 5, 2, 4, 1, 3), (B * dim, p * p, -1))


@channel_patches.mistake(
    """The numbers inside a patch run down its columns. The task reads them row by row."""
)
def columns_inside(x, p):
    return _cut(x, p, (0, 5, 1, 3, 4, 2))


@channel_patches.mistake(
    """Your patches run down the columns of the map. The task numbers them row by row."""
)
def columns_of_patches(x, p):
    return _cut(x, p, (0, 5, 3, 1, 2, 4))


@channel_patches.mistake(
    """Everything runs down the columns: the patches and what is inside. Rows and columns have been
    exchanged somewhere."""
)
def transposed(x, p):
    return _cut(x, p, (0, 5, 3, 1, 4, 2))


@channel_patches.mistake(
    """The channels are still in the tokens: your tokens are whole patches with all of their
    channels. CPSA gives each channel an attention of its own: where does the channel's axis
    belong?"""
)
def channels_in_the_token(x, p):
    B, H, W, dim = x.shape
    return _cut(x, p, (0, 1, 3, 2, 4, 5), (B, -1, p * p * dim))


@channel_patches.mistake(
    """The channels are still in the tokens, side by side: your tokens are whole patches. CPSA gives
    each channel an attention of its own: where does the channel's axis belong?"""
)
def channels_first_in_the_token(x, p):
    B, H, W, dim = x.shape
    return _cut(x, p, (0, 1, 3, 5, 2, 4), (B, -1, p * p * dim))


@channel_patches.mistake(
    """Your batch is the patches, and inside a patch its tokens attend: that is CAT's *inner*
    attention, IPSA."""
)
def inner_patches(x, p):
    B, H, W, dim = x.shape
    return _cut(x, p, (0, 1, 3, 2, 4, 5), (-1, p * p, dim))


@channel_patches.mistake(
    """A patch of yours collects tokens that stand far apart, one from each stretch of the map.
    Cutting H into (p, H // p) takes every (H // p)-th row; in which order stand the two numbers?"""
)
def far_apart(x, p):
    B, H, W, dim = x.shape
    x = x.reshape(B, p, H // p, p, W // p, dim).permute(0, 5, 2, 4, 1, 3)
    return x.reshape(B * dim, -1, p * p)


@channel_patches.mistake(
    """The order is right, and there is an axis too many: image and channel are still two. The
    attention wants (batch, tokens, features)."""
)
def keeps_two_batches(x, p):
    B, H, W, dim = x.shape
    return _cut(x, p, (0, 5, 1, 3, 2, 4), (B, dim, -1, p * p))


@channel_patches.mistake(
    """An example of yours is a patch and its tokens are the channels. In CPSA patches attend to
    patches: what should the batch be, and what the list?"""
)
def channels_attend(x, p):
    B, H, W, dim = x.shape
    return _cut(x, p, (0, 1, 3, 5, 2, 4), (-1, dim, p * p))


@channel_patches.mistake(
    """Height and width have changed places where you cut: right on a square map. Which axis of x is
    cut into H / p patches?"""
)
def width_for_height(x, p):
    B, H, W, dim = x.shape
    x = x.reshape(B, W // p, p, H // p, p, dim).permute(0, 5, 1, 3, 2, 4)
    return x.reshape(B * dim, -1, p * p)
