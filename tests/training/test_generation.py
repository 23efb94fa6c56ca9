"""Writing with a decoder: greedily, with a beam; against brute force over all texts."""

from functools import partial
from itertools import product

import pytest
import torch
from transformer_helpers import BEGIN, BOTH, END, lengths_mask, make

from tutorial_lib.training.generation import beam_search, beam_step, greedy, likely_words, sample


def greedy_without_cache(model, memory, length, memory_mask=None):
    """The definition: the whole text again for each new word. Ends are left to the caller."""
    text = torch.full((len(memory), 1), BEGIN)
    for _ in range(length):
        new = model.decode(text, memory, memory_mask)[:, -1].argmax(-1)
        text = torch.cat([text, new[:, None]], dim=1)
    return text[:, 1:]


def log_probability(model, memory, words):
    """Of words (N,) after `begin`, by one pass over all of them."""
    text = torch.cat([torch.tensor([BEGIN]), words])
    log_p = model.decode(text[None, :-1], memory)[0].log_softmax(-1)  # (N, vocabulary)
    return log_p.gather(-1, words[:, None]).sum().item()


# Greedy


@pytest.mark.parametrize("lengths", [None, (5, 2, 1)])
@BOTH
def test_greedy_equals_the_definition_without_a_cache(norm_first, lengths):
    mask = None if lengths is None else lengths_mask(lengths, 5)
    seen = set()
    for seed in range(24):
        model = make(norm_first, seed)
        memory = model.encode(torch.randint(7, (3, 5)), mask)
        written = greedy(model, memory, BEGIN, END, 6, mask)
        expected = greedy_without_cache(model, memory, 6, mask)
        for ours, row in zip(written, expected):
            n = min((row.tolist() + [END]).index(END) + 1, 6)  # up to the end
            seen.add(tuple(row[:n].tolist()))
            assert ours.tolist() == (row[:n].tolist() + [END] * 6)[: len(ours)]
        alone = greedy(model, memory[:1], BEGIN, END, 6, None if mask is None else mask[:1])
        torch.testing.assert_close(alone[0], written[0, : alone.shape[1]])
    ends = {len(text) for text in seen if text[-1] == END}
    assert len(seen) > 6 and len(ends) > 1  # many texts, with ends in several places


# Sampling


def test_likely_words_by_hand():
    logits = torch.tensor([[0.1, 0.4, 0.2, 0.3]], dtype=torch.float64).log()
    for (temperature, k, mass), expected in [
        ((1.0, 4, 1.0), [0.1, 0.4, 0.2, 0.3]),
        ((0.5, 4, 1.0), [1 / 30, 16 / 30, 4 / 30, 9 / 30]),  # squares, and their sum is one again
        ((1.0, 2, 1.0), [0, 4 / 7, 0, 3 / 7]),
        ((1.0, 4, 0.5), [0, 4 / 7, 0, 3 / 7]),  # the second one carries the sum past a half
        ((1.0, 4, 0.39), [0, 1, 0, 0]),  # the first one has more
        ((1.0, 2, 0.5), [0, 1, 0, 0]),  # of what top-k leaves the first has over a half
    ]:
        found = likely_words(logits, temperature, k, mass)
        torch.testing.assert_close(found, torch.tensor([expected], dtype=torch.float64))


def test_drawing_the_likeliest_word_is_greedy_and_words_come_as_often_as_they_are_likely():
    model = make(True, 3)
    memory = model.encode(torch.randint(7, (3, 5)))
    only = partial(likely_words, temperature=1.0, k=1, mass=1.0)
    written = sample(model, memory, BEGIN, END, 6, only, torch.Generator().manual_seed(0))
    assert torch.equal(written, greedy(model, memory, BEGIN, END, 6))

    many, softer = memory[:1].expand(4000, -1, -1), partial(likely_words, k=4, mass=1.0)
    softer = partial(softer, temperature=2.0)
    words = sample(model, many, BEGIN, END, 1, softer, torch.Generator().manual_seed(0))[:, 0]
    logits = model.decode(torch.tensor([[BEGIN]]), memory[:1])[:, 0]
    expected = softer(logits)[0]
    found = torch.bincount(words, minlength=len(expected)) / 4000
    assert (found - expected).abs().max() < 0.04 and (found[expected == 0] == 0).all()


# Beam search


@pytest.mark.parametrize("seed", range(6))
@BOTH
def test_a_beam_of_one_is_greedy(norm_first, seed):
    model = make(norm_first, seed)
    memory = model.encode(torch.randint(7, (1, 4)))
    words, scores = beam_search(model, memory, BEGIN, END, 5, width=1)
    torch.testing.assert_close(words, greedy(model, memory, BEGIN, END, 5))
    n = (words[0].tolist() + [END]).index(END) + 1
    assert scores.item() == pytest.approx(log_probability(model, memory, words[0, :n]))


