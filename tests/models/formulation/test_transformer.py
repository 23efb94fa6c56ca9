"""The Transformer: what its tokens may see, its cache, its sizes."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformer_helpers import BEGIN, BOTH, WORDS, lengths_mask, make

from tutorial_lib.exercises.transformer import attend_with_cache
from tutorial_lib.exercises.transformer.cost import transformer_cost
from tutorial_lib.from_scratch.attention import attention, causal_mask
from tutorial_lib.layers.positions import sinusoidal
from tutorial_lib.layers.transformer import select_rows
from tutorial_lib.models.formulation.transformer import Transformer, WordEmbedding

# What may be seen


@pytest.mark.parametrize("b, m, n", [(1, 1, 1), (2, 5, 3), (3, 2, 6)])
@BOTH
def test_a_score_for_every_word_at_every_place(norm_first, b, m, n):
    model = make(norm_first)
    logits = model(torch.randint(7, (b, m)), torch.randint(WORDS, (b, n)))
    assert logits.shape == (b, n, WORDS) and logits.isfinite().all()


@BOTH
def test_no_gradient_comes_from_the_future(norm_first):
    model, embedded = make(norm_first), []
    model.embed_target.register_forward_hook(lambda module, words, y: embedded.append(y))
    logits = model(torch.randint(7, (2, 4)), torch.randint(WORDS, (2, 5)))  # (2, 5, WORDS)
    for i in range(5):
        weight = torch.randn(2, WORDS)
        (gradient,) = torch.autograd.grad(
            (weight * logits[:, i]).sum(), embedded[0], retain_graph=True
        )
        assert (gradient[:, i + 1 :] == 0).all()
        assert (gradient[:, : i + 1].abs().sum(-1) > 1e-9).all()


@BOTH
def test_padding_of_the_source_does_not_matter(norm_first):
    model = make(norm_first)
    source, target = torch.randint(7, (2, 5)), torch.randint(WORDS, (2, 3))
    logits = model(source, target, lengths_mask([5, 2], 5))
    source[1, 2:] = (source[1, 2:] + 1) % 7
    torch.testing.assert_close(model(source, target, lengths_mask([5, 2], 5)), logits)
    torch.testing.assert_close(model(source[1:, :2], target[1:]), logits[1:])
    assert not torch.allclose(model(source, target)[1], logits[1])


@BOTH
def test_without_positions_the_encoder_does_not_know_the_order(norm_first):
    order = torch.tensor([2, 0, 3, 1])
    model = make(norm_first, embed_source=nn.Linear(3, 8))  # patches without their places
    source, target = torch.randn(2, 4, 3).double(), torch.randint(WORDS, (2, 3))
    memory = model.encode(source)
    torch.testing.assert_close(model.encode(source[:, order]), memory[:, order])
    torch.testing.assert_close(model.decode(target, memory[:, order]), model.decode(target, memory))
    model = make(norm_first)  # words with their places
    source = torch.tensor([[3, 1, 4, 6]])
    difference = model.encode(source[:, order]) - model.encode(source)[:, order]
    assert difference.abs().max() > 0.01


def test_a_word_embedding_is_as_large_as_a_position_and_knows_its_place():
    torch.manual_seed(0)
    embed = WordEmbedding(1000, 64)
    words = embed(torch.arange(1000)[:, None]) - sinusoidal(1, 64)  # each at place 0
    torch.testing.assert_close(words[:, 0], 64**0.5 * embed.table.weight)
    assert words.square().mean().item() == pytest.approx(1, rel=0.02)  # a sinusoid's is 1/2
    text = torch.randint(1000, (2, 7))
    torch.testing.assert_close(embed(text[:, 3:], first=3), embed(text)[:, 3:])


# The cache, and how large it is


@pytest.mark.parametrize("lengths", [None, (5, 2, 1)])
@BOTH
def test_step_by_step_with_a_cache_equals_all_at_once(norm_first, lengths):
    model = make(norm_first)
    mask = None if lengths is None else lengths_mask(lengths, 5)
    memory, target = model.encode(torch.randint(7, (3, 5)), mask), torch.randint(WORDS, (3, 6))
    expected, caches = model.decode(target, memory, mask), model.start(memory)
    for i in range(6):
        logits = model.step(target[:, i], i, caches, mask)
        torch.testing.assert_close(logits, expected[:, i])
    assert caches[0]["past"][0].shape == (3, 2, 6, 4)  # (B, heads, N, d)


def test_a_cache_in_float32_rounds_no_worse():
    model = make().float()
    memory, target = model.encode(torch.randint(7, (2, 5))), torch.randint(WORDS, (2, 9))
    caches = model.start(memory)
    steps = torch.stack([model.step(target[:, i], i, caches) for i in range(9)], dim=1)
    torch.testing.assert_close(steps, model.decode(target, memory), atol=1e-5, rtol=1e-5)


def test_selected_rows_go_on_as_what_they_were_copied_from():
    model = make()
    memory, target = model.encode(torch.randint(7, (3, 4))), torch.randint(WORDS, (3, 3))
    rows = torch.tensor([2, 0, 2, 2])
    caches = model.start(memory)
    for i in range(2):
        model.step(target[:, i], i, caches)
    caches = [select_rows(cache, rows) for cache in caches]
    logits = model.step(target[rows, 2], 2, caches)
    torch.testing.assert_close(logits, model.decode(target, memory)[rows, 2])


def test_rows_are_selected_before_the_first_step_too():
    model = make()
    memory, target = model.encode(torch.randint(7, (3, 4))), torch.randint(WORDS, (3, 1))
    rows = torch.tensor([1, 1, 2, 0])
    caches = [select_rows(cache, rows) for cache in model.start(memory)]
    logits = model.step(target[rows, 0], 0, caches)
    torch.testing.assert_close(logits, model.decode(target, memory)[rows, 0])


def test_attention_with_a_cache_gives_the_rows_of_causal_attention():
    rng = np.random.default_rng(0)
    X, W_Q, W_K = rng.normal(size=(2, 5, 4)), rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    W_V = rng.normal(size=(4, 6))
    Z, _ = attention(X @ W_Q, X @ W_K, X @ W_V, causal_mask(5))
    K, V = np.zeros((2, 0, 3)), np.zeros((2, 0, 6))
    for i in range(5):
        z, K, V = attend_with_cache.reference(X[:, i : i + 1], K, V, W_Q, W_K, W_V)
        np.testing.assert_allclose(z, Z[:, i : i + 1], atol=1e-12)


@pytest.mark.parametrize("dim, hidden, depth, n, m", [(8, 12, 2, 3, 5), (6, 7, 1, 1, 1)])
@BOTH
def test_predicted_sizes_are_the_real_ones(norm_first, dim, hidden, depth, n, m):
    model = Transformer(nn.Identity(), WORDS, dim, 2, hidden, depth, norm_first=norm_first)
    predicted = transformer_cost.reference(dim, hidden, depth, n, m, size=4)
    for side in ("encoder", "decoder"):
        layer = getattr(model, side)[0]
        assert sum(p.numel() for p in layer.parameters()) == predicted[f"{side}_layer"]
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model.encoder[0](torch.randn(1, m, dim))
    assert counter.get_total_flops() == predicted["flops"]
    caches = model.start(torch.randn(1, m, dim))
    for i in range(n):
        model.step(torch.tensor([BEGIN]), i, caches)
    kept = [x for cache in caches for pair in cache.values() for x in pair]
    assert sum(x.numel() * x.element_size() for x in kept) == predicted["cache"]


def test_bad_sizes_are_named():
    with pytest.raises(ValueError, match="10 features do not divide among 4 heads"):
        Transformer(WordEmbedding(7, 10), WORDS, 10, 4, 12, depth=1)
    with pytest.raises(ValueError, match="a text of 4 words is longer than 3"):
        WordEmbedding(7, 10, longest=3)(torch.zeros(1, 4, dtype=torch.long))


def test_a_step_out_of_turn_is_refused():
    model = make()
    caches = model.start(model.encode(torch.randint(7, (2, 4))))
    word = torch.zeros(2, dtype=torch.long)
    model.step(word, 0, caches)
    for words, place in [(word, 0), (word, 2), (torch.zeros(2, 2, dtype=torch.long), 1)]:
        with pytest.raises(ValueError, match="at place 1, since the caches hold 1"):
            model.step(words, place, caches)


def test_a_place_before_the_first_is_refused():
    with pytest.raises(ValueError, match="the first word is at place -1"):
        WordEmbedding(7, 8)(torch.zeros(2, 1, dtype=torch.long), first=-1)
