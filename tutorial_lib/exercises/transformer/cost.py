"""What a Transformer costs: parameters, operations, and the cache with which it writes."""

from tutorial_lib.checking import Exercise


def transformer_cost(dim, hidden, depth, n, m, size):
    """Predict a layer's parameters and operations, and the bytes of the cache of keys and values.

    dim     features of a token; any number of heads that share them
    hidden  features between the two linear maps of the feed-forward network
    depth   layers of the decoder
    n, m    words written so far; tokens of the memory
    size    bytes a number
    ->  dict of int: encoder_layer, decoder_layer (parameters of one), cache (bytes, all layers, for
        one text), flops (operations of one encoder layer that reads the m tokens of the memory)

    All linear maps have biases. A LayerNorm has a scale and a shift for each feature; there is one
    for each branch. Every decoder layer keeps what attention needs of the words and of the memory.
    Of the operations only matrix products count, a multiplication and an addition as two.
    """
    attention = 4 * (dim * dim + dim)
    feed_forward = dim * hidden + hidden + hidden * dim + dim
    norm = 2 * dim
    return {
        "encoder_layer": attention + feed_forward + 2 * norm,
        "decoder_layer": 2 * attention + feed_forward + 3 * norm,
        "cache": depth * 2 * (n + m) * dim * size,
        "flops": 2 * m * (4 * dim * dim + 2 * dim * hidden) + 4 * m * m * dim,
    }


transformer_cost = Exercise(
    transformer_cost,
    level=2,
    minutes=20,
    cases=lambda rng: (
        dict(zip(("dim", "hidden", "depth", "n", "m", "size"), sizes))
        for sizes in [
            (2, 3, 5, 7, 6, 4),
            (3, 2, 1, 1, 4, 1),
            (2, 8, 3, 5, 1, 2),
            (48, 192, 2, 1, 36, 4),
            (512, 2048, 6, 128, 196, 2),
        ]
    ),
    hints=(
        "A linear map from a to b features has a·b weights and b biases. How many such maps does "
        "an attention have, whatever the number of heads?",
        "An encoder layer: one attention, one feed-forward network, two norms. A decoder layer: "
        "two attentions, one feed-forward network, three norms.",
        "For each of its tokens, and in each layer, the cache holds a key and a value of dim "
        "numbers each; n words and m tokens of the memory are attended to. Operations: each of m "
        "tokens meets every weight of the linear maps once, and attention adds two products, of "
        "2·m·m·dim each.",
    ),
)


def _cost(dim, hidden, depth, n, m, size, *, maps=4, bias=1, norms=2, crossed=2, **replaced):
    """`transformer_cost` with one of its counts changed, or a result replaced."""
    attention = maps * (dim * dim + bias * dim)
    feed_forward = 2 * dim * hidden + bias * (hidden + dim)
    return {
        "encoder_layer": attention + feed_forward + 2 * norms * dim,
        "decoder_layer": crossed * attention + feed_forward + (crossed + 1) * norms * dim,
        "cache": depth * 2 * (n + m) * dim * size,
        "flops": 2 * m * (maps * dim * dim + 2 * dim * hidden) + 4 * m * m * dim,
    } | replaced


@transformer_cost.mistake(
    """The biases are missing. They are few beside the weights, but the task counts them: one for
    each feature that comes out of a linear map."""
)
def without_biases(dim, hidden, depth, n, m, size):
    return _cost(dim, hidden, depth, n, m, size, bias=0)


@transformer_cost.mistake(
    """The norms are missing. What does a LayerNorm learn, and how many does each layer have?"""
)
def without_norms(dim, hidden, depth, n, m, size):
    return _cost(dim, hidden, depth, n, m, size, norms=0)


@transformer_cost.mistake(
    """Three linear maps an attention: queries, keys, values. What happens to the output of all
    heads together?"""
)
def three_maps(dim, hidden, depth, n, m, size):
    return _cost(dim, hidden, depth, n, m, size, maps=3)


