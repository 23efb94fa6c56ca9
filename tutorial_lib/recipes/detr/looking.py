"""What the figures of chapter 14 show: boxes on scenes, and where queries look."""

import torch
from matplotlib.patches import Rectangle

from tutorial_lib.data.scenes import KINDS
from tutorial_lib.notebook.plotting import OKABE_ITO

SURE = 0.5  # an answer with this probability of its class is shown
COLOR = dict(zip(KINDS, OKABE_ITO))


def show_scene(ax, image, title=""):
    """An image (3, H, W) on axes that run from 0 to 1, as boxes do."""
    ax.imshow(image.permute(1, 2, 0).numpy(), extent=(0, 1, 1, 0), interpolation="nearest")
    ax.spines[:].set_visible(False)
    ax.set(title=title, xticks=[], yticks=[], xlim=(0, 1), ylim=(1, 0))


def outline(ax, box, color, text="", **style):
    """One box, cx, cy, w, h in shares of the picture, with a word at its upper left."""
    cx, cy, w, h = (float(x) for x in box)
    style = dict(color=color, lw=1.8) | style
    ax.add_patch(Rectangle((cx - w / 2, cy - h / 2), w, h, fill=False, **style))
    if text:
        ax.text(
            max(cx - w / 2, 0), max(cy - h / 2, 0.06), text, fontsize=7, color="white", va="bottom",
            bbox={"facecolor": color, "edgecolor": "none", "pad": 1},
        )  # fmt: skip


@torch.no_grad()
def answers(model, image):
    """A model's answers to one image (3, H, W): for each query its boxes (N, 4), the best class
    other than "no object" (N,) and that class's probability (N,). A model may give the answers of
    all its layers, of which the last ones count."""
    out = model.eval()(image[None])
    logits, boxes = out[-1] if isinstance(out, list) else out
    probability, kind = logits[0].softmax(-1)[:, :-1].max(-1)
    return boxes[0], kind, probability


def show_answers(ax, model, image, title=""):
    """A scene and the answers that the model is sure of, with class and probability. The others
    are not shown; nothing else is removed."""
    show_scene(ax, image, title)
    for box, kind, sure in zip(*answers(model, image)):
        if sure > SURE:
            name = list(KINDS)[kind]
            outline(ax, box, COLOR[name], f"{name} {sure:.2f}")


@torch.no_grad()
def looks(model, images):
    """Where the queries look in the last layer of the decoder, a mean over its heads.

    images (B, 3, H, W)  ->  (B, N, h, w), shares of all places
    """
    caught, attention = [], model.eval().decoder[-1].cross_attention
    hook = attention.register_forward_pre_hook(lambda module, given: caught.append(given))
    model(images)
    hook.remove()
    h, w = (n // 8 for n in images.shape[-2:])
    return attention.weights(*caught[0]).mean(1).unflatten(-1, (h, w))
