"""The Transformer: an encoder reads, a decoder writes. Taught in chapter 03.

Vaswani et al., Attention Is All You Need (NeurIPS 2017, 1706.03762). One thing differs unless
`norm_first` is False: LayerNorm stands inside the residual branches (Pre-LN), and once more at the
end of the encoder and of the decoder (Xiong et al., ICML 2020, 2002.04745). There is no dropout.
The output map is not the embedding's table again, as in section 3.4 of the paper: a token still
carries the word just read, so a shared table starts by repeating it, and with few words and a short
training the decoder does not get over that.
"""

import torch.nn.functional as F
from torch import nn

from tutorial_lib.layers.positions import sinusoidal
from tutorial_lib.layers.transformer import DecoderLayer, EncoderLayer


class WordEmbedding(nn.Module):
    """A word as a vector: √dim times its row of a learned table, plus the sinusoid of its place.

    Sections 3.4 and 3.5. The table starts with variance 1/dim, so that √dim times a row is about
    as large as a sinusoid. longest: how many words a text may have.
    """

    def __init__(self, vocabulary: int, dim: int, longest: int = 1024):
        super().__init__()
        self.table = nn.Embedding(vocabulary, dim)
        nn.init.normal_(self.table.weight, std=dim**-0.5)
        self.register_buffer("places", sinusoidal(longest, dim), persistent=False)

    def forward(self, words, first: int = 0):
        """words int (B, N), the first of them at place `first`  ->  (B, N, dim)"""
        end = first + words.shape[-1]
        if first < 0:
            raise ValueError(f"the first word is at place {first}, expected 0 or more")
        if end > len(self.places):
            raise ValueError(f"a text of {end} words is longer than {len(self.places)}")
        return self.table(words) * self.places.shape[-1] ** 0.5 + self.places[first:end]


class Transformer(nn.Module):
    """An encoder-decoder: p(word i | source, words before i) for every i at once.

    embed_source  module from a source (words, an image) to tokens (B, M, dim), positions included
    vocabulary    how many different words can be written
    dim, heads, hidden, norm_first, activation  of every layer, as in EncoderLayer
    depth         layers of the encoder, and of the decoder
    """

    def __init__(
        self,
        embed_source: nn.Module,
        vocabulary: int,
        dim: int,
        heads: int,
        hidden: int,
        depth: int,
        norm_first=True,
        activation=F.gelu,
    ):
        super().__init__()
        layer = (dim, heads, hidden, norm_first, activation)
        self.embed_source = embed_source
        self.embed_target = WordEmbedding(vocabulary, dim)
        self.encoder = nn.ModuleList(EncoderLayer(*layer) for _ in range(depth))
        self.decoder = nn.ModuleList(DecoderLayer(*layer) for _ in range(depth))
        # A Post-LN layer ends in a LayerNorm; what Pre-LN layers add up has not passed one yet.
        self.encoder_norm = nn.LayerNorm(dim) if norm_first else nn.Identity()
        self.decoder_norm = nn.LayerNorm(dim) if norm_first else nn.Identity()
        self.to_logits = nn.Linear(dim, vocabulary)

    def forward(self, source, target, source_mask=None):
        """For training, all places at once. source as embed_source takes it; target int (B, N),
        what the decoder reads: `begin`, then all words but the last; source_mask bool (B, 1, M),
        True for a real token  ->  logits (B, N, vocabulary)"""
        return self.decode(target, self.encode(source, source_mask), source_mask)

    def encode(self, source, source_mask=None):
        """source, source_mask as in `forward`  ->  memory (B, M, dim)"""
        x = self.embed_source(source)
        for layer in self.encoder:
            x = layer(x, source_mask)
        return self.encoder_norm(x)

    def decode(self, target, memory, memory_mask=None):
        """target int (B, N), memory (B, M, dim), memory_mask bool (B, 1, M)
        ->  logits (B, N, vocabulary); those of place i depend on target 0 … i alone"""
        y = self.embed_target(target)
        for layer in self.decoder:
            y = layer(y, memory, memory_mask)
        return self.to_logits(self.decoder_norm(y))

    def start(self, memory):
        """The caches for `step`, one a decoder layer: of the memory, and of no word yet."""
        return [layer.start(memory) for layer in self.decoder]

    def step(self, words, position: int, caches, memory_mask=None):
        """The words (B,) at one place alone  ->  logits (B, vocabulary) for the next, those that
        `decode` gives at this place. The caches grow by this place: call it for 0, 1, 2, …
        Raises ValueError for words of another shape and for a place that is not the next."""
        past = caches[0]["past"]
        expected = 0 if past is None else past[0].shape[-2]
        if words.ndim != 1 or position != expected:
            raise ValueError(
                f"words {tuple(words.shape)} at place {position}, expected words (B,), one for "
                f"each text, at place {expected}, since the caches hold {expected} words"
            )
        y = self.embed_target(words[:, None], first=position)  # (B, 1, dim)
        for layer, cache in zip(self.decoder, caches):
            y = layer.step(y, cache, memory_mask)
        return self.to_logits(self.decoder_norm(y))[:, 0]
