"""The layer between two soft splits, as a module."""

import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.checking.modules import ModuleExercise
from tutorial_lib.layers.transformer import FeedForward, Residual


class TokenTransformer(nn.Module):
    """Attention with one head that makes long tokens short, and a feed-forward network.

    dim_in  features of a token that comes from a split; dim  features of one that leaves

    Its parts are named norm (a LayerNorm), to_q, to_k, to_v (linear maps without biases), to_out (a
    linear map), feed_forward (`FeedForward(dim, dim)`) and around_feed_forward (`Residual(dim,
    norm_first=True)`). Queries, keys and values are made of the normalised token; scores are
    divided by the root of the queries' width. A token of dim_in features cannot be added to dim
    features: the first residual starts at the values.
    """

    def __init__(self, dim_in: int, dim: int):
        """Make the parts. Which of them see dim_in features?"""
        super().__init__()
        self.norm = nn.LayerNorm(dim_in)
        self.to_q = nn.Linear(dim_in, dim, bias=False)
        self.to_k = nn.Linear(dim_in, dim, bias=False)
        self.to_v = nn.Linear(dim_in, dim, bias=False)
        self.to_out = nn.Linear(dim, dim)
        self.feed_forward = FeedForward(dim, dim)
        self.around_feed_forward = Residual(dim, norm_first=True)

    def forward(self, tokens):
        """tokens (B, N, dim_in)  ->  (B, N, dim)"""
        x = self.norm(tokens)
        q, k, v = self.to_q(x), self.to_k(x), self.to_v(x)  # (B, N, dim) each
        x = v + self.to_out(F.scaled_dot_product_attention(q, k, v))
        return self.around_feed_forward(x, self.feed_forward)


def sizes_and_tokens(rng):
    for B, N, dim_in, dim in [(1, 2, 3, 2), (2, 4, 9, 4), (3, 5, 2, 6), (2, 3, 5, 5)]:
        tokens = torch.from_numpy(rng.normal(size=(B, N, dim_in)))
        yield dict(arguments=dict(dim_in=dim_in, dim=dim), tokens=tokens)


TokenTransformer = ModuleExercise(
    TokenTransformer,
    level=3,
    minutes=12,
    cases=sizes_and_tokens,
    hints=(
        "It is chapter 03's encoder layer with one head, but for one thing: what the attention's "
        "output is added to.",
        "`F.scaled_dot_product_attention(q, k, v)` is softmax(q kᵀ / √d) v. After it comes to_out, "
        "then the sum, then the second residual.",
        "`x = v + self.to_out(F.scaled_dot_product_attention(q, k, v))`, then "
        "`self.around_feed_forward(x, self.feed_forward)`: `Residual` is called with x and with "
        "what it goes around, and gives x + f(LN(x)).",
    ),
)


class _Parts(TokenTransformer.reference):
    """The reference in steps, for mistakes that change one of them."""

    def forward(self, tokens):
        x = self.first(tokens)
        q, k, v = self.to_q(x), self.to_k(x), self.to_v(x)
        return self.second(self.add(tokens, q, k, v, self.to_out(self.attend(q, k, v))))

    def first(self, tokens):
        return self.norm(tokens)

    def attend(self, q, k, v):
        return self.weights(q, k) @ v

    def weights(self, q, k):
        return (q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-1)

    def add(self, tokens, q, k, v, found):
        return v + found

    def second(self, x):
        return self.around_feed_forward(x, self.feed_forward)


@TokenTransformer.mistake(
    """You add the token itself. It has dim_in features and the attention's output dim: right only
    where the two are equal. At what does the first residual start?"""
)
class AddsTheToken(_Parts):
    def add(self, tokens, q, k, v, found):
        return tokens + found


@TokenTransformer.mistake(
    """You add the normalised token. It has dim_in features and the attention's output dim: right
    only where the two are equal. At what does the first residual start?"""
)
class AddsTheNormalisedToken(_Parts):
    def add(self, tokens, q, k, v, found):
        return self.norm(tokens) + found


@TokenTransformer.mistake(
    """The first residual is missing: a token is now nothing but a mean over all tokens, and at the
    beginning all means are nearly the same. What should be kept of the token?"""
)
class WithoutTheFirstResidual(_Parts):
    def add(self, tokens, q, k, v, found):
        return found


@TokenTransformer.mistake(
    """Your residual starts at the queries. What a token *says* is its value; what was the query
    for?"""
)
class AddsTheQuery(_Parts):
    def add(self, tokens, q, k, v, found):
        return q + found


