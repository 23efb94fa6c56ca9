"""One step of training a detector."""

import torch
from torch import nn

from tutorial_lib.checking.training import TrainingExercise
from tutorial_lib.exercises.detr.loss import set_loss as set_loss_exercise
from tutorial_lib.exercises.detr.pairs import random_boxes
from tutorial_lib.layers.matching import match

set_loss = set_loss_exercise.reference


def training_step(model, optimizer, images, classes, true_boxes):
    """Let a detector learn from one batch, and say how wrong it was before.

    model       a module in any mode, images -> logits (B, N, C + 1), boxes (B, N, 4); it has
                dropout, perhaps
    optimizer   of its parameters; a gradient may be left over in them from an earlier step
    images      a batch (B, ...); classes int64 (B, K), −1 for none; true_boxes (B, K, 4)
    ->  a float, the loss of the batch with the weights from before the step

    The loss is the class part, plus 5 times l1, plus 2 times giou, for the cheapest assignment.
    `match(logits, boxes, classes, true_boxes)` finds it, `set_loss` gives the parts. The norm of
    the gradient of all weights together is cut to at most 1 before it is used.
    """
    model.train()
    logits, boxes = model(images)
    assigned = match(logits, boxes, classes, true_boxes)
    parts = set_loss(logits, boxes, classes, true_boxes, assigned)
    loss = parts["class"] + 5 * parts["l1"] + 2 * parts["giou"]
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


class Small(nn.Module):
    """Four answers of three classes from five numbers. gain makes the gradient large."""

    def __init__(self, dropout=0.0, gain=1.0):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(5, 12), nn.ReLU(), nn.Dropout(dropout))
        self.logits, self.boxes = nn.Linear(12, 4 * 4), nn.Linear(12, 4 * 4)
        with torch.no_grad():
            self.boxes.weight.mul_(gain)

    def forward(self, images):
        x = self.body(images)
        return self.logits(x).unflatten(1, (4, 4)), self.boxes(x).unflatten(1, (4, 4)).sigmoid()


def adam(parameters):
    return torch.optim.Adam(parameters, lr=0.05)


def momentum(parameters):
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9)


def models_and_batches(rng):
    for dropout, gain, optimizer, B in [
        (0.0, 1.0, momentum, 2),
        (0.0, 1.0, adam, 3),
        (0.5, 1.0, adam, 3),
        (0.0, 4.0, momentum, 2),
    ]:
        batches = [_batch(rng, B) for _ in range(3)]
        yield dict(
            model=lambda dropout=dropout, gain=gain: Small(dropout, gain),
            optimizer=optimizer,
            batches=batches,
        )


def _batch(rng, B, K=3):
    classes = torch.from_numpy(rng.integers(3, size=(B, K)))
    classes[0, -1] = -1
    true_boxes = torch.from_numpy(random_boxes(rng, B * K)).float().view(B, K, 4)
    return torch.from_numpy(rng.normal(size=(B, 5))).float(), classes, true_boxes


training_step = TrainingExercise(
    training_step,
    level=2,
    minutes=7,
    cases=models_and_batches,
    hints=(
        "It is chapter 05's step with another loss. What must be known before there can be one?",
        "First the answers, then who answers for whom, then the three parts with their weights. "
        "Matching needs no gradient; `match` sees to that itself.",
        "`logits, boxes = model(images)`, `assigned = match(logits, boxes, classes, true_boxes)`, "
        "`parts = set_loss(logits, boxes, classes, true_boxes, assigned)`; then zero_grad, "
        "backward, clip_grad_norm_, step.",
    ),
)


def _loss_of(model, images, classes, true_boxes, weights=(1, 5, 2)):
    logits, boxes = model(images)
    assigned = match(logits, boxes, classes, true_boxes)
    parts = set_loss(logits, boxes, classes, true_boxes, assigned)
    return sum(w * part for w, part in zip(weights, parts.values()))


def _learn(model, optimizer, loss, cut=True):
    optimizer.zero_grad()
    loss.backward()
    if cut:
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


@training_step.mistake(
    """The three parts are added as they are. Which weights does the task give to l1 and to giou?"""
)
def parts_without_weights(model, optimizer, images, classes, true_boxes):
    model.train()
    loss = _loss_of(model, images, classes, true_boxes, weights=(1, 1, 1))
    return _learn(model, optimizer, loss)


@training_step.mistake("""The weights of l1 and giou are exchanged: 5 and 2.""")
def weights_exchanged(model, optimizer, images, classes, true_boxes):
    model.train()
    loss = _loss_of(model, images, classes, true_boxes, weights=(1, 2, 5))
    return _learn(model, optimizer, loss)


