"""Our DETR and its loss against Hugging Face's: outputs of every layer, matching, loss, gradients.

With `auxiliary_loss=True` their decoder (transformers 5.23) hands each layer's normed output on to
the next layer, which the paper's code does not do, and norms the last one twice. So their model is
asked for its layers' plain outputs, and their heads and their loss get these.
"""

import pytest
import torch
from transformers import DetrConfig, DetrForObjectDetection, ResNetConfig
from transformers.loss.loss_for_object_detection import ForObjectDetectionLoss

from tutorial_lib.layers.set_loss import SetLoss
from tutorial_lib.models.detection.hugging_face import from_huggingface, our_name

# They add 1e-6 to the number of rows and columns; with this in ours too, all agrees to 1e-11.
TOLERANCE = dict(rtol=1e-4, atol=1e-4)
SIZES = [  # classes, queries, dim, depth, heads, hidden
    (3, 7, 8, 1, 1, 12),
    (5, 9, 16, 3, 4, 20),
]


@pytest.fixture(autouse=True)
def float64():
    """As the default, since their loss makes tensors of its own."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def public_detr(sizes):
    """A randomly initialised one, with large weights: from its start all queries answer alike."""
    classes, queries, dim, depth, heads, hidden = sizes
    backbone = ResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 16],
        depths=[1, 1],
        layer_type="basic",
        out_features=["stage2"],
    )
    config = DetrConfig(
        use_timm_backbone=False,
        backbone=None,
        backbone_config=backbone,
        num_labels=classes,
        num_queries=queries,
        d_model=dim,
        encoder_layers=depth,
        decoder_layers=depth,
        encoder_attention_heads=heads,
        decoder_attention_heads=heads,
        encoder_ffn_dim=hidden,
        decoder_ffn_dim=hidden,
        dropout=0.0,
    )
    torch.manual_seed(0)
    model = DetrForObjectDetection(config)
    with torch.no_grad():
        for parameter in model.parameters():
            spread = 2.0 / parameter[0].numel() ** 0.5 if parameter.ndim > 1 else 0.3
            parameter.requires_grad_().add_(spread * torch.randn_like(parameter))
        model.model.query_position_embeddings.weight.mul_(5)
    return model


def layers_of(theirs, images):
    """Logits (L, B, N, C + 1) and boxes (L, B, N, 4) of every layer of their decoder."""
    output = theirs.model(images, output_hidden_states=True)
    states = map(theirs.model.decoder.layernorm, output.decoder_hidden_states[1:-1])
    states = torch.stack([*states, output.last_hidden_state])  # the last one is normed
    return theirs.class_labels_classifier(states), theirs.bbox_predictor(states).sigmoid()


def targets_for():
    """Padded as ours, and as theirs: pictures with 3, 0 and 5 objects."""
    classes = torch.full((3, 6), -1)
    classes[0, :3], classes[2, 1:6] = torch.tensor([2, 0, 2]), torch.tensor([1, 1, 0, 2, 1])
    boxes = torch.cat([torch.rand(3, 6, 2), 0.1 + 0.3 * torch.rand(3, 6, 2)], -1)
    theirs = [
        {"class_labels": row[row >= 0], "boxes": box[row >= 0]} for row, box in zip(classes, boxes)
    ]
    return (classes, boxes), theirs


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_model_and_loss_equal_hugging_faces_forward_and_backward(sizes):
    theirs = public_detr(sizes)
    ours = from_huggingface(theirs)
    images = torch.randn(3, 3, 48, 64)
    (classes, boxes), labels = targets_for()

    # Each layer, and the last one as their model itself says it, which also has the loss without
    # auxiliary ones.
    outputs, (logits, found) = ours(images), layers_of(theirs, images)
    assert found.std(dim=2).mean() > 0.005, "queries give different boxes"
    for i, (our_logits, our_boxes) in enumerate(outputs):
        torch.testing.assert_close(our_logits, logits[i], **TOLERANCE)
        torch.testing.assert_close(our_boxes, found[i], **TOLERANCE)
    whole = theirs(images, labels=labels)
    torch.testing.assert_close(outputs[-1][0], whole.logits, **TOLERANCE)
    loss = SetLoss(sizes[0])
    torch.testing.assert_close(loss(outputs[-1:], classes, boxes), whole.loss, **TOLERANCE)

    # The loss with all layers, and its gradients.
    theirs.config.auxiliary_loss = True
    expected, _, _ = ForObjectDetectionLoss(
        logits[-1], labels, "cpu", found[-1], theirs.config, logits, found
    )
    total = loss(outputs, classes, boxes)
    torch.testing.assert_close(total, expected, **TOLERANCE)
    parameters = dict(ours.named_parameters())
    names, wanted = zip(*theirs.named_parameters())
    gradients = torch.autograd.grad(expected, wanted, retain_graph=True, allow_unused=True)
    for name, gradient in zip(names, gradients):
        (mine,) = torch.autograd.grad(
            total, parameters[our_name(name)], retain_graph=True, allow_unused=True
        )
        assert (mine is None) == (gradient is None), name
        if mine is not None:
            scale = max(1.0, gradient.abs().max().item())
            torch.testing.assert_close(mine / scale, gradient / scale, **TOLERANCE, msg=name)
    assert {our_name(name) for name in names} == set(parameters)


def test_what_has_no_place_in_ours_is_refused():
    theirs = public_detr(SIZES[0])
    for name in ("model.encoder.layers.0.self_attn.x.weight", "model.encoder.x", "x"):
        with pytest.raises(ValueError, match=f"'{name}' is no weight of Hugging Face's Detr"):
            our_name(name)
    theirs.config.encoder_layers = 2
    with pytest.raises(ValueError, match="encoder and decoder are .*, not equal"):
        from_huggingface(theirs)
    theirs.config.encoder_layers, theirs.config.position_embedding_type = 1, "learned"
    with pytest.raises(ValueError, match="positions are 'learned', expected 'sine'"):
        from_huggingface(theirs)
