"""The encoder-decoder that reads numbers, as a module."""

import torch
from torch import nn

from tutorial_lib.checking.modules import ModuleExercise
from tutorial_lib.layers.transformer import DecoderLayer, EncoderLayer
from tutorial_lib.models.formulation.transformer import WordEmbedding
from tutorial_lib.recipes.transformer.read_numbers import StripEmbedding


class NumberReader(nn.Module):
    """Image to digits: an encoder of strips, a decoder of words.

    words                    how many different words there are
    dim, heads, hidden       of every layer
    depth                    layers of the encoder, and of the decoder

    Its parts are named embed_source (`StripEmbedding(dim)`, images to tokens, places included),
    embed_target (`WordEmbedding(words, dim)`, words to tokens, places included), encoder and
    decoder (lists of `EncoderLayer(dim, heads, hidden)` and `DecoderLayer(dim, heads, hidden)`),
    encoder_norm and decoder_norm (a LayerNorm behind each list), and to_logits (a linear map).
    """

    def __init__(self, words: int, dim: int, heads: int, hidden: int, depth: int):
        """Make the parts. Will PyTorch see the layers of a plain list?"""
        super().__init__()
        self.embed_source, self.embed_target = StripEmbedding(dim), WordEmbedding(words, dim)
        self.encoder = nn.ModuleList(EncoderLayer(dim, heads, hidden) for _ in range(depth))
        self.decoder = nn.ModuleList(DecoderLayer(dim, heads, hidden) for _ in range(depth))
        self.encoder_norm, self.decoder_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.to_logits = nn.Linear(dim, words)

    def encode(self, canvas):
        """canvas (B, H, W)  ->  memory (B, M, dim), normed"""
        x = self.embed_source(canvas)
        for layer in self.encoder:
            x = layer(x)
        return self.encoder_norm(x)

    def decode(self, target, memory):
        """target int (B, N), what is written so far, memory (B, M, dim)
        ->  logits (B, N, words): at each place the scores of the word that comes next"""
        y = self.embed_target(target)
        for layer in self.decoder:
            y = layer(y, memory)
        return self.to_logits(self.decoder_norm(y))

    def forward(self, canvas, target):
        """canvas (B, H, W), target int (B, N)  ->  logits (B, N, words)"""
        return self.decode(target, self.encode(canvas))


def sizes_and_images(rng):
    for B, N, words, dim, heads, hidden, depth in [
        (1, 2, 3, 4, 1, 3, 1),
        (2, 3, 5, 4, 2, 6, 2),
        (3, 1, 4, 6, 3, 5, 1),
        (2, 4, 6, 6, 2, 7, 2),
    ]:
        arguments = dict(words=words, dim=dim, heads=heads, hidden=hidden, depth=depth)
        canvas = torch.from_numpy(rng.random(size=(B, 10, 48)))
        target = torch.from_numpy(rng.integers(words, size=(B, N)))
        yield dict(arguments=arguments, canvas=canvas, target=target)


NumberReader = ModuleExercise(
    NumberReader,
    level=3,
    minutes=15,
    cases=sizes_and_images,
    hints=(
        "Follow the schematic: each frame, and each box with weights outside of them, is a line of "
        "`__init__`; the upper row is `encode`, the lower one `decode`.",
        "The norm behind a list is applied once, after its last layer. Every decoder layer reads "
        "the same memory, the one that left the encoder's norm.",
        "`encode`: embed, all layers one after the other, norm. `decode`: embed, all layers with "
        "the memory, norm, `to_logits`. `forward` calls the first, and hands its result to the "
        "second.",
    ),
)
_Reference = NumberReader.reference


@NumberReader.mistake(
    """The encoder's norm is never used: what Pre-LN layers add up has not passed one yet, and the
    deeper the stack the larger it is. Where does the memory get its size from?"""
)
class MemoryNotNormed(_Reference):
    def encode(self, canvas):
        x = self.embed_source(canvas)
        for layer in self.encoder:
            x = layer(x)
        return x


@NumberReader.mistake(
    """The decoder's norm is never used: the scores then grow with the number of layers. What stands
    between the last layer and `to_logits`?"""
)
class WordsNotNormed(_Reference):
    def decode(self, target, memory):
        y = self.embed_target(target)
        for layer in self.decoder:
            y = layer(y, memory)
        return self.to_logits(y)


