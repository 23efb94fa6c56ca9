"""Twins: what a layer in windows and a layer of summaries cost."""

from tutorial_lib.checking import Exercise


def twins_cost(height, width, k, dim):
    """Predict the floating-point operations of Twins' two attentions on one map of tokens.

    height, width  tokens, multiples of k; k  tokens, the side of a window; dim  features
    ->  dict of int: local_maps, local_scores, global_maps, global_scores

    `..._maps` are those of all linear maps: queries, keys, values and output, from dim to dim, and
    in the global one the convolution that makes a summary out of the k · k tokens of a window.
    `..._scores` are those of the two products with attention weights in them, q kᵀ and the weights
    times v. Local: each token asks the k · k of its window. Global: each token asks the summaries
    of all windows, and keys and values are made of these alone.

    A multiplication and an addition are two operations. Softmax, norms and biases are left out.
    """
    n, windows = height * width, height * width // k**2
    return {
        "local_maps": 2 * 4 * n * dim**2,
        "local_scores": 2 * 2 * n * k**2 * dim,
        "global_maps": 2 * (2 * n + 2 * windows) * dim**2 + 2 * windows * k**2 * dim * dim,
        "global_scores": 2 * 2 * n * windows * dim,
    }


twins_cost = Exercise(
    twins_cost,
    level=3,
    minutes=10,
    cases=lambda rng: (
        dict(zip(("height", "width", "k", "dim"), sizes))
        for sizes in [(2, 4, 2, 3), (6, 3, 3, 5), (8, 4, 1, 2), (4, 4, 4, 8), (56, 28, 7, 64)]
    ),
    hints=(
        "Write down who asks and who answers, and how many these are: n tokens, and k · k or as "
        "many as there are windows.",
        "A linear map of n tokens takes 2·n·dim·dim. Either product takes 2·n·dim for each one who "
        "answers. A convolution with stride k is a linear map of k·k·dim features, once a window.",
        "Globally, queries and output are 2·n·dim² each, keys and values 2·windows·dim² each, and "
        "the summaries 2·windows·(k²·dim)·dim. Local scores: 2·2·n·k²·dim.",
    ),
)


def _cost(height, width, k, dim, *, unit=2, products=2, summaries=True, keys_of_all=False,
          maps=4, side=2):  # fmt: skip
    """`twins_cost` with one of its counts changed."""
    n, windows = height * width, height * width // k**2
    answering = n if keys_of_all else windows
    return {
        "local_maps": unit * maps * n * dim**2,
        "local_scores": unit * products * n * k**side * dim,
        "global_maps": unit * (maps - 2) * (n + answering) * dim**2
        + summaries * unit * windows * k**side * dim * dim,
        "global_scores": unit * products * n * answering * dim,
    }


@twins_cost.mistake(
    """You count a multiplication and its addition as one, which is the unit MAC. Papers often do;
    here the two are two operations."""
)
def counts_macs(height, width, k, dim):
    return _cost(height, width, k, dim, unit=1)


@twins_cost.mistake(
    """You count one of the two products of attention: the scores, or the weights times the
    values."""
)
def half_the_attention(height, width, k, dim):
    return _cost(height, width, k, dim, products=1)


@twins_cost.mistake(
    """The convolution that makes the summaries is missing. It reads every token once, and is no
    cheaper than one of the linear maps."""
)
def summaries_for_nothing(height, width, k, dim):
    return _cost(height, width, k, dim, summaries=False)


@twins_cost.mistake(
    """In your global attention all tokens answer. Keys and values are made of the summaries alone:
    how many are these?"""
)
def everybody_answers(height, width, k, dim):
    return _cost(height, width, k, dim, keys_of_all=True)


@twins_cost.mistake("""Your windows hold k tokens. They are squares: how many tokens has one?""")
def windows_of_k_tokens(height, width, k, dim):
    wrong = _cost(height, width, k, dim, side=1)
    return _cost(height, width, k, dim) | {"local_scores": wrong["local_scores"]}


@twins_cost.mistake(
    """Your windows hold k tokens, and your summaries are made of k. A window is a square: how many
    tokens has one?"""
)
def summaries_of_k_tokens(height, width, k, dim):
    return _cost(height, width, k, dim, side=1)


@twins_cost.mistake(
    """You count three linear maps, queries, keys and values. What does the heads' answer pass at
    the end?"""
)
def without_the_output(height, width, k, dim):
    found = _cost(height, width, k, dim)
    output = 2 * height * width * dim**2
    return found | {
        "local_maps": found["local_maps"] - output,
        "global_maps": found["global_maps"] - output,
    }


@twins_cost.mistake(
    """Keys and values of your global attention are made of all tokens. They are made of the
    summaries, and there are k · k times fewer."""
)
def keys_of_every_token(height, width, k, dim):
    found = _cost(height, width, k, dim)
    return found | {"global_maps": _cost(height, width, k, dim, keys_of_all=True)["global_maps"]}


@twins_cost.mistake(
    """In your global attention the summaries ask, too: scores of windows with windows. Who asks in
    GSA?"""
)
def summaries_ask(height, width, k, dim):
    found, windows = _cost(height, width, k, dim), height * width // k**2
    return found | {"global_scores": 4 * windows * windows * dim}


@twins_cost.mistake("""Your local scores are those of one window. How many windows are there?""")
def a_single_window(height, width, k, dim):
    return _cost(height, width, k, dim) | {"local_scores": 4 * k**4 * dim}


@twins_cost.mistake(
    """Your summary is a mean, or costs as much: one operation for a feature it reads. The
    convolution multiplies by a matrix: every feature of the result reads k · k · dim numbers."""
)
def depthwise_summaries(height, width, k, dim):
    found = _cost(height, width, k, dim, summaries=False)
    return found | {"global_maps": found["global_maps"] + 2 * height * width * dim}


@twins_cost.mistake(
    """Your local attention lets every token ask the whole map. How many tokens answer in a
    window?"""
)
def local_asks_everybody(height, width, k, dim):
    n = height * width
    return _cost(height, width, k, dim) | {"local_scores": 4 * n * n * dim}


@twins_cost.mistake(
    """In your global attention the summaries ask, too: queries, output and scores are those of the
    windows alone. Who asks in GSA?"""
)
def summaries_ask_and_are_mapped(height, width, k, dim):
    n, windows = height * width, height * width // k**2
    return _cost(height, width, k, dim) | {
        "global_maps": 2 * (n + 4 * windows) * dim**2,
        "global_scores": 4 * windows * windows * dim,
    }


@twins_cost.mistake("""You count height · height tokens. Is every map a square?""")
def squares_the_height(height, width, k, dim):
    return _cost(height, height, k, dim)


@twins_cost.mistake(
    """Your windows hold k tokens, and so there are too many of them. A window is a square: how many
    tokens has one?"""
)
def as_many_windows_as_rows_of_k(height, width, k, dim):
    n, windows = height * width, height * width // k
    return {
        "local_maps": 8 * n * dim**2,
        "local_scores": 4 * n * k * dim,
        "global_maps": 2 * (3 * n + 2 * windows) * dim**2,
        "global_scores": 4 * n * windows * dim,
    }
