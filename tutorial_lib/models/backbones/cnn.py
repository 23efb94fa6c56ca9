"""A small convolutional network, what a small transformer has to beat. Taught in chapter 05."""

from torch import nn


class SmallCNN(nn.Module):
    """Four 3 × 3 convolutions, two of which halve the picture, then the mean over all places.

    channels, classes  of the image; how many there are to choose from
    width              features of the first two convolutions, half of the last two's; 63 · width²
                       parameters, roughly: 66,000 for 32, 135,000 for 46
    """

    def __init__(self, channels: int, classes: int, width: int):
        super().__init__()
        self.stages = nn.Sequential(
            block(channels, width, stride=2),
            block(width, width, stride=1),
            block(width, 2 * width, stride=2),
            block(2 * width, 2 * width, stride=1),
        )
        self.head = nn.Linear(2 * width, classes)

    def forward(self, images):
        """images (B, channels, H, W)  ->  logits (B, classes)"""
        x = self.stages(images)  # (B, 2 · width, H / 4, W / 4)
        return self.head(x.mean(dim=(-2, -1)))


def block(channels, width, stride):
    """Convolution, batch norm, ReLU: (B, channels, H, W)  ->  (B, width, H / stride, W / stride),
    rounded up. The norm has a shift of its own, so the convolution needs no bias."""
    convolution = nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU())