@NumberReader.mistake(
    """The norm stands inside the loop: the residual stream is thrown back to size one after every
    layer. How often is the norm behind a list applied?"""
)
class NormAfterEveryLayer(_Reference):
    def encode(self, canvas):
        x = self.embed_source(canvas)
        for layer in self.encoder:
            x = self.encoder_norm(layer(x))
        return x

    def decode(self, target, memory):
        y = self.embed_target(target)
        for layer in self.decoder:
            y = self.decoder_norm(layer(y, memory))
        return self.to_logits(y)


@NumberReader.mistake(
    """The two norms are exchanged. Both begin as ones and zeros, so that nobody notices at first;
    which one belongs behind which list?"""
)
class NormsExchanged(_Reference):
    def encode(self, canvas):
        x = self.embed_source(canvas)
        for layer in self.encoder:
            x = layer(x)
        return self.decoder_norm(x)

    def decode(self, target, memory):
        y = self.embed_target(target)
        for layer in self.decoder:
            y = layer(y, memory)
        return self.to_logits(self.encoder_norm(y))


@NumberReader.mistake(
    """The decoder reads the strips as they were embedded: the encoder has worked for nothing. What
    is handed to `decode`?"""
)
class ReadsTheStrips(_Reference):
    def forward(self, canvas, target):
        return self.decode(target, self.embed_source(canvas))


@NumberReader.mistake(
    """Each layer reads the embedding once more instead of what the layer before has left, so only
    the last layer counts. Which name does the loop hand on?"""
)
class OnlyTheLastLayer(_Reference):
    def encode(self, canvas):
        x = self.embed_source(canvas)
        for layer in self.encoder:
            y = layer(x)
        return self.encoder_norm(y)

    def decode(self, target, memory):
        x = self.embed_target(target)
        for layer in self.decoder:
            y = layer(x, memory)
        return self.to_logits(self.decoder_norm(y))


@NumberReader.mistake(
    """You give probabilities. The cross-entropy takes the softmax itself and expects scores: with a
    second softmax it can hardly fall. What does the task ask for?"""
)
class GivesProbabilities(_Reference):
    def decode(self, target, memory):
        return super().decode(target, memory).softmax(dim=-1)


@NumberReader.mistake(
    """Only one place is read, the last. In training every place predicts its next word at once:
    which shape does the task ask for?"""
)
class OnlyTheLastPlace(_Reference):
    def decode(self, target, memory):
        return super().decode(target, memory)[:, -1]


@NumberReader.mistake(
    """Nothing is learned through the encoder: its tokens were cut off from the graph, by `detach`
    or `no_grad`. Who is to tell it what the decoder needs?"""
)
class EncoderCutOff(_Reference):
    def forward(self, canvas, target):
        return self.decode(target, self.encode(canvas).detach())


@NumberReader.mistake(
    """The memory is a single token, the mean of all strips: the decoder cannot look at one place
    more than at another. What does cross-attention choose among?"""
)
class MeanOfTheMemory(_Reference):
    def encode(self, canvas):
        return super().encode(canvas).mean(dim=1, keepdim=True)


@NumberReader.mistake(
    """The decoder's norm stands inside the loop: the residual stream is thrown back to size one
    after every layer. How often is the norm behind a list applied?"""
)
class DecoderNormAfterEveryLayer(_Reference):
    def decode(self, target, memory):
        return NormAfterEveryLayer.decode(self, target, memory)


@NumberReader.mistake(
    """The encoder's norm stands inside the loop: the residual stream is thrown back to size one
    after every layer. How often is the norm behind a list applied?"""
)
class EncoderNormAfterEveryLayer(_Reference):
    def encode(self, canvas):
        return NormAfterEveryLayer.encode(self, canvas)


@NumberReader.mistake(
    """The memory is normed twice: `encode` gives it normed already. What is left for whoever calls
    it?"""
)
class NormsTheMemoryTwice(_Reference):
    def forward(self, canvas, target):
        return self.decode(target, self.encoder_norm(self.encode(canvas)))


@NumberReader.mistake(
    """Each decoder layer reads what the encoder's layer of the same number has left. The task has
    one memory for all of them: which tokens are those?"""
)
class LayerByLayer(_Reference):
    def forward(self, canvas, target):
        x, y = self.embed_source(canvas), self.embed_target(target)
        for reading, writing in zip(self.encoder, self.decoder):
            x = reading(x)
            y = writing(y, self.encoder_norm(x))
        return self.to_logits(self.decoder_norm(y))


@NumberReader.mistake(
    """The last word is cut off before it is read. Shifting is the business of who trains the model:
    how many places does the task ask for?"""
)
class CutsTheLastWord(_Reference):
    def forward(self, canvas, target):
        return self.decode(target[:, :-1], self.encode(canvas))