@pytest.mark.parametrize("longest", [1, 2, 3])
@BOTH
def test_a_beam_as_wide_as_everything_finds_everything(norm_first, longest):
    model = make(norm_first, vocabulary=3)
    mask = lengths_mask([2], 4)
    memory = model.encode(torch.randint(7, (1, 4)), mask)[:, :2]  # what the mask leaves
    padded = torch.cat([memory, torch.randn(1, 2, 8).double()], dim=1)
    texts = set()
    for text in product(range(3), repeat=longest):
        texts.add(text[: text.index(END) + 1] if END in text else text)
    expected = {text: log_probability(model, memory, torch.tensor(text)) for text in texts}
    assert sum(torch.tensor(list(expected.values())).exp()) == pytest.approx(1)

    words, scores = beam_search(model, padded, BEGIN, END, longest, 3**longest, mask)
    found = {}
    for row, score in zip(words.tolist(), scores.tolist()):
        found[tuple(row[: row.index(END) + 1] if END in row else row)] = score
    assert found.keys() == expected.keys()
    assert found == pytest.approx(expected)
    assert scores.tolist() == sorted(scores.tolist(), reverse=True)


def test_a_beam_is_better_than_greedy_on_the_whole():
    gains = []
    for seed in range(12):
        model = make(seed=seed)
        memory = model.encode(torch.randint(7, (1, 4)))
        best = [beam_search(model, memory, BEGIN, END, 6, width)[1][0] for width in (1, 4)]
        gains.append((best[1] - best[0]).item())
    assert sum(gains) > 0.5 and sum(gain > 1e-9 for gain in gains) >= 3


class Table:
    """A model that is a table: the probabilities of the next word after each text."""

    def __init__(self, table):
        self.table = table

    def start(self, memory):
        return [{"past": (torch.zeros(len(memory), 0, dtype=torch.long),)}]

    def step(self, words, position, caches, memory_mask):
        past = torch.cat([caches[0]["past"][0], words[:, None]], dim=1)  # (K, position + 1)
        caches[0]["past"] = (past,)
        return torch.tensor([self.table[tuple(row[1:])] for row in past.tolist()]).log()


def test_greedy_can_miss_the_best_and_a_wider_beam_can_be_worse():
    a, b = 1, 2
    certain, flat = [1.0, 0.0, 0.0], [0.34, 0.33, 0.33]
    detour = Table({(): [0.0, 0.6, 0.4], (a,): flat, (b,): certain})
    assert beam_search(detour, torch.zeros(1, 1, 1), BEGIN, END, 2, width=1)[0].tolist() == [[a, 0]]
    words, scores = beam_search(detour, torch.zeros(1, 1, 1), BEGIN, END, 2, width=2)
    assert words.tolist() == [[b, 0], [a, 0]]
    assert scores.exp().tolist() == pytest.approx([0.4, 0.6 * 0.34])

    table = {(): [0.0, 0.51, 0.49], (a,): [0.32, 0.36, 0.32], (b,): [0.0, 0.51, 0.49]}
    table |= {(a, a): certain, (a, 0): certain, (a, b): flat, (b, a): flat, (b, b): flat}
    trap = Table(table)  # greedy's text a a falls out of the beam: b a and b b look better
    narrow, wide, everything = (
        beam_search(trap, torch.zeros(1, 1, 1), BEGIN, END, 3, width)[1][0].exp().item()
        for width in (1, 2, 9)
    )
    assert narrow == pytest.approx(0.51 * 0.36)
    assert wide == pytest.approx(0.49 * 0.51 * 0.34)
    assert everything == pytest.approx(narrow)


def test_a_beam_keeps_nothing_impossible():
    words, scores = beam_search(
        Table({(): [0.5, 0.5, 0.0], (0,): [1.0, 0.0, 0.0], (1,): [1.0, 0.0, 0.0]}),
        torch.zeros(1, 1, 1),
        BEGIN,
        END,
        max_length=2,
        width=9,
    )
    assert sorted(words.tolist()) == [[0, 0], [1, 0]]
    assert scores.exp().tolist() == pytest.approx([0.5, 0.5])


def test_one_step_of_a_beam_by_hand():
    log_p = torch.tensor([[0.5, 0.3, 0.2], [0.9, 0.05, 0.05]]).log()
    scores, parents, words = beam_step(
        torch.tensor([0.6, 0.4]).log(), log_p, torch.tensor([False, True]), END, width=3
    )
    torch.testing.assert_close(scores.exp(), torch.tensor([0.4, 0.3, 0.18]))
    assert parents.tolist() == [1, 0, 0] and words.tolist() == [0, 0, 1]


def test_wrong_arguments_are_named():
    model = make()
    memory = model.encode(torch.randint(7, (2, 4)))
    with pytest.raises(ValueError, match="max_length should be 1 or more, it is 0"):
        greedy(model, memory, BEGIN, END, 0)
    with pytest.raises(ValueError, match="width should be 1 or more, it is -1"):
        beam_search(model, memory[:1], BEGIN, END, 3, -1)
    with pytest.raises(ValueError, match="one source, the memory holds 2"):
        beam_search(model, memory, BEGIN, END, 3, 2)


def test_scores_that_are_no_numbers_are_not_written_as_words():
    model = make()
    memory = torch.full((1, 4, 8), torch.nan).double()
    with pytest.raises(ValueError, match="scores of the words at position 0 hold NaN"):
        greedy(model, memory, BEGIN, END, 3)
    with pytest.raises(ValueError, match="scores of the words at position 0 hold NaN"):
        beam_search(model, memory, BEGIN, END, 3, 2)


@pytest.mark.parametrize("end", [-1, 99])
def test_an_end_that_cannot_be_written_is_refused(end):
    model, memory = make(), torch.zeros(1, 4, 8).double()
    for write in (greedy, partial(beam_search, width=2)):
        with pytest.raises(ValueError, match=f"end is {end}, expected a word of the model, 0 to "):
            write(model, memory, BEGIN, end, 3)