@training_step.mistake(
    """Nobody matches: prediction i answers for object i, whatever it shows. A query would have to
    learn the order in which the objects happen to be listed. What finds the cheapest pairs?"""
)
def prediction_i_has_object_i(model, optimizer, images, classes, true_boxes):
    model.train()
    logits, boxes = model(images)
    places = torch.full(logits.shape[:2], -1)
    n = min(logits.shape[1], classes.shape[1])
    places[:, :n] = torch.arange(n).expand(len(classes), -1).where(classes[:, :n] >= 0, -1)
    parts = set_loss(logits, boxes, classes, true_boxes, places)
    loss = parts["class"] + 5 * parts["l1"] + 2 * parts["giou"]
    return _learn(model, optimizer, loss)


@training_step.mistake(
    """Right without dropout: you match the answers of one pass through the model and take the loss
    of another. Who answered what in the second?"""
)
def matched_in_another_pass(model, optimizer, images, classes, true_boxes):
    model.train()
    assigned = match(*model(images), classes, true_boxes)
    parts = set_loss(*model(images), classes, true_boxes, assigned)
    loss = parts["class"] + 5 * parts["l1"] + 2 * parts["giou"]
    return _learn(model, optimizer, loss)


@training_step.mistake(
    """Old gradients are not cleared: `backward` adds to them, so each step also takes the steps
    before it once more."""
)
def keeps_old_gradients(model, optimizer, images, classes, true_boxes):
    model.train()
    loss = _loss_of(model, images, classes, true_boxes)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()


@training_step.mistake(
    """The gradient is used as it is, or cut when it is too late. Where it is large the step is too
    long. Between which two lines does the cut belong?"""
)
def never_cuts_in_time(model, optimizer, images, classes, true_boxes):
    model.train()
    return _learn(model, optimizer, _loss_of(model, images, classes, true_boxes), cut=False)


@training_step.mistake(
    """The model learns in evaluation mode, in which dropout drops nothing. Which call turns it
    on?"""
)
def learns_in_evaluation_mode(model, optimizer, images, classes, true_boxes):
    return _learn(model, optimizer, _loss_of(model, images, classes, true_boxes))


@training_step.mistake(
    """You return the loss after the step. The task asks how wrong the model was before it."""
)
def loss_after_the_step(model, optimizer, images, classes, true_boxes):
    model.train()
    _learn(model, optimizer, _loss_of(model, images, classes, true_boxes))
    with torch.no_grad():
        return _loss_of(model, images, classes, true_boxes).item()


@training_step.mistake(
    """No weight moves. Is `backward` or `step` missing, are the gradients cleared between the two,
    or is the loss cut off from the weights?"""
)
def no_weight_moves(model, optimizer, images, classes, true_boxes):
    model.train()
    with torch.no_grad():
        return _loss_of(model, images, classes, true_boxes).item()


@training_step.mistake(
    """You match with probabilities where `match` takes logits, and does the softmax itself: what
    is sure and what is not look nearly alike to it then."""
)
def matched_by_probabilities(model, optimizer, images, classes, true_boxes):
    model.train()
    logits, boxes = model(images)
    assigned = match(logits.softmax(dim=-1), boxes, classes, true_boxes)
    parts = set_loss(logits, boxes, classes, true_boxes, assigned)
    loss = parts["class"] + 5 * parts["l1"] + 2 * parts["giou"]
    return _learn(model, optimizer, loss)


@training_step.mistake(
    """You subtract giou, as in the cost of a matching. It is a loss already, 1 − G: what happens to
    the boxes when you make it large?"""
)
def giou_subtracted(model, optimizer, images, classes, true_boxes):
    model.train()
    loss = _loss_of(model, images, classes, true_boxes, weights=(1, 5, -2))
    return _learn(model, optimizer, loss)


@training_step.mistake(
    """You cut the gradient of each weight by itself. That turns its direction; the task cuts the
    norm of all of them together."""
)
def each_weight_cut_by_itself(model, optimizer, images, classes, true_boxes):
    model.train()
    optimizer.zero_grad()
    loss = _loss_of(model, images, classes, true_boxes)
    loss.backward()
    for weight in model.parameters():
        nn.utils.clip_grad_norm_(weight, 1.0)
    optimizer.step()
    return loss.item()


@training_step.mistake(
    """Right without dropout: you match in evaluation mode, and learn from the answers of another
    pass. Whose answers does the loss take?"""
)
def matched_in_evaluation_mode(model, optimizer, images, classes, true_boxes):
    model.eval()
    assigned = match(*model(images), classes, true_boxes)
    model.train()
    parts = set_loss(*model(images), classes, true_boxes, assigned)
    return _learn(model, optimizer, parts["class"] + 5 * parts["l1"] + 2 * parts["giou"])
