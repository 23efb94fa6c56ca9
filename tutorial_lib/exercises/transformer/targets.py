"""What a decoder is trained on."""

import numpy as np

from tutorial_lib.checking import Exercise


def shifted_targets(words, begin, padding):
    """What a decoder reads and what it has to write, for a batch of texts.

    words int (B, N), a text in each row, filled up with the id `padding`; begin, padding int
    ->  inputs   int (B, N)   what stands at each place before the layers: the word written last,
                              and `begin` at the first place, as when the model writes by itself
        targets  int (B, N)   the word to be written at each place
        counts   bool (B, N)  True where the loss counts: where the target is a word of the text

    With this version the loss falls to zero within a few steps, causal mask and all, and then the
    model writes the same word for ever. Find the one wrong line.
    """
    first = np.full_like(words[:, :1], begin)  # (B, 1)
    longer = np.concatenate([first, words], axis=1)  # (B, N + 1)
    inputs = longer[:, :-1]
    targets = words
    return inputs, targets, targets != padding


def unshifted_targets(words, begin, padding):
    """What a decoder reads and what it has to write, for a batch of texts.

    words int (B, N), a text in each row, filled up with the id `padding`; begin, padding int
    ->  inputs   int (B, N)   what stands at each place before the layers: the word written last,
                              and `begin` at the first place, as when the model writes by itself
        targets  int (B, N)   the word to be written at each place
        counts   bool (B, N)  True where the loss counts: where the target is a word of the text

    With this version the loss falls to zero within a few steps, causal mask and all, and then the
    model writes the same word for ever. Find the one wrong line.
    """
    first = np.full_like(words[:, :1], begin)  # (B, 1)
    longer = np.concatenate([first, words], axis=1)  # (B, N + 1)
    inputs = longer[:, 1:]
    targets = words
    return inputs, targets, targets != padding


def texts(rng):
    """Words 3 to 9, ended by 1 and filled up with the padding, which need not be 0."""
    for lengths, begin, padding in [
        ((2,), 2, 0),
        ((1,), 2, 0),
        ((3, 1), 2, 10),
        ((4, 4), 0, 2),
        ((5, 2, 3), 2, 0),
        ((1, 3, 4), 10, 2),
    ]:
        words = np.full((len(lengths), max(lengths)), padding)
        for row, length in zip(words, lengths):
            row[: length - 1] = rng.permutation(np.arange(3, 10))[: length - 1]
            row[length - 1] = 1
        yield dict(words=words, begin=begin, padding=padding)
    # 0 is a word here, as in texts that are numbered from there.
    yield dict(words=np.array([[7, 0, 8, 1]], dtype=np.int32), begin=9, padding=-1)


shifted_targets = Exercise(
    shifted_targets,
    start=unshifted_targets,
    level=2,
    minutes=5,
    cases=texts,
    hints=(
        "Print inputs and targets for one text, one above the other. Which task is so easy that "
        "its loss is zero?",
        "At place i the model reads `inputs` 0 … i and has to write target i. Which of its inputs "
        "may therefore not be there?",
        "Of the longer rows one word is too many, at one end or at the other. Where is `begin`?",
    ),
)


def _after_begin(words, begin):
    return np.concatenate([np.full_like(words[:, :1], begin), words[:, :-1]], axis=1)


@shifted_targets.mistake(
    """The inputs run ahead of the targets: at each place the model now reads the word that comes
    after the one it has to write. A causal mask hides later places; what does it do about later
    words at this place?"""
)
def shifted_the_other_way(words, begin, padding):
    inputs = np.concatenate([words[:, 1:], np.full_like(words[:, :1], begin)], axis=1)
    return inputs, words, words != padding


@shifted_targets.mistake(
    """You shift the targets and leave the inputs: each place has to write the word after its own.
    That shift is right for all words but the first, which now nobody learns to write. What does
    the model read when it has written nothing yet?"""
)
def targets_one_ahead(words, begin, padding):
    targets = np.concatenate([words[:, 1:], np.full_like(words[:, :1], padding)], axis=1)
    return words, targets, targets != padding


@shifted_targets.mistake(
    """One place too few, and `begin` nowhere: the usual slices, all but the last and all but the
    first, are for rows that already start with `begin`. With which word do the rows here start,
    and at which place is it learned?"""
)
def slices_of_words(words, begin, padding):
    return words[:, :-1], words[:, 1:], words[:, 1:] != padding


@shifted_targets.mistake(
    """Shifted by two: at place i the model does not see the word written last, only the one before
    it. How many words should be dropped for one `begin`?"""
)
def shifted_by_two(words, begin, padding):
    inputs = _after_begin(_after_begin(words, begin), begin)
    return inputs, words, words != padding


@shifted_targets.mistake(
    """Your inputs have one place more than the targets. Nothing is left to be written after the
    last word: need the model read it?"""
)
def keeps_the_last_word(words, begin, padding):
    inputs = np.concatenate([np.full_like(words[:, :1], begin), words], axis=1)
    return inputs, words, words != padding


@shifted_targets.mistake(
    """Your rows are rolled round: their first input is their last word, often padding, instead of
    `begin`. In training the model learns to start from that; which word is it given when it
    writes by itself?"""
)
def rolled_round(words, begin, padding):
    return np.roll(words, 1, axis=1), words, words != padding


@shifted_targets.mistake(
    """You overwrite the first word with `begin` and shift nothing: from the second place on the
    model still reads what it has to write."""
)
def first_word_overwritten(words, begin, padding):
    inputs = words.copy()
    inputs[:, 0] = begin
    return inputs, words, words != padding


@shifted_targets.mistake(
    """The loss counts where the *input* is a word. One place after the end of a text then counts
    too: the model spends effort on learning to write padding. Of which array should the padding
    not count?"""
)
def counts_by_the_inputs(words, begin, padding):
    inputs = _after_begin(words, begin)
    return inputs, words, inputs != padding


@shifted_targets.mistake(
    """You compare with 0, whatever the padding is: where texts are filled up with another id it
    counts as a word, and where 0 is a word it does not count. Which argument tells?"""
)
def compares_with_zero(words, begin, padding):
    return _after_begin(words, begin), words, words != 0


@shifted_targets.mistake(
    """The loss counts at every place, padding included: in a batch of short texts and a
    long one the model is mostly taught to write padding. At which places is there a word to
    learn?"""
)
def counts_everything(words, begin, padding):
    return _after_begin(words, begin), words, np.ones(words.shape, dtype=bool)