@TokenTransformer.mistake(
    """The first norm is missing: queries, keys and values are made of the token as it came. Which
    part of yours is never called?"""
)
class WithoutTheFirstNorm(_Parts):
    def first(self, tokens):
        return tokens


@TokenTransformer.mistake(
    """Queries and keys see the normalised token, values do not. All three are made of the same
    thing. Which name holds it?"""
)
class ValuesOfTheRawToken(_Parts):
    def forward(self, tokens):
        x = self.norm(tokens)
        q, k, v = self.to_q(x), self.to_k(x), self.to_v(tokens)
        return self.second(v + self.to_out(self.attend(q, k, v)))


@TokenTransformer.mistake(
    """Your scores are not divided by anything: with many features the softmax sees one key only.
    By what does the task divide?"""
)
class WithoutTheScale(_Parts):
    def weights(self, q, k):
        return (q @ k.mT).softmax(dim=-1)


@TokenTransformer.mistake(
    """You divide by the root of the token's width, dim_in, as the published code does. The task
    asks for the width of the queries: how long is the vector whose product you scale?"""
)
class ScalesByTheTokensWidth(_Parts):
    def weights(self, q, k):
        return (q @ k.mT / self.norm.normalized_shape[0] ** 0.5).softmax(dim=-1)


@TokenTransformer.mistake(
    """Your softmax runs over the queries: the weights of a key sum to one, and those of a query do
    not. Over whom does a token share out its attention?"""
)
class SoftmaxOverQueries(_Parts):
    def weights(self, q, k):
        return (q @ k.mT / q.shape[-1] ** 0.5).softmax(dim=-2)


@TokenTransformer.mistake(
    """Queries and keys are exchanged: your rows belong to the keys. In q kᵀ, which of the two gives
    the rows?"""
)
class KeysAsk(_Parts):
    def weights(self, q, k):
        return super().weights(k, q)


@TokenTransformer.mistake(
    """There is no softmax: your weights are scores, negative ones too. What turns scores into
    shares?"""
)
class WithoutSoftmax(_Parts):
    def weights(self, q, k):
        return q @ k.mT / q.shape[-1] ** 0.5


@TokenTransformer.mistake(
    """to_out is made and never called. What does the attention's output pass before it is added?"""
)
class SkipsTheOutput(_Parts):
    def forward(self, tokens):
        x = self.norm(tokens)
        q, k, v = self.to_q(x), self.to_k(x), self.to_v(x)
        return self.second(v + self.attend(q, k, v))


@TokenTransformer.mistake(
    """to_out sees the sum of value and attention. In the task the residual goes around attention
    *and* output map: what is added to the value?"""
)
class OutputOfTheSum(_Parts):
    def forward(self, tokens):
        x = self.norm(tokens)
        q, k, v = self.to_q(x), self.to_k(x), self.to_v(x)
        return self.second(self.to_out(v + self.attend(q, k, v)))


@TokenTransformer.mistake(
    """The feed-forward network is missing: what you return has only attended. What does the second
    residual go around?"""
)
class WithoutTheFeedForward(_Parts):
    def second(self, x):
        return x


@TokenTransformer.mistake(
    """Your feed-forward network has no residual and no norm: what it was given is gone. What is
    around_feed_forward for?"""
)
class WithoutTheSecondResidual(_Parts):
    def second(self, x):
        return self.feed_forward(x)


@TokenTransformer.mistake(
    """The second residual has no norm in its branch: you add the network to x yourself. What does
    `Residual` do besides?"""
)
class WithoutTheSecondNorm(_Parts):
    def second(self, x):
        return x + self.feed_forward(x)


@TokenTransformer.mistake(
    """x arrives twice: `Residual` adds it already, and you add it once more. What does it give?"""
)
class AddsTwice(_Parts):
    def second(self, x):
        return x + super().second(x)


@TokenTransformer.mistake(
    """Your second norm comes after the sum (Post-LN). The task has it inside the branch: which
    argument of `Residual` says so?"""
)
class NormAfterTheSum(_Parts):
    def second(self, x):
        return self.around_feed_forward.norm(x + self.feed_forward(x))


@TokenTransformer.mistake(
    """The value is added at the very end, so the feed-forward network reads what attention found
    and not the sum. Where does the task add it?"""
)
class AddsTheValueLast(_Parts):
    def add(self, tokens, q, k, v, found):
        self.value = v
        return found

    def second(self, x):
        return self.value + super().second(x)
