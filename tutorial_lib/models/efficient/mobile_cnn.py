"""A small network of depthwise separable convolutions, for PROFIT. Taught in chapter 36.

Howard et al., MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications
(1704.04861). A 3 × 3 convolution that sees one channel at a time, then a 1 × 1 one that mixes them:
a tenth of the weights, and with nine of them in a filter each one counts.
"""

from torch import nn


class MobileCNN(nn.Module):
    """A 3 × 3 convolution, four separable ones, two of which halve the picture, then the mean over
    all places.

    channels, classes  of the image; how many there are to choose from
    width              features of the first stage, half of the last one's
    """

    def __init__(self, channels: int, classes: int, width: int):
        super().__init__()
        self.stages = nn.Sequential(
            _normed(nn.Conv2d(channels, width, 3, 2, padding=1, bias=False)),
            _separable(width, width, stride=1),
            _separable(width, 2 * width, stride=2),
            _separable(2 * width, 2 * width, stride=1),
            _separable(2 * width, 2 * width, stride=1),
        )
        self.head = nn.Linear(2 * width, classes)

    def forward(self, images):
        """images (B, channels, H, W)  ->  logits (B, classes)"""
        return self.head(self.stages(images).mean(dim=(-2, -1)))


def _normed(convolution):
    return nn.Sequential(convolution, nn.BatchNorm2d(convolution.out_channels), nn.ReLU())


def _separable(channels, width, stride):
    """(B, channels, H, W)  ->  (B, width, H / stride, W / stride), rounded up"""
    each = nn.Conv2d(channels, channels, 3, stride, padding=1, groups=channels, bias=False)
    mixed = nn.Conv2d(channels, width, 1, bias=False)
    return nn.Sequential(_normed(each), _normed(mixed))
