"""DETR whose queries come from the picture: the encoder proposes, the decoder refines.

Taught in chapter 14. The variant "two-stage" of Zhu et al., Deformable DETR (ICLR 2021,
2010.04159), section 4.2, with the attention of plain DETR.
"""

import torch
from torch import nn

from tutorial_lib.models.detection.detr import DETR, BoxHead

PROPOSED_SIZE = 0.3  # width and height of a proposal before it has learned, 1 is the whole side


class TwoStageDETR(DETR):
    """Every place of the encoded picture proposes an object. The N best proposals are the queries:
    their features start the decoder, their places are the queries' places, and the decoder says by
    how much a box differs from the proposed one.

    The arguments are those of DETR.
    """

    def __init__(self, backbone, classes, queries, dim, depth, heads, hidden):
        super().__init__(backbone, classes, queries, dim, depth, heads, hidden)
        self.propose_class = nn.Linear(dim, classes + 1)
        self.propose_box = BoxHead(dim)

    def forward(self, images):
        """images (B, 3, H, W)  ->  a list of pairs as DETR's, but the first one is the proposals of
        all M places: logits (B, M, classes + 1) and boxes (B, M, 4)."""
        features = self.project(self.backbone(images))  # (B, dim, h, w)
        memory, places = self.encode(features)  # (B, M, dim), (M, dim)
        logits = self.propose_class(memory)
        proposed = starting_boxes(*features.shape[-2:]).to(memory) + self.propose_box(memory)
        outputs = [(logits, proposed.sigmoid())]

        nothing = logits.softmax(-1)[..., -1]  # (B, M)
        best = nothing.topk(len(self.queries), largest=False).indices[..., None]  # (B, N, 1)
        x, proposed = (torch.take_along_dim(t, best, dim=1).detach() for t in (memory, proposed))
        queries = self.queries + torch.take_along_dim(places[None], best, dim=1)  # (B, N, dim)
        for layer in self.decoder:
            x = layer(x, memory, queries, places)
            y = self.norm(x)
            outputs.append((self.class_head(y), (proposed + self.box_head(y)).sigmoid()))
        return outputs


def starting_boxes(rows, columns):
    """A box around the middle of each place of a grid, cxcywh as logits: (rows · columns, 4)."""
    y, x = ((torch.arange(n) + 0.5) / n for n in (rows, columns))
    y, x = torch.meshgrid(y, x, indexing="ij")
    size = torch.full_like(x, PROPOSED_SIZE)
    return torch.stack([x, y, size, size], dim=-1).flatten(0, 1).logit()
