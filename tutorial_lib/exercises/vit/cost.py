"""What a ViT costs."""

from tutorial_lib.checking import Exercise


def vit_cost(image_size, patch, channels, classes, dim, depth, hidden):
    """Predict the parameters of a ViT, part by part, and the operations for one image.

    image_size, patch   pixels, the side of the square image and of a patch
    channels, classes   of the image; how many there are to choose from
    dim, depth, hidden  features of a token; layers; features inside the feed-forward network
    ->  dict of int:
        patch_embedding  parameters of the map from a patch to a token
        tokens           of the class token and the positions
        encoder          of all layers
        head             of the last norm and the head
        parameters       all of them
        flops            operations of all matrix products, for one image

    All linear maps have biases; a LayerNorm has a scale and a shift for each feature. A
    multiplication and an addition are two operations; biases, norms, softmax and GELU are left out.
    """
    n = (image_size // patch) ** 2
    features, N = patch * patch * channels, n + 1
    layer = 4 * (dim * dim + dim) + 2 * dim * hidden + hidden + dim + 4 * dim
    parts = {
        "patch_embedding": features * dim + dim,
        "tokens": dim + N * dim,
        "encoder": depth * layer,
        "head": 2 * dim + dim * classes + classes,
    }
    layer_flops = 8 * N * dim * dim + 4 * N * N * dim + 4 * N * dim * hidden
    flops = 2 * n * features * dim + depth * layer_flops + 2 * dim * classes
    return {**parts, "parameters": sum(parts.values()), "flops": flops}


NAMES = ("image_size", "patch", "channels", "classes", "dim", "depth", "hidden")

vit_cost = Exercise(
    vit_cost,
    level=2,
    minutes=15,
    cases=lambda rng: (
        dict(zip(NAMES, sizes))
        for sizes in [
            (4, 2, 1, 3, 2, 1, 5),
            (6, 2, 3, 5, 4, 3, 7),
            (28, 7, 1, 10, 64, 4, 128),
            (224, 16, 3, 1000, 768, 12, 3072),
        ]
    ),
    hints=(
        "How many patches are there, and how many tokens? How many numbers does a patch hold?",
        "A layer: four maps dim to dim, one dim to hidden, one back, all with biases, and two "
        "norms. A product of (a, b) with (b, c) takes 2·a·b·c operations.",
        "ViT-B/16 with 1,000 classes has 590,592 + 152,064 + 85,054,464 + 770,536 parameters. Of "
        "the products, the patch embedding works on n patches, the layers on n + 1 tokens, the "
        "head on one.",
    ),
)


def _cost(image_size, patch, channels, classes, dim, depth, hidden, *, layers=None, **changed):
    """`vit_cost` with some of its counts changed: n patches, tokens T in the layers' operations,
    positions, features of a patch, biases, norms, maps dim to dim and products of the attention in
    a layer, tokens that the head reads, units of operations.
    """
    count = dict(n=(image_size // patch) ** 2, features=patch * patch * channels)
    count |= {name: changed[name] for name in count if name in changed}
    n, features = count["n"], count["features"]
    use = dict(T=n + 1, positions=n + 1, token=1, bias=1, norms=2, last_norm=1, maps=4, products=2)
    use |= dict(embedded=n, read=1, unit=2) | changed
    layer = use["maps"] * (dim * dim + use["bias"] * dim) + 2 * use["norms"] * dim
    layer += 2 * dim * hidden + use["bias"] * (hidden + dim)
    parts = {
        "patch_embedding": features * dim + use["bias"] * dim,
        "tokens": use["token"] * dim + use["positions"] * dim,
        "encoder": (depth if layers is None else layers) * layer,
        "head": 2 * use["last_norm"] * dim + dim * classes + use["bias"] * classes,
    }
    T = use["T"]
    products = use["maps"] * T * dim * dim + use["products"] * T * T * dim + 2 * T * dim * hidden
    products = use["embedded"] * features * dim + depth * products + use["read"] * dim * classes
    return {**parts, "parameters": sum(parts.values()), "flops": use["unit"] * products}


@vit_cost.mistake(
    """You count the patches along one side only: image_size / patch. An image has two sides."""
)
def patches_of_one_side(image_size, patch, channels, classes, dim, depth, hidden):
    return _cost(image_size, patch, channels, classes, dim, depth, hidden, n=image_size // patch)


@vit_cost.mistake(
    """The channels are missing: a patch of p × p pixels holds how many numbers, if each pixel has a
    red, a green and a blue?"""
)
def without_channels(image_size, patch, channels, classes, dim, depth, hidden):
    return _cost(image_size, patch, channels, classes, dim, depth, hidden, features=patch * patch)


@vit_cost.mistake(
    """`tokens` is dim too few. The class token is learned, and it has a position as well, though it
    stands nowhere in the image: which of the two have you left out?"""
)
def class_token_or_its_position(image_size, patch, channels, classes, dim, depth, hidden):
    n = (image_size // patch) ** 2
    return _cost(image_size, patch, channels, classes, dim, depth, hidden, positions=n)


@vit_cost.mistake(
    """Your layers work on n tokens. How many rows does the encoder read, if a class token stands
    before the patches?"""
)
def layers_without_the_class_token(image_size, patch, channels, classes, dim, depth, hidden):
    n = (image_size // patch) ** 2
    return _cost(image_size, patch, channels, classes, dim, depth, hidden, T=n)


@vit_cost.mistake(
    """Your encoder has the parameters of one layer. Does each layer have weights of its own?"""
)
def one_layer(image_size, patch, channels, classes, dim, depth, hidden):
    return _cost(image_size, patch, channels, classes, dim, depth, hidden, layers=1)


@vit_cost.mistake(
    """The biases are missing. They are few beside the weights, but the task counts them: one for
    each feature that comes out of a linear map."""
)
def without_biases(image_size, patch, channels, classes, dim, depth, hidden):
    return _cost(image_size, patch, channels, classes, dim, depth, hidden, bias=0)


@vit_cost.mistake(
    """The last norm is missing: Pre-LN layers end with a sum, so one more LayerNorm stands before
    the head."""
)
def without_the_last_norm(image_size, patch, channels, classes, dim, depth, hidden):
    return _cost(image_size, patch, channels, classes, dim, depth, hidden, last_norm=0)


@vit_cost.mistake(
    """You count a multiplication and its addition as one. Tables of ViT often do, and call it FLOPs
    all the same (17.6 G for ViT-B/16). Here they count as two."""
)
def counts_macs(image_size, patch, channels, classes, dim, depth, hidden):
    return _cost(image_size, patch, channels, classes, dim, depth, hidden, unit=1)


@vit_cost.mistake(
    """You send every token through the head. How many tokens answer for the image?"""
)
def head_on_every_token(image_size, patch, channels, classes, dim, depth, hidden):
    tokens = (image_size // patch) ** 2 + 1
    return _cost(image_size, patch, channels, classes, dim, depth, hidden, read=tokens)


@vit_cost.mistake(
    """Your attention has three maps, for queries, keys and values. What becomes of the heads'
    results, once they stand side by side?"""
)
def without_the_output_map(image_size, patch, channels, classes, dim, depth, hidden):
    return _cost(image_size, patch, channels, classes, dim, depth, hidden, maps=3)


@vit_cost.mistake(
    """The norms of the layers are missing. A Pre-LN layer has one before the attention and one
    before the feed-forward network: how many parameters have they together?"""
)
def without_the_norms_of_the_layers(image_size, patch, channels, classes, dim, depth, hidden):
    return _cost(image_size, patch, channels, classes, dim, depth, hidden, norms=0)


@vit_cost.mistake(
    """You count one of the two products of attention: the scores, or the weights times the
    values."""
)
def half_the_attention(image_size, patch, channels, classes, dim, depth, hidden):
    return _cost(image_size, patch, channels, classes, dim, depth, hidden, products=1)


@vit_cost.mistake(
    """`tokens` holds the positions of the patches alone. The class token is learned, and so is its
    position, though it stands nowhere in the image."""
)
def nothing_for_the_class_token(image_size, patch, channels, classes, dim, depth, hidden):
    n = (image_size // patch) ** 2
    return _cost(image_size, patch, channels, classes, dim, depth, hidden, token=0, positions=n)


@vit_cost.mistake(
    """You send the class token through the patch embedding. It is made of no pixels: how many
    tokens come out of that map?"""
)
def class_token_embedded(image_size, patch, channels, classes, dim, depth, hidden):
    n = (image_size // patch) ** 2
    return _cost(image_size, patch, channels, classes, dim, depth, hidden, embedded=n + 1)
