"""The first module: two linear maps with a ReLU between them."""

import torch
from torch import nn

from tutorial_lib.checking.modules import ModuleExercise


class DigitReader(nn.Module):
    """Two linear maps with a ReLU between them: a picture in, a score for each class out.

    pixels   how many one picture has, all its rows together
    hidden   features between the two maps
    classes  how many there are to choose from

    The two maps are named first and second, and have biases.
    """

    def __init__(self, pixels: int, hidden: int, classes: int):
        super().__init__()
        self.first = nn.Linear(pixels, hidden)
        self.second = nn.Linear(hidden, classes)

    def forward(self, images):
        """images (B, height, width)  ->  scores (B, classes), any numbers"""
        x = images.flatten(1)  # (B, pixels)
        return self.second(self.first(x).relu())


def sizes_and_pictures(rng):
    for B, height, width, hidden, classes in [
        (1, 1, 2, 3, 2),
        (3, 4, 2, 5, 4),
        (2, 3, 3, 6, 1),
        (4, 2, 5, 1, 3),
    ]:
        images = torch.from_numpy(rng.normal(size=(B, height, width))).float()
        arguments = dict(pixels=height * width, hidden=hidden, classes=classes)
        yield dict(arguments=arguments, images=images)


DigitReader = ModuleExercise(
    DigitReader,
    level=1,
    minutes=10,
    cases=sizes_and_pictures,
    hints=(
        "A picture is a table; `nn.Linear` wants a row of numbers for each picture. The batch is "
        "the first axis.",
        "`__init__` makes the two maps and keeps them as `self.first` and `self.second`; `forward` "
        "only uses them.",
        "`x = images.flatten(1)`, then `self.second(torch.relu(self.first(x)))`.",
    ),
)
_Reference = DigitReader.reference


@DigitReader.mistake(
    """There is no ReLU between the two maps. Two linear maps in a row are one linear map: what can
    the second one add to the first?"""
)
class NoReLU(_Reference):
    def forward(self, images):
        return self.second(self.first(images.flatten(1)))


@DigitReader.mistake(
    """Your scores sum to one: there is a softmax at the end. The task wants scores, any numbers;
    the loss makes probabilities of them itself."""
)
class SoftmaxAtTheEnd(_Reference):
    def forward(self, images):
        return super().forward(images).softmax(dim=-1)


@DigitReader.mistake(
    """The scores go through a ReLU as well, so none can be negative, and a class that is at zero
    gets no gradient. Between which two maps does the ReLU stand?"""
)
class ReLUAtTheEnd(_Reference):
    def forward(self, images):
        return super().forward(images).relu()


@DigitReader.mistake(
    """The ReLU comes before the first map, where it drops every negative pixel, and there is none
    between the maps. Which numbers should it look at?"""
)
class ReLUFirst(_Reference):
    def forward(self, images):
        return self.second(self.first(images.flatten(1).relu()))


@DigitReader.mistake(
    """Two pictures with the same pixels in another place get the same scores: the columns are read
    one after the other and not the rows. What does `flatten(1)` alone do?"""
)
class ColumnsFirst(_Reference):
    def forward(self, images):
        return super().forward(images.mT)


@DigitReader.mistake(
    """The whole batch becomes one row, and with more than one picture the first map refuses it.
    Which axis has to stay when a picture becomes a row? `flatten(1)` begins behind it."""
)
class FlattensTheBatch(_Reference):
    def forward(self, images):
        return self.second(self.first(images.flatten()).relu())


@DigitReader.mistake(
    """Another bend stands between the maps (GELU, tanh, a sigmoid) than the one that is asked for.
    What does a ReLU do with a negative number?"""
)
class AnotherBend(_Reference):
    def forward(self, images):
        return self.second(nn.functional.gelu(self.first(images.flatten(1))))
