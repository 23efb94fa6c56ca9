"""What multi-head attention costs."""

from tutorial_lib.checking import Exercise


def multi_head_cost(n, D, heads):
    """Predict what multi-head self-attention costs, without biases.

    n tokens, D features of a token, heads: a divisor of D
    ->  dict of int:
        parameters         numbers in W_Q, W_K, W_V and W_O
        projection_flops   operations of the products with these four
        attention_flops    operations of Q Kᵀ and P V, all heads together
        weights_stored     numbers in P, all heads together

    A multiplication and an addition are two operations. The softmax and the scale, a few operations
    a score, are left out.
    """
    return {
        "parameters": 4 * D * D,
        "projection_flops": 8 * n * D * D,
        "attention_flops": 4 * n * n * D,
        "weights_stored": heads * n * n,
    }


multi_head_cost = Exercise(
    multi_head_cost,
    level=2,
    minutes=10,
    cases=lambda rng: (
        dict(n=n, D=D, heads=heads)
        for n, D, heads in [(5, 6, 2), (3, 8, 1), (2, 12, 4), (196, 768, 12)]
    ),
    hints=(
        "Count one head first: it has D / heads features. Then ask what the number of heads does "
        "to each of the four numbers.",
        "A product of (n, a) with (a, b) takes 2·n·a·b operations. In a head Q Kᵀ is (n, D/heads) "
        "with (D/heads, n).",
        "There are four D × D matrices, and two products of 2·n²·D/heads operations in each of "
        "the heads. Only the number of weights stored grows with the heads.",
    ),
)


@multi_head_cost.mistake(
    """Your attention gets dearer with every head. But each head works on fewer features: how many
    products does one score take, and how many scores are there in all?"""
)
def dearer_with_heads(n, D, heads):
    right = multi_head_cost.reference(n, D, heads)
    return {**right, "attention_flops": heads * right["attention_flops"]}


@multi_head_cost.mistake("You count three projections. What mixes the heads at the end?")
def without_w_o(n, D, heads):
    right = multi_head_cost.reference(n, D, heads)
    return {**right, "parameters": 3 * D * D, "projection_flops": 6 * n * D * D}


@multi_head_cost.mistake(
    """You count a multiplication and its addition as one (that is the unit MAC, also seen in
    papers). Here they count as two."""
)
def counts_macs(n, D, heads):
    right = multi_head_cost.reference(n, D, heads)
    halves = {name: right[name] // 2 for name in ("projection_flops", "attention_flops")}
    return {**right, **halves}


@multi_head_cost.mistake(
    """You store one matrix of weights for all heads. Each head looks where it likes: how many
    matrices does it take to remember that?"""
)
def one_map(n, D, heads):
    return {**multi_head_cost.reference(n, D, heads), "weights_stored": n * n}


@multi_head_cost.mistake(
    """You give every head projections of D × D. A head's queries have D / heads features: how many
    columns of W_Q are its own?"""
)
def full_projections_for_each_head(n, D, heads):
    right = multi_head_cost.reference(n, D, heads)
    dearer = {name: heads * right[name] for name in ("parameters", "projection_flops")}
    return {**right, **dearer}


@multi_head_cost.mistake(
    """You count a bias of D numbers for each projection. PyTorch has them unless you say
    `bias=False`; here, as in the paper's formula, there are none."""
)
def with_biases(n, D, heads):
    return {**multi_head_cost.reference(n, D, heads), "parameters": 4 * D * D + 4 * D}


@multi_head_cost.mistake(
    "You count one of the two products, Q Kᵀ and P V: half of the operations are missing."
)
def only_scores(n, D, heads):
    right = multi_head_cost.reference(n, D, heads)
    return {**right, "attention_flops": right["attention_flops"] // 2}


@multi_head_cost.mistake(
    """Your attention is that of one head, with D / heads features. How many of them work?"""
)
def attention_of_one_head(n, D, heads):
    return {**multi_head_cost.reference(n, D, heads), "attention_flops": 4 * n * n * (D // heads)}


@multi_head_cost.mistake(
    """Your projections are those of one token. Each of the four matrices meets every token."""
)
def projections_of_one_token(n, D, heads):
    return {**multi_head_cost.reference(n, D, heads), "projection_flops": 8 * D * D}