@transformer_cost.mistake(
    """Your decoder layer is an encoder layer. Its words look at each other; what else do they look
    at, with which weights, and inside which residual?"""
)
def decoder_like_encoder(dim, hidden, depth, n, m, size):
    return _cost(dim, hidden, depth, n, m, size, crossed=1)


@transformer_cost.mistake(
    """Your decoder layer has its three norms and one attention. Its words look at each other; what
    else do they look at, and with which weights?"""
)
def decoder_with_one_attention(dim, hidden, depth, n, m, size):
    right = _cost(dim, hidden, depth, n, m, size)
    return right | {"decoder_layer": right["encoder_layer"] + 2 * dim}


@transformer_cost.mistake(
    """The cache holds half of what is needed: keys say where to look. What is fetched from
    there?"""
)
def caches_only_keys(dim, hidden, depth, n, m, size):
    return _cost(dim, hidden, depth, n, m, size, cache=depth * (n + m) * dim * size)


@transformer_cost.mistake(
    """Your cache holds the words and not the memory. Without its keys and values the decoder would
    compute them anew for every word, though the memory never changes."""
)
def caches_no_memory(dim, hidden, depth, n, m, size):
    return _cost(dim, hidden, depth, n, m, size, cache=depth * 2 * n * dim * size)


@transformer_cost.mistake(
    """Your cache is that of one layer. Does a token have the same keys in all of them?"""
)
def caches_one_layer(dim, hidden, depth, n, m, size):
    return _cost(dim, hidden, depth, n, m, size, cache=2 * (n + m) * dim * size)


@transformer_cost.mistake(
    """Your cache is counted in numbers. The task asks for bytes: which argument says how many of
    them a number takes?"""
)
def cache_in_numbers(dim, hidden, depth, n, m, size):
    return _cost(dim, hidden, depth, n, m, size, cache=depth * 2 * (n + m) * dim)


@transformer_cost.mistake(
    """Your operations are those of a whole stack. Of how many layers does the task ask?"""
)
def flops_of_all_layers(dim, hidden, depth, n, m, size):
    right = _cost(dim, hidden, depth, n, m, size)
    return right | {"flops": depth * right["flops"]}


@transformer_cost.mistake(
    """Your cache holds attention weights, n·(n + m) of them. Those of earlier words are never
    needed again. What does the next word look at?"""
)
def caches_weights(dim, hidden, depth, n, m, size):
    return _cost(dim, hidden, depth, n, m, size, cache=depth * n * (n + m) * size)


@transformer_cost.mistake(
    """Your operations are half of what they should be: these are multiplications with their
    additions taken as one, which papers often call FLOPs too. As what does the task count the
    two?"""
)
def counts_pairs(dim, hidden, depth, n, m, size):
    right = _cost(dim, hidden, depth, n, m, size)
    return right | {"flops": right["flops"] // 2}


@transformer_cost.mistake(
    """Your operations are those of the linear maps alone. Which two products of an attention hold
    no weight of the layer, and how do they grow with the number of tokens?"""
)
def without_attention_itself(dim, hidden, depth, n, m, size):
    flops = 2 * m * (4 * dim * dim + 2 * dim * hidden)
    return _cost(dim, hidden, depth, n, m, size, flops=flops)


@transformer_cost.mistake(
    """One product of every token with every token is counted, the scores. The weights that come of
    them are used once more: with what are they multiplied?"""
)
def scores_only(dim, hidden, depth, n, m, size):
    flops = 2 * m * (4 * dim * dim + 2 * dim * hidden) + 2 * m * m * dim
    return _cost(dim, hidden, depth, n, m, size, flops=flops)


@transformer_cost.mistake(
    """Your operations are those for n tokens. The encoder reads the memory's tokens and not the
    words: which of the two numbers counts them?"""
)
def encodes_the_words(dim, hidden, depth, n, m, size):
    flops = 2 * n * (4 * dim * dim + 2 * dim * hidden) + 4 * n * n * dim
    return _cost(dim, hidden, depth, n, m, size, flops=flops)
