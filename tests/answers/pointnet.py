"""Answers to chapter 19, PointNet."""

from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from answers import right, wrong
from tutorial_lib.layers.point_sets import ball_query, farthest_points, gather
from tutorial_lib.layers.shared_mlp import PointNorm, shared_mlp

# global_feature


@wrong(
    "pointnet.global_feature",
    "a ReLU behind the last layer too",
    says="There is a ReLU behind the last layer:",
)
def _(X, layers):
    H = X
    for W, b in layers:
        H = np.maximum(H @ W + b, 0)
    return {"H": H, "G": H.max(axis=1)}


@wrong(
    "pointnet.global_feature",
    "no ReLU at all",
    says="No ReLU: without a bend between them the layers",
)
def _(X, layers):
    for W, b in layers:
        X = X @ W + b
    return {"H": X, "G": X.max(axis=1)}


@wrong(
    "pointnet.global_feature",
    "the maximum over the features",
    says="G takes the maximum over the features of each point,",
)
def _(X, layers):
    H = X
    for i, (W, b) in enumerate(layers):
        if i:
            H = np.maximum(H, 0)
        H = H @ W + b
    return {"H": H, "G": H.max(axis=2)}


@wrong("pointnet.global_feature", "a mean over the points", says="G is the mean over the points.")
def _(X, layers):
    H = X
    for i, (W, b) in enumerate(layers):
        H = (np.maximum(H, 0) if i else H) @ W + b
    return {"H": H, "G": H.mean(axis=1)}


@wrong(
    "pointnet.global_feature",
    "the ReLU stands before the first layer too",
    says="A ReLU stands in front of the first layer too, so",
)
def _(X, layers):
    H = X
    for W, b in layers:
        H = np.maximum(H, 0) @ W + b
    return {"H": H, "G": H.max(axis=1)}


@wrong("pointnet.global_feature", "forgets the biases", says="The biases are missing:")
def _(X, layers):
    H = X
    for i, (W, _) in enumerate(layers):
        H = (np.maximum(H, 0) if i else H) @ W
    return {"H": H, "G": H.max(axis=1)}


@wrong(
    "pointnet.global_feature",
    "the maximum of the absolute values",
    says="G is the maximum of the absolute values.",
)
def _(X, layers):
    H = X
    for i, (W, b) in enumerate(layers):
        H = (np.maximum(H, 0) if i else H) @ W + b
    return {"H": H, "G": np.abs(H).max(axis=1)}


@wrong(
    "pointnet.global_feature",
    "one maximum over the whole batch",
    says="Every cloud has the same G:",
)
def _(X, layers):
    H = X
    for i, (W, b) in enumerate(layers):
        H = (np.maximum(H, 0) if i else H) @ W + b
    return {"H": H, "G": np.broadcast_to(H.max(axis=(0, 1)), (len(X), H.shape[-1]))}


@wrong("pointnet.global_feature", "knows two layers only", says="Two shapes do not fit.")
def _(X, layers):
    (W1, b1), (W2, b2) = layers[0], layers[-1]
    H = np.maximum(X @ W1 + b1, 0) @ W2 + b2 if len(layers) > 1 else X @ W1 + b1
    return {"H": H, "G": H.max(axis=1)}


@wrong(
    "pointnet.global_feature",
    "a tuple of the right values",
    says="The task wants a dict with H and G; yours is a tuple.",
)
def _(X, layers):
    H = X
    for i, (W, b) in enumerate(layers):
        H = (np.maximum(H, 0) if i else H) @ W + b
    return H, H.max(axis=1)


@right("pointnet.global_feature", "point by point")
def _(X, layers):
    def h(x):
        for W, b in layers[:-1]:
            x = (x @ W + b).clip(0)
        W, b = layers[-1]
        return x @ W + b

    H = np.array([[h(x) for x in cloud] for cloud in X])
    return {"G": np.array([np.maximum.reduce(cloud) for cloud in H]), "H": H}


@right("pointnet.global_feature", "einsum, and the last of the sorted numbers")
def _(X, layers):
    H = X
    for i, (W, b) in enumerate(layers):
        H = np.einsum("bnc,cd->bnd", H * (H > 0) if i else H, W) + b
    return {"H": H, "G": np.sort(H, axis=1)[:, -1]}


# PointNet


