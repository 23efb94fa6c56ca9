"""DeiT as a module: what it has that a ViT has not."""

import torch
from torch import nn

from tutorial_lib.checking.modules import ModuleExercise
from tutorial_lib.exercises.vit.module import VisionTransformer as vit_exercise
from tutorial_lib.layers.positions import LearnedPositions

VisionTransformer = vit_exercise.reference


class DeiT(VisionTransformer):
    """A ViT with a second token that answers to a teacher, and a second head that reads it.

    The arguments are those of chapter 05's `VisionTransformer`, and so are its parts: embed,
    class_token (1, dim), encoder, norm, head. New are distillation_token (1, dim), which stands
    behind the class token, before the patches, and begins as that does, normal with standard
    deviation 0.02; distillation_head, a linear map; and positions, `LearnedPositions` for every
    token that there is now.

    In training mode there are two answers, in evaluation mode there is one.
    """

    def __init__(self, image_size, patch, channels, classes, dim, depth, heads, hidden):
        """Make what a ViT has, then what is new."""
        super().__init__(image_size, patch, channels, classes, dim, depth, heads, hidden)
        n = (image_size // patch) ** 2
        self.distillation_token = nn.Parameter(0.02 * torch.randn(1, dim))
        self.positions = LearnedPositions(2 + n, dim)
        self.distillation_head = nn.Linear(dim, classes)

    def forward(self, images):
        """images (B, channels, H, W)  ->  in training mode the logits of both heads, (B, classes)
        each, that of the class token first; in evaluation mode their mean, (B, classes)"""
        x = self.embed(images)  # (B, n, dim)
        two = torch.cat([self.class_token, self.distillation_token])  # (2, dim)
        x = torch.cat([two.expand(len(x), 2, -1), x], dim=1) + self.positions()  # (B, 2 + n, dim)
        for layer in self.encoder:
            x = layer(x)
        by_label, by_teacher = self.norm(x[:, :2]).unbind(1)  # (B, dim) each
        both = self.head(by_label), self.distillation_head(by_teacher)
        return both if self.training else (both[0] + both[1]) / 2


def sizes_and_images(rng):
    for B, side, patch, channels, classes, dim, depth, heads, hidden in [
        (1, 2, 1, 1, 2, 3, 1, 1, 4),
        (2, 4, 2, 1, 3, 4, 2, 2, 5),
        (3, 6, 2, 3, 4, 6, 2, 3, 8),
        (2, 5, 5, 2, 5, 4, 1, 1, 6),
    ]:
        arguments = dict(
            image_size=side, patch=patch, channels=channels, classes=classes, dim=dim,
            depth=depth, heads=heads, hidden=hidden,
        )  # fmt: skip
        images = torch.from_numpy(rng.normal(size=(B, channels, side, side)))
        yield dict(arguments=arguments, images=images)


DeiT = ModuleExercise(
    DeiT,
    level=3,
    minutes=20,
    cases=sizes_and_images,
    initial={"distillation_token": (0, 0.02), "positions.table": (0, 0.02)},
    hints=(
        "Three things are new, so three lines come behind `super().__init__(...)`. What in a ViT "
        "has as many rows as there are tokens?",
        "In `forward`, nothing between the tokens and the last norm changes: the encoder does not "
        "know that one of its tokens is new. `self.training` says in which mode a module is.",
        "`torch.cat([self.class_token, self.distillation_token]).expand(len(x), 2, -1)` in front "
        "of the patches; behind the layers `x = self.norm(x)`, then `self.head(x[:, 0])` and "
        "`self.distillation_head(x[:, 1])`; both, or half of their sum.",
    ),
)
_Reference = DeiT.reference


class _Parts(_Reference):
    """The reference in steps, for mistakes that change one of them."""

    def forward(self, images):
        x = self.tokens(self.embed(images))
        for layer in self.encoder:
            x = layer(x)
        return self.answer(*self.both(self.norm(x)))

    def tokens(self, x):
        two = torch.cat([self.class_token, self.distillation_token])
        return torch.cat([two.expand(len(x), 2, -1), x], dim=1) + self.positions()

    def both(self, x):
        return self.head(x[:, 0]), self.distillation_head(x[:, 1])

    def answer(self, by_label, by_teacher):
        return (by_label, by_teacher) if self.training else (by_label + by_teacher) / 2


@DeiT.mistake(
    """Both heads read the class token, so the new token has nobody who asks it. Which row of the
    sequence is the teacher's?"""
)
class BothReadTheClassToken(_Parts):
    def both(self, x):
        return self.head(x[:, 0]), self.distillation_head(x[:, 0])


@DeiT.mistake(
    """The second head reads the last token, which is a patch. Where in the sequence does the
    distillation token stand?"""
)
class ReadsTheLastToken(_Parts):
    def both(self, x):
        return self.head(x[:, 0]), self.distillation_head(x[:, -1])


@DeiT.mistake(
    """The distillation token stands behind the patches, and the second head reads row 1, which is
    then the first patch. The task puts both tokens in front."""
)
class TokenBehindThePatches(_Parts):
    def tokens(self, x):
        ends = (t.expand(len(x), 1, -1) for t in (self.class_token, self.distillation_token))
        first, last = ends
        return torch.cat([first, x, last], dim=1) + self.positions()


@DeiT.mistake(
    """The distillation token stands behind the patches, where you read it, so every patch gets
    another one's position. Weights that others have trained would not fit: where does the task put
    it?"""
)
class TokenLastAndReadThere(TokenBehindThePatches):
    def both(self, x):
        return self.head(x[:, 0]), self.distillation_head(x[:, -1])


@DeiT.mistake(
    """The two tokens stand in the wrong order: row 0 is the teacher's. The class token comes
    first."""
)
class TokensExchanged(_Parts):
    def tokens(self, x):
        two = torch.cat([self.distillation_token, self.class_token])
        return torch.cat([two.expand(len(x), 2, -1), x], dim=1) + self.positions()


@DeiT.mistake(
    """The heads are exchanged: `head` reads the distillation token and `distillation_head` the
    class token. Which token answers to whom?"""
)
class HeadsExchanged(_Parts):
    def both(self, x):
        return self.head(x[:, 1]), self.distillation_head(x[:, 0])


@DeiT.mistake(
    """The same head reads both tokens, and `distillation_head` is never called. The tokens would
    learn two opinions even so, but the task has a head for each."""
)
class OneHeadForBoth(_Parts):
    def both(self, x):
        return self.head(x[:, 0]), self.head(x[:, 1])


@DeiT.mistake(
    """The class token stands in both places. `distillation_token` is a parameter that nothing
    reads, so it never learns."""
)
class ClassTokenTwice(_Parts):
    def tokens(self, x):
        two = torch.cat([self.class_token, self.class_token])
        return torch.cat([two.expand(len(x), 2, -1), x], dim=1) + self.positions()


@DeiT.mistake(
    """Your model gives both answers in evaluation mode too. There the task wants one, the mean of
    the two. `self.training` says in which mode it is."""
)
class PairInBothModes(_Parts):
    def answer(self, by_label, by_teacher):
        return by_label, by_teacher


@DeiT.mistake(
    """Your model gives one answer in training too. Label and teacher could then not teach a head
    each. `self.training` says in which mode it is."""
)
class MeanInBothModes(_Parts):
    def answer(self, by_label, by_teacher):
        return (by_label + by_teacher) / 2


@DeiT.mistake(
    """The modes are exchanged: two answers in evaluation, their mean in training. In which mode is
    a loss computed?"""
)
class ModesExchanged(_Parts):
    def answer(self, by_label, by_teacher):
        return (by_label + by_teacher) / 2 if self.training else (by_label, by_teacher)


@DeiT.mistake(
    """In evaluation mode you add the two answers. The chosen class is the same, but probabilities
    made of it are too sure. What makes a mean of a sum?"""
)
class SumInEvaluation(_Parts):
    def answer(self, by_label, by_teacher):
        return (by_label, by_teacher) if self.training else by_label + by_teacher


@DeiT.mistake(
    """In evaluation mode only the class token's head answers. What the teacher's token has learned
    is thrown away: the task takes both."""
)
class LabelAloneInEvaluation(_Parts):
    def answer(self, by_label, by_teacher):
        return (by_label, by_teacher) if self.training else by_label


@DeiT.mistake(
    """In evaluation mode you average probabilities. That is the paper's rule; the task, like the
    published code, takes the mean of the logits (section 8 compares the two)."""
)
class MeanOfProbabilities(_Parts):
    def answer(self, by_label, by_teacher):
        both = by_label, by_teacher
        return both if self.training else sum(z.softmax(-1) for z in both) / 2


@DeiT.mistake(
    """The answers come in the wrong order: the teacher's first. Whoever computes the loss takes the
    class token's for the first."""
)
class AnswersExchanged(_Parts):
    def answer(self, by_label, by_teacher):
        return (by_teacher, by_label) if self.training else (by_label + by_teacher) / 2


@DeiT.mistake(
    """The last norm is missing. The layers are Pre-LN: what they add up has passed no norm yet when
    it reaches the heads."""
)
class SkipsTheLastNorm(_Parts):
    def forward(self, images):
        x = self.tokens(self.embed(images))
        for layer in self.encoder:
            x = layer(x)
        return self.answer(*self.both(x))


@DeiT.mistake(
    """The second head reads its token before the last norm, the first one behind it. Pre-LN layers
    leave all their tokens without a norm."""
)
class OneNormIsMissing(_Parts):
    def forward(self, images):
        x = self.tokens(self.embed(images))
        for layer in self.encoder:
            x = layer(x)
        return self.answer(self.head(self.norm(x[:, 0])), self.distillation_head(x[:, 1]))


@DeiT.mistake(
    """The new token gets no position: it is put in after they have been added. The table has 2 + n
    rows, and row 1 is its own."""
)
class NewTokenWithoutPosition(_Parts):
    def tokens(self, x):
        table = self.positions()
        first = (self.class_token + table[:1]).expand(len(x), 1, -1)
        second = self.distillation_token.expand(len(x), 1, -1)
        return torch.cat([first, second, x + table[2:]], dim=1)


@DeiT.mistake(
    """No positions are added: your model gives the same answer for an image whose patches are
    shuffled. Where do the tokens learn where they stand?"""
)
class ForgetsThePositions(_Parts):
    def tokens(self, x):
        two = torch.cat([self.class_token, self.distillation_token])
        return torch.cat([two.expand(len(x), 2, -1), x], dim=1)


@DeiT.mistake(
    """What `self.norm` gives is forgotten for one of the two: the distillation token is read from
    the tokens before the encoder. What is the last thing that happened to it?"""
)
class SecondTokenSkipsTheEncoder(_Parts):
    def forward(self, images):
        x = start = self.tokens(self.embed(images))
        for layer in self.encoder:
            x = layer(x)
        second = self.norm(start[:, 1])
        return self.answer(self.head(self.norm(x[:, 0])), self.distillation_head(second))


@DeiT.mistake(
    """In evaluation mode only one of the two answers is halved: a division comes before a sum.
    Where do brackets belong?"""
)
class HalvesOneAnswer(_Parts):
    def answer(self, by_label, by_teacher):
        return (by_label, by_teacher) if self.training else by_label + by_teacher / 2
