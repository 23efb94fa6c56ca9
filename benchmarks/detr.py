"""A training step of our DETR and its set loss beside Hugging Face's, with the same weights.

    python -m benchmarks.detr [--device cpu|cuda] [--quick] [--out FILE]

A step is forward, matching, loss and backward. How it is measured: `benchmarks/side_by_side.py`.
Both have the same backbone, a small ResNet of Hugging Face's, so what is compared is the
transformer and the loss. It is that of the last layer: with auxiliary losses their decoder computes
something else (`tests/parity/test_detr_model.py`). A small DETR on the CPU, the paper's size on
CUDA. Writes results/detr-<device>.json.
"""

import torch
from torch import nn
from transformers import DetrConfig, DetrForObjectDetection, ResNetConfig

from benchmarks import side_by_side
from benchmarks.side_by_side import STEP, Contest
from tutorial_lib.layers.set_loss import SetLoss
from tutorial_lib.models.detection.hugging_face import from_huggingface

SIZES = {
    "quick": dict(image_size=32, classes=3, queries=5, dim=16, depth=1, heads=2, hidden=32),
    "cpu": dict(image_size=128, classes=20, queries=50, dim=128, depth=3, heads=4, hidden=512),
    "cuda": dict(image_size=512, classes=91, queries=100, dim=256, depth=6, heads=8, hidden=2048),
}
BATCH = {"quick": 2, "cpu": 4, "cuda": 16}
OBJECTS = 7  # a picture, as many as COCO has on average


def both(size):
    """Hugging Face's model, freshly initialised, and ours with its weights and its backbone."""
    backbone = ResNetConfig(
        embedding_size=16,
        hidden_sizes=[16, 32, 64],
        depths=[1, 1, 1],
        layer_type="basic",
        out_features=["stage3"],
    )
    config = DetrConfig(
        use_timm_backbone=False,
        backbone=None,
        backbone_config=backbone,
        num_labels=size["classes"],
        num_queries=size["queries"],
        d_model=size["dim"],
        encoder_layers=size["depth"],
        decoder_layers=size["depth"],
        encoder_attention_heads=size["heads"],
        decoder_attention_heads=size["heads"],
        encoder_ffn_dim=size["hidden"],
        decoder_ffn_dim=size["hidden"],
        dropout=0.0,
    )
    theirs = DetrForObjectDetection(config)
    # As in the paper's code. From theirs all queries answer alike, and rounding would match them.
    torch.nn.init.normal_(theirs.model.query_position_embeddings.weight)
    return from_huggingface(theirs), theirs


class Loss(nn.Module):
    """From images to the set loss of one way to compute it, for labels that stay the same."""

    def __init__(self, model, loss_of, classes, boxes):
        super().__init__()
        self.model, self.loss_of = model, loss_of
        self.register_buffer("classes", classes)
        self.register_buffer("boxes", boxes)

    def forward(self, images):
        return self.loss_of(self.model, images, self.classes, self.boxes)


def their_loss(model, images, classes, boxes):
    labels = [{"class_labels": c, "boxes": b} for c, b in zip(classes, boxes)]
    return model(images, labels=labels).loss


def contest(device, quick):
    kind = "quick" if quick else "cpu" if device.type == "cpu" else "cuda"
    size, batch = SIZES[kind], BATCH[kind]
    ours, theirs = both(size)
    set_loss = SetLoss(size["classes"])
    images = torch.randn(batch, 3, *2 * [size["image_size"]])
    classes = torch.randint(size["classes"], (batch, OBJECTS if size["queries"] > OBJECTS else 2))
    boxes = 0.2 + 0.3 * torch.rand(*classes.shape, 4)

    def our_loss(model, images, classes, boxes):
        return set_loss.to(images.device)(model(images)[-1:], classes, boxes)

    methods = {
        "ours": Loss(ours, our_loss, classes, boxes),
        "Hugging Face": Loss(theirs, their_loss, classes, boxes),
    }
    size = size | {"batch": batch, "objects": classes.shape[1]}
    return Contest(methods, (images,), modes=(STEP,), size=size)


CONTESTS = {"DETR": contest}


if __name__ == "__main__":
    side_by_side.run("detr", CONTESTS)
