"""Write with a decoder, word after word: greedily, by lot, or with a beam. Taught in chapter 03.

A model here is anything with `start(memory)` and `step(words, position, caches, memory_mask)`, as
`models.formulation.transformer.Transformer` has them. Words are ids. What is written does not hold
the word `begin` that sets the decoder going, and ends with the word `end`, if there was room.
"""

import torch

from tutorial_lib.layers.transformer import select_rows


@torch.no_grad()
def greedy(model, memory, begin: int, end: int, max_length: int, memory_mask=None):
    """Write the most likely next word, again and again, for each source of a batch.

    memory (B, M, dim), memory_mask bool (B, 1, M) or None
    ->  words int (B, N), N ≤ max_length; after `end` a row holds nothing but `end`
    """
    _check(max_length=max_length)
    words = torch.full((len(memory),), begin, device=memory.device)
    finished = torch.zeros_like(words, dtype=torch.bool)
    caches, written = model.start(memory), []
    for position in range(max_length):
        logits = model.step(words, position, caches, memory_mask)  # (B, vocabulary)
        _check_scores(logits, position, end)
        words = logits.argmax(-1).masked_fill(finished, end)  # (B,)
        finished = words == end
        written.append(words)
        if finished.all():
            break
    return torch.stack(written, dim=1)


def likely_words(logits, temperature, k, mass):
    """Probabilities from which the next word is drawn: sharpened, then cut to the likely ones.

    logits       (B, V) scores of the next word
    temperature  above 0: scores are divided by it before the softmax
    k            at most so many words stay, the most likely ones (top-k; Fan et al., 1805.04833)
    mass         of these, made to sum to one again, the most likely stay until their sum reaches
                 `mass`, 0 < mass ≤ 1 (top-p; Holtzman et al., 1904.09751): a word stays if those
                 before it sum to less. So one always stays
    ->  (B, V), rows sum to one; 0 for a word that is cut off. Among equals the first stays
    """
    p = (logits / temperature).softmax(-1)  # (B, V)
    p, order = p.sort(dim=-1, descending=True, stable=True)
    p[:, k:] = 0
    p = p / p.sum(-1, keepdim=True)
    before = p.cumsum(-1) - p  # the sum of those that are more likely
    p = p.masked_fill(before >= mass, 0)
    p = p / p.sum(-1, keepdim=True)
    return torch.zeros_like(p).scatter(-1, order, p)


@torch.no_grad()
def sample(model, memory, begin: int, end: int, max_length: int, likely, generator):
    """Draw each next word from `likely(logits (B, V))`, probabilities (B, V); the rest as `greedy`,
    without a mask of the memory."""
    _check(max_length=max_length)
    words = torch.full((len(memory),), begin, device=memory.device)
    finished = torch.zeros_like(words, dtype=torch.bool)
    caches, written = model.start(memory), []
    for position in range(max_length):
        logits = model.step(words, position, caches)  # (B, vocabulary)
        _check_scores(logits, position, end)
        words = torch.multinomial(likely(logits), 1, generator=generator)[:, 0]
        words = words.masked_fill(finished, end)  # (B,)
        finished = words == end
        written.append(words)
        if finished.all():
            break
    return torch.stack(written, dim=1)


def beam_step(scores, log_p, finished, end, width):
    """One step of beam search: of all ways to go on, keep the most likely ones.

    All arrays are PyTorch tensors, and are not to be changed in place.

    scores    (K,) log-probability of each hypothesis so far
    log_p     (K, V) log-probability of each word as its next
    finished  (K,) bool, True for a hypothesis that has written the word `end`: it stays as it is,
              with its score, and goes on in one way only, with another `end`
    width     how many to keep; fewer where fewer are possible (log-probability above −∞)
    ->  scores (W,), parents (W,) the hypotheses that they continue, words (W,) their new words;
        best first
    """
    stay = torch.full_like(log_p, -torch.inf)
    stay[:, end] = 0.0  # the logarithm of one
    log_p = torch.where(finished[:, None], stay, log_p)
    totals = (scores[:, None] + log_p).flatten()  # (K · V,)
    possible = int((totals > -torch.inf).sum())
    scores, best = totals.topk(min(width, possible))
    vocabulary = log_p.shape[1]
    return scores, best // vocabulary, best % vocabulary


@torch.no_grad()
def beam_search(model, memory, begin: int, end: int, max_length: int, width: int, memory_mask=None):
    """Keep the `width` most likely beginnings at every step, finished or not.

    memory (1, M, dim), a single source, memory_mask bool (1, 1, M) or None
    ->  words int (W, N), scores (W,): what was kept at last, best first, W ≤ width, N ≤ max_length,
        with the sum of the log-probabilities of its words; after `end` a row holds only `end`

    A width of one is `greedy`. A larger one looks at more but promises nothing: what greedy would
    have written may fall out of the beam halfway, and all that stays in may turn out worse.
    """
    _check(max_length=max_length, width=width)
    if len(memory) != 1:
        raise ValueError(f"beam search takes one source, the memory holds {len(memory)}")
    words = torch.full((1, 1), begin, device=memory.device)  # (K, 1 + words so far), K = 1 at first
    scores = torch.zeros(1, device=memory.device)
    finished = torch.zeros(1, dtype=torch.bool, device=memory.device)
    caches = model.start(memory)
    for position in range(max_length):
        log_p = model.step(words[:, -1], position, caches, memory_mask).log_softmax(-1)  # (K, V)
        _check_scores(log_p, position, end)
        scores, parents, new = beam_step(scores, log_p, finished, end, width)
        words = torch.cat([words[parents], new[:, None]], dim=1)
        finished = new == end
        if finished.all():
            break
        caches = [select_rows(cache, parents) for cache in caches]
    return words[:, 1:], scores


def _check_scores(scores, position, end):
    """NaN would be written as a word by `greedy`, and as no text at all by `beam_search`; a word
    `end` that the model cannot write would end no text."""
    if not 0 <= end < scores.shape[-1]:
        raise ValueError(f"end is {end}, expected a word of the model, 0 to {scores.shape[-1] - 1}")
    if scores.isnan().any():
        raise ValueError(
            f"the model's scores of the words at position {position} hold NaN: is there NaN in the "
            "memory, or in the weights?"
        )


def _check(**counts):
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{name} should be 1 or more, it is {count}")