class Net(nn.Module):
    """Right; what follows changes one thing"""

    def __init__(self, classes: int, widths: tuple, hidden: tuple, dropout: float = 0.0):
        super().__init__()
        self.mlp = self.make_mlp(3, *widths)
        self.head = self.make_head(widths[-1], hidden, classes, dropout)

    def make_mlp(self, *widths):
        layers = []
        for read, width in pairwise(widths):
            layers += [nn.Linear(read, width), PointNorm(width), nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    def make_head(self, read, hidden, classes, dropout):
        layers = []
        for width in hidden:
            layers += [nn.Linear(read, width), nn.BatchNorm1d(width), nn.ReLU()]
            layers += [nn.Dropout(dropout)]
            read = width
        return nn.Sequential(*layers, nn.Linear(read, classes))

    def forward(self, clouds):
        return self.head(self.mlp(clouds).amax(dim=1))


@wrong(
    "pointnet.PointNet",
    "a ReLU behind the last layer of h",
    says="There is a ReLU behind the last layer of h, before",
)
class _(Net):
    def make_mlp(self, *widths):
        return nn.Sequential(*super().make_mlp(*widths), nn.ReLU())


@wrong("pointnet.PointNet", "a mean over the points", says="You take the mean over the points.")
class _(Net):
    def forward(self, clouds):
        return self.head(self.mlp(clouds).mean(dim=1))


@wrong(
    "pointnet.PointNet",
    "max gives numbers and places",
    says="`max(dim=1)` gives two things, the largest numbers",
)
class _(Net):
    def forward(self, clouds):
        return self.head(self.mlp(clouds).max(dim=1))


@wrong(
    "pointnet.PointNet",
    "a maximum over the features",
    says="You take the maximum over the features of each",
)
class _(Net):
    def forward(self, clouds):
        return self.head(self.mlp(clouds).amax(dim=-1))


@wrong("pointnet.PointNet", "no norm in h", says="mlp.1 is missing, with 5 weights")
class _(Net):
    def make_mlp(self, *widths):
        return nn.Sequential(
            *(part for part in super().make_mlp(*widths) if not isinstance(part, PointNorm))
        )


@wrong(
    "pointnet.PointNet",
    "a ReLU behind the logits",
    says="Yours is the right answer with its negative numbers made zero.",
)
class _(Net):
    def make_head(self, *of):
        return nn.Sequential(*super().make_head(*of), nn.ReLU())


@wrong(
    "pointnet.PointNet",
    "dropout is left out",
    says="γ drops nothing in training, where the task asks for",
)
class _(Net):
    def make_head(self, read, hidden, classes, dropout):
        return super().make_head(read, hidden, classes, 0.0)


@wrong(
    "pointnet.PointNet",
    "half is dropped, whatever was asked for",
    says="γ drops half, PyTorch's default, whatever share is",
)
class _(Net):
    def make_head(self, read, hidden, classes, dropout):
        return super().make_head(read, hidden, classes, 0.5)


@wrong(
    "pointnet.PointNet",
    "a softmax at the end",
    says="You end in a softmax. The loss, `F.cross_entropy`,",
)
class _(Net):
    def forward(self, clouds):
        return super().forward(clouds).softmax(dim=-1)


@wrong(
    "pointnet.PointNet",
    "a LayerNorm where a PointNorm should be",
    says="mlp.1 is a LayerNorm, expected a PointNorm",
)
class _(Net):
    def make_mlp(self, *widths):
        layers = []
        for read, width in pairwise(widths):
            layers += [nn.Linear(read, width), nn.LayerNorm(width), nn.ReLU()]
        return nn.Sequential(*layers[:-1])


@wrong(
    "pointnet.PointNet", "no super().__init__()", says="`super().__init__()` must be the first line"
)
class _(Net):
    def __init__(self, classes: int, widths: tuple, hidden: tuple, dropout: float = 0.0):
        self.mlp = self.make_mlp(3, *widths)
        self.head = self.make_head(widths[-1], hidden, classes, dropout)


@wrong(
    "pointnet.PointNet",
    "the head reads the first width",
    says="head.0.weight has the shape (3, 4), expected (3, 6)",
)
class _(Net):
    def __init__(self, classes: int, widths: tuple, hidden: tuple, dropout: float = 0.0):
        super().__init__(classes, widths, hidden, dropout)
        self.head = self.make_head(widths[0], hidden, classes, dropout)


@wrong("pointnet.PointNet", "ReLU before the norm", says="mlp.2 is one too many, with 5 weights")
class _(Net):
    def make_mlp(self, *widths):
        parts = list(super().make_mlp(*widths))
        for i in range(2, len(parts), 3):
            parts[i - 1 : i + 1] = parts[i], parts[i - 1]
        return nn.Sequential(*parts)


@right("pointnet.PointNet", "max().values and the course's shared_mlp")
class _(Net):
    def make_mlp(self, *widths):
        return shared_mlp(*widths)

    def forward(self, clouds):
        features = self.mlp(clouds)
        return self.head(torch.max(features, 1).values)


@right("pointnet.PointNet", "max pooling by adaptive_max_pool1d, the head layer by layer")
class _(Net):
    def forward(self, clouds):
        x = F.adaptive_max_pool1d(self.mlp(clouds).mT, 1).squeeze(-1)
        for layer in self.head:
            x = layer(x)
        return x


# training_step


def turn(points, angles):
    cos, sin = angles.cos()[:, None], angles.sin()[:, None]
    x, y, z = points.unbind(-1)
    return torch.stack([x * cos - y * sin, x * sin + y * cos, z], dim=-1)


def step(model, optimizer, points, labels):
    model.train()
    loss = F.cross_entropy(model(points), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@wrong("pointnet.training_step", "does not turn", says="The model sees the clouds as they came:")
def _(model, optimizer, points, labels, angles):
    return step(model, optimizer, points, labels)


@wrong(
    "pointnet.training_step", "turns the other way", says="Your clouds turn the other way round:"
)
def _(model, optimizer, points, labels, angles):
    return step(model, optimizer, turn(points, -angles), labels)


@wrong(
    "pointnet.training_step",
    "one angle for all clouds",
    says="All clouds are turned by the first cloud's angle.",
)
def _(model, optimizer, points, labels, angles):
    return step(model, optimizer, turn(points, angles[:1].expand_as(angles)), labels)


@wrong(
    "pointnet.training_step",
    "turns in place, y from the new x",
    says="Your y is made from the x that is turned already, so",
)
def _(model, optimizer, points, labels, angles):
    points = points.clone()
    cos, sin = angles.cos()[:, None], angles.sin()[:, None]
    points[..., 0] = points[..., 0] * cos - points[..., 1] * sin
    points[..., 1] = points[..., 0] * sin + points[..., 1] * cos
    return step(model, optimizer, points, labels)


@wrong(
    "pointnet.training_step",
    "writes into the caller's clouds",
    says="Your function changes its argument batches in place.",
)
def _(model, optimizer, points, labels, angles):
    points[:] = turn(points, angles)
    return step(model, optimizer, points, labels)


@wrong(
    "pointnet.training_step",
    "turns about y",
    says="You turn in the plane of x and z, so chairs fall on",
)
def _(model, optimizer, points, labels, angles):
    x, y, z = points.unbind(-1)
    turned = turn(torch.stack([x, z, y], -1), angles)
    return step(model, optimizer, turned[..., [0, 2, 1]], labels)


@wrong("pointnet.training_step", "takes degrees", says="You take the angles for degrees.")
def _(model, optimizer, points, labels, angles):
    return step(model, optimizer, turn(points, angles.deg2rad()), labels)


@wrong("pointnet.training_step", "no zero_grad", says="Old gradients are not cleared:")
def _(model, optimizer, points, labels, angles):
    model.train()
    loss = F.cross_entropy(model(turn(points, angles)), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


@wrong(
    "pointnet.training_step",
    "zero_grad behind backward",
    says="No weight moves. Is `backward` or `step` missing, or",
)
def _(model, optimizer, points, labels, angles):
    model.train()
    loss = F.cross_entropy(model(turn(points, angles)), labels)
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


@wrong(
    "pointnet.training_step",
    "does not put the model into train mode",
    says="The model learns in evaluation mode, in which dropout",
)
def _(model, optimizer, points, labels, angles):
    loss = F.cross_entropy(model(turn(points, angles)), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@wrong(
    "pointnet.training_step",
    "gives the loss as a tensor",
    says="the loss is a tensor that keeps its whole graph alive",
)
def _(model, optimizer, points, labels, angles):
    model.train()
    loss = F.cross_entropy(model(turn(points, angles)), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


@wrong(
    "pointnet.training_step", "the loss after the step", says="You return the loss after the step."
)
def _(model, optimizer, points, labels, angles):
    turned = turn(points, angles)
    step(model, optimizer, turned, labels)
    with torch.no_grad():
        return F.cross_entropy(model(turned), labels).item()


@wrong(
    "pointnet.training_step",
    "a sum over the clouds",
    says="You add the losses of the clouds up instead of taking",
)
def _(model, optimizer, points, labels, angles):
    model.train()
    loss = F.cross_entropy(model(turn(points, angles)), labels, reduction="sum")
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


@right("pointnet.training_step", "matrices of rotation, cloud by cloud, and log_softmax")
def _(model, optimizer, points, labels, angles):
    turned = torch.empty_like(points)
    for i, a in enumerate(angles.tolist()):
        c, s = np.cos(a), np.sin(a)
        turned[i] = points[i] @ points.new_tensor([[c, -s, 0], [s, c, 0], [0, 0, 1]]).T
    for p in model.parameters():
        p.grad = None
    logs = model.train()(turned).log_softmax(-1)
    loss = -logs[range(len(labels)), labels].mean()
    loss.backward()
    optimizer.step()
    return float(loss.detach())


@right("pointnet.training_step", "complex numbers")
def _(model, optimizer, points, labels, angles):
    flat = torch.view_as_complex(points[..., :2].contiguous())
    flat = flat * torch.polar(torch.ones_like(angles), angles)[:, None]
    turned = torch.cat([torch.view_as_real(flat), points[..., 2:]], -1)
    return step(model, optimizer, turned, labels)


# critical_points


@wrong(
    "pointnet.critical_points",
    "each as often as it wins",
    says="Sorted, but some points are named several times:",
)
def _(H):
    return np.sort(H.argmax(axis=0))


@wrong(
    "pointnet.critical_points",
    "the order of the features",
    says="Right as a set, but in the order in which the",
)
def _(H):
    return np.array(list(dict.fromkeys(H.argmax(axis=0).tolist())))


@wrong(
    "pointnet.critical_points",
    "of each point the best feature",
    says="You look for the strongest feature of each point.",
)
def _(H):
    return np.unique(H.argmax(axis=1))


@wrong(
    "pointnet.critical_points",
    "all points that reach the maximum",
    says="Every point that reaches the maximum of a feature is",
)
def _(H):
    return np.flatnonzero((H == H.max(axis=0)).any(axis=1))


@wrong(
    "pointnet.critical_points",
    "the last of equal ones",
    says="Of several points with the same largest number you",
)
def _(H):
    return np.unique(len(H) - 1 - H[::-1].argmax(axis=0))


@wrong("pointnet.critical_points", "looks at absolute values", says="You look at absolute values:")
def _(H):
    return np.unique(np.abs(H).argmax(axis=0))


@wrong(
    "pointnet.critical_points",
    "leaves out features that are nowhere positive",
    says="Only points with a positive number are in yours.",
)
def _(H):
    return np.unique(H.argmax(axis=0)[H.max(axis=0) > 0])


@wrong("pointnet.critical_points", "a mask", says="A mask, a bool for each point.")
def _(H):
    mask = np.zeros(len(H), dtype=bool)
    mask[H.argmax(axis=0)] = True
    return mask


@wrong("pointnet.critical_points", "a set", says="The task wants an array; yours is a set.")
def _(H):
    return set(H.argmax(axis=0).tolist())


@wrong("pointnet.critical_points", "a list", says="The task wants an array; yours is a list.")
def _(H):
    return sorted(set(H.argmax(axis=0).tolist()))


@right("pointnet.critical_points", "loops")
def _(H):
    best = set()
    for column in H.T:
        place = 0
        for i, value in enumerate(column):
            if value > column[place]:
                place = i
        best.add(place)
    return np.array(sorted(best))


@right("pointnet.critical_points", "bincount")
def _(H):
    return np.bincount(np.argmax(H, 0), minlength=len(H)).nonzero()[0]


# farthest_points


def squared(a, b):
    return (a[:, :, None] - b[:, None]).square().sum(-1)


def sampled(points, count, first, over=lambda gap, new: gap.minimum(new)):
    apart = squared(points, points)
    rows = torch.arange(len(points))
    newest, gap, chosen = first, torch.full(points.shape[:2], torch.inf).to(points), []
    for _ in range(count):
        chosen.append(newest)
        gap = over(gap, apart[rows, newest])
        newest = gap.argmax(1)
    return torch.stack(chosen, 1)


def must_have(points, count):
    if count > points.shape[1]:
        raise ValueError("too many")


def outermost(points):
    return (points - points.mean(1, keepdim=True)).square().sum(-1).argmax(1)


@wrong(
    "pointnet.farthest_points",
    "begins with point 0",
    says="Your first point is point 0, as in much public code:",
)
def _(points, count):
    must_have(points, count)
    return sampled(points, count, torch.zeros(len(points), dtype=torch.long))


@wrong(
    "pointnet.farthest_points",
    "begins with the point farthest from the origin",
    says="Your first point is the one farthest from the origin.",
)
def _(points, count):
    must_have(points, count)
    return sampled(points, count, points.norm(dim=-1).argmax(1))


@wrong(
    "pointnet.farthest_points",
    "begins with the point nearest to the mean",
    says="Your first point is the one nearest to the mean.",
)
def _(points, count):
    must_have(points, count)
    first = (points - points.mean(1, keepdim=True)).norm(dim=-1).argmin(1)
    return sampled(points, count, first)


@wrong(
    "pointnet.farthest_points",
    "the mean of the whole batch",
    says="You measure the first point from the mean of all",
)
def _(points, count):
    must_have(points, count)
    return sampled(points, count, (points - points.mean((0, 1))).norm(dim=-1).argmax(1))


@wrong(
    "pointnet.farthest_points",
    "farthest from the newest alone",
    says="Each choice is the farthest from the last one alone,",
)
def _(points, count):
    must_have(points, count)
    return sampled(points, count, outermost(points), over=lambda gap, new: new)


@wrong(
    "pointnet.farthest_points",
    "farthest from the farthest of the chosen",
    says="You keep the largest distance to a chosen point",
)
def _(points, count):
    must_have(points, count)
    over = lambda gap, new: gap.nan_to_num(posinf=0).maximum(new)  # noqa: E731
    return sampled(points, count, outermost(points), over)


@wrong(
    "pointnet.farthest_points",
    "the sum of the distances",
    says="You add up the distances to the chosen points:",
)
def _(points, count):
    must_have(points, count)
    over = lambda gap, new: gap.nan_to_num(posinf=0) + new.sqrt()  # noqa: E731
    return sampled(points, count, outermost(points), over)


@wrong(
    "pointnet.farthest_points",
    "does not refuse too many",
    says="Right until more points are asked for than there are:",
)
def _(points, count):
    return sampled(points, count, outermost(points))


@wrong(
    "pointnet.farthest_points",
    "the points farthest from the mean",
    says="These are the points farthest from the mean, in",
)
def _(points, count):
    must_have(points, count)
    return (points - points.mean(1, keepdim=True)).norm(dim=-1).topk(count).indices


@wrong(
    "pointnet.farthest_points",
    "the loops of the chapter, cloud by cloud",
    says="right but slow: 80 of 400 points",
)
def _(points, count):
    must_have(points, count)
    found = []
    for cloud in points:
        chosen = [int((cloud - cloud.mean(0)).norm(dim=-1).argmax())]
        while len(chosen) < count:
            gap = [min((point - cloud[c]).norm() for c in chosen) for point in cloud]
            chosen.append(int(torch.stack(gap).argmax()))
        found.append(chosen)
    return torch.tensor(found)


@wrong(
    "pointnet.farthest_points",
    "gives the points and not their places",
    says="The points themselves. The task asks for their",
)
def _(points, count):
    must_have(points, count)
    return gather(points, sampled(points, count, outermost(points)))


@wrong(
    "pointnet.farthest_points",
    "places in ascending order",
    says="The right points, sorted by their places.",
)
def _(points, count):
    must_have(points, count)
    return sampled(points, count, outermost(points)).sort(1).values


@right("pointnet.farthest_points", "cloud by cloud")
def _(points, count):
    must_have(points, count)
    found = torch.zeros(len(points), count, dtype=torch.long)
    for b, cloud in enumerate(points):
        gap = (cloud - cloud.mean(0)).norm(dim=1)
        for i in range(count):
            found[b, i] = gap.argmax()
            new = (cloud - cloud[found[b, i]]).norm(dim=1)
            gap = torch.minimum(gap, new) if i else new
    return found


@right("pointnet.farthest_points", "numpy in float64")
def _(points, count):
    if points.shape[1] < count:
        raise ValueError
    x = points.detach().numpy().astype(np.float64)
    rows = np.arange(len(x))
    chosen = [np.linalg.norm(x - x.mean(1, keepdims=True), axis=-1).argmax(1)]
    gap = np.full(x.shape[:2], np.inf)
    for _ in range(count - 1):
        gap = np.fmin(gap, np.linalg.norm(x - x[rows, chosen[-1]][:, None], axis=-1))
        chosen.append(gap.argmax(1))
    return torch.from_numpy(np.stack(chosen, 1))


# ball_query


def balls(apart, radius, count):
    """From distances (B, M, N)"""
    N = apart.shape[-1]
    apart, place = apart.topk(min(count, N), dim=-1, largest=False)
    place = place.where(apart <= radius, place[..., :1])
    return torch.cat([place, place[..., :1].expand(*place.shape[:2], count - place.shape[-1])], -1)


@wrong(
    "pointnet.ball_query",
    "the squared distance beside the radius",
    says="You compare squared distances with the radius, which",
)
def _(queries, points, radius, count):
    return balls(squared(queries, points), radius, count)


@wrong(
    "pointnet.ball_query",
    "the k nearest, no ball",
    says="Where too few points are inside, yours fills up with",
)
def _(queries, points, radius, count):
    return balls(squared(queries, points), torch.inf, count)


@wrong(
    "pointnet.ball_query",
    "a point at the border is outside",
    says="A point at exactly the radius is not in your ball.",
)
def _(queries, points, radius, count):
    apart, place = torch.cdist(queries, points).topk(min(count, points.shape[1]), largest=False)
    place = place.where(apart < radius, place[..., :1])
    return torch.cat([place, place[..., :1].expand(-1, -1, count - place.shape[-1])], -1)


@wrong(
    "pointnet.ball_query",
    "the first in the cloud's order",
    says="You keep the first points inside in the order of the",
)
def _(queries, points, radius, count):
    apart = squared(queries, points)
    N = points.shape[1]
    place = torch.arange(N).expand_as(apart).where(apart <= radius**2, torch.tensor(N))
    place = place.sort(-1).values[..., :count]
    place = place.where(place < N, place[..., :1]).where(
        place[..., :1] < N, apart.argmin(-1)[..., None]
    )
    return torch.cat([place, place[..., :1].expand(-1, -1, count - place.shape[-1])], -1)


@wrong(
    "pointnet.ball_query",
    "free places hold point 0",
    says="Where too few points are inside, yours fills up with",
)
def _(queries, points, radius, count):
    apart, place = squared(queries, points).topk(min(count, points.shape[1]), largest=False)
    place = place.where(apart <= radius**2, 0)
    return F.pad(place, (0, count - place.shape[-1]))


@wrong("pointnet.ball_query", "free places hold -1", says="or none, yours fills up with −1.")
def _(queries, points, radius, count):
    apart, place = squared(queries, points).topk(min(count, points.shape[1]), largest=False)
    place = place.where(apart <= radius**2, -1)
    return F.pad(place, (0, count - place.shape[-1]), value=-1)


@wrong(
    "pointnet.ball_query",
    "fewer places where the cloud is smaller than count",
    says="Right as long as `count` is not more than the cloud",
)
def _(queries, points, radius, count):
    return balls(squared(queries, points).sqrt(), radius, min(count, points.shape[1]))


@wrong(
    "pointnet.ball_query",
    "topk without a look at the size of the cloud",
    says="Right as long as `count` is not more than the cloud",
)
def _(queries, points, radius, count):
    apart, place = squared(queries, points).topk(count, largest=False)
    return place.where(apart <= radius**2, place[..., :1])


@wrong(
    "pointnet.ball_query",
    "the farthest first",
    says="The right numbers in reverse order along axis -1.",
)
def _(queries, points, radius, count):
    return balls(squared(queries, points).sqrt(), radius, count).flip(-1)


@wrong(
    "pointnet.ball_query",
    "the farthest in the ball fills up",
    says="Where too few points are inside, yours fills up with",
)
def _(queries, points, radius, count):
    apart, place = squared(queries, points).topk(min(count, points.shape[1]), largest=False)
    inside = (apart <= radius**2).sum(-1, keepdim=True).clamp(min=1)
    slots = torch.arange(count).expand(*place.shape[:2], count)
    return place.gather(-1, slots.minimum(inside - 1))


@wrong(
    "pointnet.ball_query",
    "a row that is too short ends in the last that topk gave",
    says="with the last point that `topk` gave, the farthest.",
)
def _(queries, points, radius, count):
    apart, place = torch.cdist(queries, points).topk(min(count, points.shape[1]), largest=False)
    place = place.where(apart <= radius, place[..., :1])
    return F.pad(place.double(), (0, count - place.shape[-1]), mode="replicate").long()


@wrong(
    "pointnet.ball_query",
    "topk of the farthest",
    says="You begin with the farthest points: most lie outside.",
)
def _(queries, points, radius, count):
    apart, place = torch.cdist(queries, points).topk(min(count, points.shape[1]))
    near = place[..., :1]
    place = torch.where(apart <= radius, place, near)
    return torch.cat([place, near.repeat(1, 1, count - place.shape[-1])], -1)


@wrong(
    "pointnet.ball_query",
    "cdist the wrong way round",
    says="Your distances are (B, N, M): from points to queries,",
)
def _(queries, points, radius, count):
    apart = torch.cdist(points, queries)
    apart, place = apart.topk(min(count, points.shape[1]), largest=False)
    near = place[..., :1]
    place = torch.where(apart <= radius, place, near)
    return torch.cat([place, near.repeat(1, 1, count - place.shape[-1])], -1)


@wrong(
    "pointnet.ball_query",
    "a cube and not a ball",
    says="Your ball is a cube: each coordinate by itself is",
)
def _(queries, points, radius, count):
    return balls((queries[:, :, None] - points[:, None]).abs().amax(-1), radius, count)


@wrong(
    "pointnet.ball_query",
    "the points of the first cloud for all",
    says="All clouds are searched in the first one.",
)
def _(queries, points, radius, count):
    return balls(squared(queries, points[:1].expand_as(points)).sqrt(), radius, count)


@right("pointnet.ball_query", "loops and sorted")
def _(queries, points, radius, count):
    found = []
    for cloud, centres in zip(points.double(), queries.double()):
        rows = []
        for q in centres:
            apart = [float(((p - q) ** 2).sum()) for p in cloud]
            order = sorted(range(len(cloud)), key=apart.__getitem__)
            inside = [i for i in order if apart[i] <= radius**2][:count] or order[:1]
            rows.append(inside + inside[:1] * (count - len(inside)))
        found.append(rows)
    return torch.tensor(found)


@right("pointnet.ball_query", "torch.cdist and argsort")
def _(queries, points, radius, count):
    apart = torch.cdist(queries, points)
    order = apart.argsort(-1)[..., :count]
    near = apart.gather(-1, order) <= radius
    out = order[..., :1].repeat(1, 1, count)
    out[..., : order.shape[-1]] = torch.where(near, order, order[..., :1])
    return out


# SetAbstraction


class Abstraction(nn.Module):
    """Right; what follows changes one thing"""

    def __init__(self, channels: int, centres: int, radius: float, neighbours: int, widths: tuple):
        super().__init__()
        self.centres, self.radius, self.neighbours = centres, radius, neighbours
        self.mlp = shared_mlp(3 + channels, *widths)
        self.width = widths[-1]

    def around(self, points):
        centres = gather(points, farthest_points(points, self.centres))
        return centres, ball_query(centres, points, self.radius, self.neighbours)

    def seen(self, points, centres, index):
        return gather(points, index) - centres[:, :, None]

    def beside(self, places, features, index):
        return places if features is None else torch.cat([places, gather(features, index)], -1)

    def pooled(self, balls):
        return self.mlp(balls).amax(dim=2).relu()

    def forward(self, points, features=None):
        centres, index = self.around(points)
        return centres, self.pooled(self.beside(self.seen(points, centres, index), features, index))


@wrong(
    "pointnet.SetAbstraction",
    "neighbours are not seen from the centre",
    says="Your balls hold places as they are in the room:",
)
class _(Abstraction):
    def seen(self, points, centres, index):
        return gather(points, index)


@wrong(
    "pointnet.SetAbstraction",
    "centre minus neighbour",
    says="Your differences point the other way, from the",
)
class _(Abstraction):
    def seen(self, points, centres, index):
        return centres[:, :, None] - gather(points, index)


@wrong(
    "pointnet.SetAbstraction",
    "places are divided by the radius",
    says="You divide by the radius, so that a ball has the size",
)
class _(Abstraction):
    def seen(self, points, centres, index):
        return super().seen(points, centres, index) / self.radius


@wrong(
    "pointnet.SetAbstraction",
    "seen from the mean of the ball",
    says="You see the neighbours from the mean of their ball.",
)
class _(Abstraction):
    def seen(self, points, centres, index):
        ball = gather(points, index)
        return ball - ball.mean(2, keepdim=True)


@wrong(
    "pointnet.SetAbstraction",
    "features before places",
    says="The features stand in front of the places.",
)
class _(Abstraction):
    def beside(self, places, features, index):
        return places if features is None else torch.cat([gather(features, index), places], -1)


@wrong(
    "pointnet.SetAbstraction",
    "the maximum over the centres",
    says="The maximum runs over the centres:",
)
class _(Abstraction):
    def pooled(self, balls):
        return self.mlp(balls).amax(dim=1).relu()


@wrong("pointnet.SetAbstraction", "a mean over the ball", says="You take the mean over a ball.")
class _(Abstraction):
    def pooled(self, balls):
        return self.mlp(balls).mean(dim=2).relu()


@wrong(
    "pointnet.SetAbstraction",
    "no ReLU behind the maximum",
    says="The ReLU behind the maximum is missing:",
)
class _(Abstraction):
    def pooled(self, balls):
        return self.mlp(balls).amax(dim=2)


@wrong(
    "pointnet.SetAbstraction", "forgets the width", says="right but for self.width, which is None"
)
class _(Abstraction):
    def __init__(self, channels: int, centres: int, radius: float, neighbours: int, widths: tuple):
        super().__init__(channels, centres, radius, neighbours, widths)
        del self.width


@wrong(
    "pointnet.SetAbstraction",
    "the first points are the centres",
    says="The first points of the cloud are your centres.",
)
class _(Abstraction):
    def around(self, points):
        centres = points[:, : self.centres]
        return centres, ball_query(centres, points, self.radius, self.neighbours)


@wrong(
    "pointnet.SetAbstraction",
    "gives places of the centres and not the centres",
    says="You give the places of the centres as the first",
)
class _(Abstraction):
    def forward(self, points, features=None):
        return farthest_points(points, self.centres), super().forward(points, features)[1]


@wrong(
    "pointnet.SetAbstraction",
    "gives the features alone",
    says="The features alone. The next level looks for",
)
class _(Abstraction):
    def forward(self, points, features=None):
        return super().forward(points, features)[1]


@wrong("pointnet.SetAbstraction", "random centres", says="Your centres are chosen at random:")
class _(Abstraction):
    def around(self, points):
        centres = points[:, torch.randperm(points.shape[1])[: self.centres]]
        return centres, ball_query(centres, points, self.radius, self.neighbours)


@wrong(
    "pointnet.SetAbstraction",
    "features seen from the centre too",
    says="The centre's features are subtracted from its",
)
class _(Abstraction):
    def forward(self, points, features=None):
        chosen = farthest_points(points, self.centres)
        values = points if features is None else torch.cat([points, features], -1)
        centres = gather(points, chosen)
        index = ball_query(centres, points, self.radius, self.neighbours)
        return centres, self.pooled(gather(values, index) - gather(values, chosen)[:, :, None])


@wrong("pointnet.SetAbstraction", "looks for centres around points")
class _(Abstraction):
    def around(self, points):
        centres = gather(points, farthest_points(points, self.centres))
        return centres, ball_query(points, centres, self.radius, self.neighbours)[:, : self.centres]


@wrong(
    "pointnet.SetAbstraction",
    "the nearest neighbours, however far",
    says="Your neighbours are the nearest points, however far",
)
class _(Abstraction):
    def around(self, points):
        centres = gather(points, farthest_points(points, self.centres))
        return centres, ball_query(centres, points, 1e9, self.neighbours)


@wrong(
    "pointnet.SetAbstraction", "ignores the features", says="Wrong exactly where features is given"
)
class _(Abstraction):
    def beside(self, places, features, index):
        return F.pad(places, (0, 0 if features is None else features.shape[-1]))


@right("pointnet.SetAbstraction", "a ReLU before the maximum, centre by centre")
class _(Abstraction):
    def forward(self, points, features=None):
        if features is None:
            features = points.new_zeros(*points.shape[:2], 0)
        rows = torch.arange(len(points))[:, None]
        centres = points[rows, farthest_points(points, self.centres)]
        found = ball_query(centres, points, self.radius, self.neighbours)
        both = torch.cat([points, features], -1)
        balls = torch.stack([both[rows, found[:, m]] for m in range(self.centres)], 1)
        shift = F.pad(centres, (0, features.shape[-1]))
        return centres, self.mlp(balls - shift.unsqueeze(2)).relu().max(2)[0]


# max_pool_backward


@wrong(
    "pointnet.max_pool_backward",
    "every point gets the gradient",
    says="Every point gets the gradient, as if G were a sum.",
)
def _(dG, H):
    return np.broadcast_to(dG[:, None], H.shape).astype(dG.dtype)


@wrong(
    "pointnet.max_pool_backward",
    "as a mean would",
    says="Every point gets a share of the gradient, as if G",
)
def _(dG, H):
    return np.repeat(dG[:, None] / H.shape[1], H.shape[1], axis=1)


@wrong(
    "pointnet.max_pool_backward",
    "all equal ones get it",
    says="Every point with the largest number gets the whole",
)
def _(dG, H):
    return (H.max(axis=1, keepdims=True) == H) * dG[:, None]


@wrong(
    "pointnet.max_pool_backward",
    "equal ones share it",
    says="You share the gradient among points with the same",
)
def _(dG, H):
    won = H.max(axis=1, keepdims=True) == H
    return won * dG[:, None] / won.sum(axis=1, keepdims=True).astype(dG.dtype)


@wrong("pointnet.max_pool_backward", "times the maximum", says="Yours is multiplied by H.")
def _(dG, H):
    dH = np.zeros(H.shape, dG.dtype)
    np.put_along_axis(dH, H.argmax(axis=1)[:, None], (dG * H.max(axis=1))[:, None], axis=1)
    return dH


@wrong(
    "pointnet.max_pool_backward",
    "nothing where the maximum is negative",
    says="No gradient passes where the maximum is below zero,",
)
def _(dG, H):
    dH = np.zeros(H.shape, dG.dtype)
    kept = dG * (H.max(axis=1) > 0)
    np.put_along_axis(dH, H.argmax(axis=1)[:, None], kept[:, None], axis=1)
    return dH


@wrong(
    "pointnet.max_pool_backward",
    "zeros_like H, so H's dtype",
    says="The numbers are right, their dtype is not:",
)
def _(dG, H):
    dH = np.zeros(H.shape)
    np.put_along_axis(dH, H.argmax(axis=1)[:, None], dG[:, None], axis=1)
    return dH


@wrong(
    "pointnet.max_pool_backward",
    "one point for all features",
    says="One point of each cloud gets the gradient of all",
)
def _(dG, H):
    dH = np.zeros(H.shape, dG.dtype)
    winner = H.sum(axis=2).argmax(axis=1)
    dH[np.arange(len(H)), winner] = dG
    return dH


@wrong(
    "pointnet.max_pool_backward",
    "the best feature of each point",
    says="You look for the largest feature of each point.",
)
def _(dG, H):
    return (np.arange(H.shape[2]) == H.argmax(axis=2)[..., None]) * dG[:, None]


@wrong(
    "pointnet.max_pool_backward",
    "the last of equal ones",
    says="Of several points with the same largest number the",
)
def _(dG, H):
    dH = np.zeros(H.shape, dG.dtype)
    last = H.shape[1] - 1 - H[:, ::-1].argmax(axis=1)
    np.put_along_axis(dH, last[:, None], dG[:, None], axis=1)
    return dH


@right("pointnet.max_pool_backward", "three loops")
def _(dG, H):
    dH = np.zeros(H.shape, dtype=dG.dtype)
    for b in range(H.shape[0]):
        for d in range(H.shape[2]):
            dH[b, list(H[b, :, d]).index(max(H[b, :, d])), d] = dG[b, d]
    return dH


@right("pointnet.max_pool_backward", "one-hot rows and einsum")
def _(dG, H):
    rows = np.eye(H.shape[1], dtype=dG.dtype)[np.argmax(H, axis=1)]
    return np.einsum("bd,bdn->bnd", dG, rows)


# point_features


@wrong(
    "pointnet.point_features",
    "mends the way in alone",
    says="The way in is right. On the way out a reshape still",
)
def _(points, W, b):
    B, N, C = points.shape
    return F.conv1d(points.mT, W[..., None], b).relu().reshape(B, N, -1)


@wrong(
    "pointnet.point_features",
    "mends the way out alone",
    says="The way out is right. On the way in a reshape still",
)
def _(points, W, b):
    B, N, C = points.shape
    return F.conv1d(points.reshape(B, C, N), W[..., None], b).relu().mT


@wrong(
    "pointnet.point_features",
    "as it was, the numbers shuffled in another way",
    says="The way out is right. On the way in axes are moved,",
)
def _(points, W, b):
    B, N, C = points.shape
    x = points.permute(2, 0, 1).reshape(B, C, N)
    return F.conv1d(x, W[..., None], b).relu().mT


@wrong(
    "pointnet.point_features",
    "sorts the points first",
    says="Now the answer no longer hangs on the order, because",
)
def _(points, W, b):
    B, N, C = points.shape
    points = points.gather(1, points[..., :1].argsort(1).expand_as(points))
    return (points @ W.T + b).relu()


@wrong(
    "pointnet.point_features",
    "forgets the ReLU",
    says="The ReLU is gone: the shuffling was not its fault.",
)
def _(points, W, b):
    return F.conv1d(points.mT, W[..., None], b).mT


@wrong(
    "pointnet.point_features",
    "leaves the bias out",
    says="The bias is gone: the shuffling was not its fault.",
)
def _(points, W, b):
    return F.conv1d(points.mT, W[..., None]).relu().mT


@wrong(
    "pointnet.point_features",
    "gives (B, D, N)",
    says="The features are right, and lie as (B, D, N).",
)
def _(points, W, b):
    return F.conv1d(points.mT, W[..., None], b).relu()


@right("pointnet.point_features", "a linear map")
def _(points, W, b):
    return F.linear(points, W, b).clamp(min=0)


@right("pointnet.point_features", "einsum, point by point")
def _(points, W, b):
    return torch.stack([torch.einsum("bc,dc->bd", p, W) + b for p in points.unbind(1)], 1).relu()


# same_answer

SAME = {
    "maximum": {"shuffle", "double"},
    "mean": {"shuffle"},
    "sorted": {"shuffle"},
    "around the mean": {"shuffle", "move"},
    "distances": {"shuffle", "move", "turn", "mirror"},
}


@wrong(
    "pointnet.same_answer",
    "PointNet is invariant to everything",
    says="You let PointNet overlook moves and turns, as",
)
def _(network, change):
    return network == "maximum" or change in SAME[network]


@wrong(
    "pointnet.same_answer",
    "a mean does not notice a double",
    says="You let the mean overlook a point that is there",
)
def _(network, change):
    return change in SAME[network] or (network, change) == ("mean", "double")


@wrong(
    "pointnet.same_answer",
    "around the mean a double goes unnoticed",
    says="You let the network on x_i − x̄ overlook doubling, as",
)
def _(network, change):
    return change in SAME[network] or (network, change) == ("around the mean", "double")


@wrong(
    "pointnet.same_answer",
    "distances notice no double",
    says="You let the network on distances overlook doubling,",
)
def _(network, change):
    return change in SAME[network] or (network, change) == ("distances", "double")


@wrong(
    "pointnet.same_answer",
    "sorted notices a shuffle",
    says="Sorting undoes a shuffle, as long as no two points",
)
def _(network, change):
    return change in SAME[network] and network != "sorted"


@wrong(
    "pointnet.same_answer",
    "around the mean turns go unnoticed too",
    says="You let the network on x_i − x̄ overlook turns.",
)
def _(network, change):
    return change in SAME[network] or (network, change) == ("around the mean", "turn")


@wrong(
    "pointnet.same_answer",
    "mirrors are noticed by distances",
    says="You let distances notice a mirror.",
)
def _(network, change):
    return change in SAME[network] and change != "mirror"


@wrong(
    "pointnet.same_answer",
    "the sorted network does not see a move",
    says="You let the sorted network overlook a move.",
)
def _(network, change):
    return change in SAME[network] or (network, change) == ("sorted", "move")


@wrong(
    "pointnet.same_answer",
    "everything else but a shuffle is noticed",
    says="You let nothing but a shuffle go unnoticed.",
)
def _(network, change):
    return change == "shuffle"


@wrong("pointnet.same_answer", "always yes")
def _(network, change):
    return True


@right("pointnet.same_answer", "a table")
def _(network, change):
    return change in SAME[network]


@right("pointnet.same_answer", "tried out, NumPy's bool")
def _(network, change):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(6, 3))

    def key(x):
        seen = x - x.mean(0)
        if network == "distances":
            seen = (seen**2).sum(1, keepdims=True)
        if network in ("maximum", "mean", "sorted"):
            seen = x
        if network == "sorted":
            return seen[x[:, 0].argsort()].ravel()
        h = np.tanh(seen @ np.full((seen.shape[1], 4), [0.3, 0.9, -0.4, 0.2]))
        h += np.tanh(seen[:, :1])
        h = np.hstack([h, np.sin(seen)])
        return h.mean(0) if network == "mean" else h.max(0)

    c, s = np.cos(0.7), np.sin(0.7)
    other = {
        "shuffle": rng.permutation(x),
        "double": x[[0, 1, 2, 3, 4, 5, 2]],
        "move": x + [1, 2, 3],
        "turn": x @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]),
        "mirror": x * [-1, 1, 1],
    }[change]
    if network == "sorted" and len(other) != len(x):
        return False
    return np.isclose(key(x), key(other)).all()


# orthogonality


def identity(A):
    return torch.eye(A.shape[-1], dtype=A.dtype, device=A.device)


@wrong(
    "pointnet.orthogonality",
    "a root over the squares",
    says="You take the root: the norm itself and not its",
)
def _(A):
    return (identity(A) - A @ A.mT).norm(dim=(1, 2)).mean()


@wrong(
    "pointnet.orthogonality",
    "a mean over all entries",
    says="You average over the entries as well:",
)
def _(A):
    return (identity(A) - A @ A.mT).square().mean()


@wrong(
    "pointnet.orthogonality",
    "a sum over the clouds",
    says="You add up over the clouds too, so the penalty grows",
)
def _(A):
    return (identity(A) - A @ A.mT).square().sum()


@wrong("pointnet.orthogonality", "A times A", says="A times A instead of A times its transpose.")
def _(A):
    return (identity(A) - A @ A).square().sum((1, 2)).mean()


@wrong(
    "pointnet.orthogonality", "A times A entry by entry", says="`A * A` multiplies entry by entry."
)
def _(A):
    return (identity(A) - A * A).square().sum((1, 2)).mean()


@wrong(
    "pointnet.orthogonality", "the distance of A itself from I", says="You compare A itself with I:"
)
def _(A):
    return (identity(A) - A).square().sum((1, 2)).mean()


@wrong(
    "pointnet.orthogonality",
    "the squares are forgotten",
    says="Nothing is squared: gaps above and below zero cancel",
)
def _(A):
    return (identity(A) - A @ A.mT).sum((1, 2)).mean()


@wrong("pointnet.orthogonality", "absolute values", says="You add up absolute values.")
def _(A):
    return (identity(A) - A @ A.mT).abs().sum((1, 2)).mean()


@wrong("pointnet.orthogonality", "one number for each cloud", says="One number for each cloud.")
def _(A):
    return (identity(A) - A @ A.mT).square().sum((1, 2))


@wrong(
    "pointnet.orthogonality",
    "angles alone, lengths are free",
    says="Right angles are asked for and the lengths left free:",
)
def _(A):
    return (A @ A.mT * (1 - identity(A))).square().sum((1, 2)).mean()


@wrong(
    "pointnet.orthogonality",
    "a float without a gradient",
    says="The numbers are right, but cut from autograd's graph:",
)
def _(A):
    with torch.no_grad():
        return (identity(A) - A @ A.mT).square().sum((1, 2)).mean()


@wrong(
    "pointnet.orthogonality",
    "the determinant should be 1",
    says="You want the determinant to be 1.",
)
def _(A):
    return (torch.linalg.det(A) - 1).square().mean()


@right("pointnet.orthogonality", "Aᵀ A, by einsum")
def _(A):
    gram = torch.einsum("bki,bkj->bij", A, A)
    return ((gram - identity(A)) ** 2).sum() / len(A)


@right("pointnet.orthogonality", "by singular values")
def _(A):
    s = torch.linalg.svdvals(A)
    return (s.square() - 1).square().sum(-1).mean()


# interpolate


def mixed(queries, points, features, weigh, k=3, shares=True):
    apart, place = squared(queries, points).topk(k, largest=False)
    weights = weigh(apart)
    if shares:
        weights = weights / weights.sum(-1, keepdim=True)
    return (gather(features, place) * weights[..., None]).sum(2)


@wrong(
    "pointnet.interpolate",
    "one over the distance, not squared",
    says="You weigh by one over the distance.",
)
def _(queries, points, features):
    return mixed(queries, points, features, lambda d: 1 / (d.sqrt() + 1e-8))


@wrong(
    "pointnet.interpolate",
    "a plain mean of three",
    says="Your three points count alike, however far they are:",
)
def _(queries, points, features):
    return mixed(queries, points, features, torch.ones_like)


@wrong("pointnet.interpolate", "the nearest alone", says="You copy the nearest point's feature.")
def _(queries, points, features):
    return mixed(queries, points, features, torch.ones_like, k=1)


@wrong(
    "pointnet.interpolate", "all points", says="All points take part in your mean, the far ones a"
)
def _(queries, points, features):
    return mixed(queries, points, features, lambda d: 1 / (d + 1e-8), k=points.shape[1])


@wrong("pointnet.interpolate", "weights do not sum to one", says="Your weights do not sum to one:")
def _(queries, points, features):
    return mixed(queries, points, features, lambda d: 1 / (d + 1e-8), shares=False)


@wrong(
    "pointnet.interpolate", "no epsilon", says="Without ε the weight at a known point is 1 / 0, and"
)
def _(queries, points, features):
    return mixed(queries, points, features, lambda d: 1 / d)


@wrong(
    "pointnet.interpolate", "far ones more", says="Far points count more than near ones in yours:"
)
def _(queries, points, features):
    return mixed(queries, points, features, lambda d: d + 1e-8)


@wrong(
    "pointnet.interpolate",
    "a softmax of distances",
    says="Your weights are a softmax of the distances.",
)
def _(queries, points, features):
    return mixed(queries, points, features, lambda d: (-d).softmax(-1))


@wrong("pointnet.interpolate", "the three farthest", says="These are the three farthest points.")
def _(queries, points, features):
    apart, place = squared(queries, points).topk(3)
    weights = 1 / (apart + 1e-8)
    weights = weights / weights.sum(-1, keepdim=True)
    return (gather(features, place) * weights[..., None]).sum(2)


@wrong("pointnet.interpolate", "the fourth power", says="The distance is squared twice:")
def _(queries, points, features):
    return mixed(queries, points, features, lambda d: 1 / (d.square() + 1e-8))


@wrong(
    "pointnet.interpolate",
    "features of the first cloud for all",
    says="All clouds take the features of the first.",
)
def _(queries, points, features):
    return mixed(queries, points, features[:1].expand_as(features), lambda d: 1 / (d + 1e-8))


@wrong(
    "pointnet.interpolate",
    "detached features",
    says="The numbers are right, but cut from autograd's graph:",
)
def _(queries, points, features):
    return mixed(queries, points, features.detach(), lambda d: 1 / (d + 1e-8))


@wrong(
    "pointnet.interpolate",
    "the weights sum to one over the batch",
    says="Your weights are divided by their sum over the clouds",
)
def _(queries, points, features):
    apart, place = squared(queries, points).topk(3, largest=False)
    weights = 1 / (apart + 1e-8)
    return (gather(features, place) * (weights / weights.sum(0))[..., None]).sum(2)


@wrong("pointnet.interpolate", "an epsilon of a tenth")
def _(queries, points, features):
    return mixed(queries, points, features, lambda d: 1 / (d + 0.1))


@right("pointnet.interpolate", "loops")
def _(queries, points, features):
    out = []
    for q, p, f in zip(queries, points, features):
        rows = []
        for place in q:
            d = (p - place).pow(2).sum(-1)
            best = d.argsort()[:3]
            w = 1 / (d[best] + 1e-8)
            rows.append(w @ f[best] / w.sum())
        out.append(torch.stack(rows))
    return torch.stack(out)


@right("pointnet.interpolate", "a matrix of weights in float64")
def _(queries, points, features):
    d = torch.cdist(queries.double(), points.double(), compute_mode="donot_use_mm_for_euclid_dist")
    near, place = d.topk(3, largest=False)
    weights = torch.zeros_like(d).scatter(-1, place, 1 / (near**2 + 1e-8))
    weights = weights / weights.sum(-1, keepdim=True)
    return torch.bmm(weights.to(features.dtype), features)


# voxelize


def filled(cell, clouds, R):
    grid = clouds.new_zeros(len(clouds), R, R, R)
    x, y, z = cell.unbind(-1)
    grid[torch.arange(len(clouds))[:, None], x, y, z] = 1
    return grid


def cells(clouds, R):
    return ((clouds + 1) / 2 * R).floor().long().clamp(0, R - 1)


@wrong("pointnet.voxelize", "counts the points", says="You count the points of each cell.")
def _(clouds, resolution):
    grid = clouds.new_zeros(len(clouds), resolution, resolution, resolution)
    x, y, z = cells(clouds, resolution).unbind(-1)
    rows = torch.arange(len(clouds))[:, None].expand_as(x)
    return grid.index_put((rows, x, y, z), clouds.new_ones(()), accumulate=True)


@wrong("pointnet.voxelize", "rounds to the nearest", says="You round to the nearest whole number:")
def _(clouds, resolution):
    cell = ((clouds + 1) / 2 * resolution).round().long().clamp(0, resolution - 1)
    return filled(cell, clouds, resolution)


@wrong(
    "pointnet.voxelize", "times R − 1", says="You spread the points over `resolution` − 1 steps, as"
)
def _(clouds, resolution):
    cell = ((clouds + 1) / 2 * (resolution - 1)).floor().long().clamp(0, resolution - 1)
    return filled(cell, clouds, resolution)


@wrong("pointnet.voxelize", "axes z, y, x", says="The axes are in the reverse order, z first, as")
def _(clouds, resolution):
    return filled(cells(clouds.flip(-1), resolution), clouds, resolution)


@wrong("pointnet.voxelize", "no clamp", says="A point at 1 or beyond falls out of the grid:")
def _(clouds, resolution):
    return filled(((clouds + 1) / 2 * resolution).floor().long(), clouds, resolution)


@wrong(
    "pointnet.voxelize",
    "drops what lies outside",
    says="What lies outside, or at 1 itself, is left out of",
)
def _(clouds, resolution):
    grid = clouds.new_zeros(len(clouds), *3 * [resolution])
    cell = ((clouds + 1) / 2 * resolution).floor().long()
    for b, cloud in enumerate(cell):
        kept = cloud[((cloud >= 0) & (cloud < resolution)).all(-1)]
        grid[b, kept[:, 0], kept[:, 1], kept[:, 2]] = 1
    return grid


@wrong(
    "pointnet.voxelize",
    "the cube from 0 to 1",
    says="Coordinates are taken as running from 0 to 1:",
)
def _(clouds, resolution):
    cell = (clouds * resolution).floor().long().clamp(0, resolution - 1)
    return filled(cell, clouds, resolution)


@wrong("pointnet.voxelize", "fits the cube to the cloud", says="Each cloud fills its grid:")
def _(clouds, resolution):
    low, high = clouds.amin(1, keepdim=True), clouds.amax(1, keepdim=True)
    cell = ((clouds - low) / (high - low) * resolution).long().clamp(0, resolution - 1)
    return filled(cell, clouds, resolution)


@wrong(
    "pointnet.voxelize",
    "a cell holds its upper border",
    says="A point on the border of two cells goes to the lower",
)
def _(clouds, resolution):
    cell = ((clouds + 1) / 2 * resolution).ceil().long() - 1
    return filled(cell.clamp(0, resolution - 1), clouds, resolution)


@wrong(
    "pointnet.voxelize",
    "all clouds in one grid",
    says="All clouds of the batch are in each of your grids.",
)
def _(clouds, resolution):
    grid = clouds.new_zeros(len(clouds), *3 * [resolution])
    x, y, z = cells(clouds, resolution).unbind(-1)
    grid[:, x, y, z] = 1
    return grid


@wrong("pointnet.voxelize", "a mask", says="The numbers are right, their dtype is not:")
def _(clouds, resolution):
    return filled(cells(clouds, resolution), clouds, resolution).bool()


@wrong(
    "pointnet.voxelize", "float32 whatever comes", says="The numbers are right, their dtype is not:"
)
def _(clouds, resolution):
    return filled(cells(clouds, resolution), clouds, resolution).float()


@wrong(
    "pointnet.voxelize",
    "what lies outside comes in at the other side",
    says="What leaves the cube on one side comes back on the",
)
def _(clouds, resolution):
    cell = ((clouds + 1) / 2 * resolution).floor().long() % resolution
    return filled(cell, clouds, resolution)


@right("pointnet.voxelize", "loops")
def _(clouds, resolution):
    R = resolution
    grid = torch.zeros(len(clouds), R, R, R, dtype=clouds.dtype)
    for b, cloud in enumerate(clouds):
        for point in cloud:
            cell = (int(min(max((c + 1) * R // 2, 0), R - 1)) for c in point.tolist())
            grid[(b, *cell)] = 1
    return grid


@right("pointnet.voxelize", "flat numbers of the cells, scattered")
def _(clouds, resolution):
    R = resolution
    cell = torch.floor((clouds + 1) * (R / 2)).clamp(0, R - 1).long()
    flat = cell @ torch.tensor([R * R, R, 1])
    return clouds.new_zeros(len(clouds), R**3).scatter(1, flat, 1.0).view(-1, R, R, R)
