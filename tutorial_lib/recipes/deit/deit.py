"""What a teacher and what mixed pictures are worth to a ViT that has seen 2,000: a recorded table.

Taught in chapter 06, after Touvron et al., Training data-efficient image transformers and
distillation through attention (ICML 2021, 2012.12877), sections 5 and 6. Train two teachers and a
student, then measure everything again, an hour on two cores:

    python -m tutorial_lib.recipes.deit.deit models
    python -m tutorial_lib.recipes.deit.deit [--out FILE] [--processes N]
"""

import sys
from functools import partial
from itertools import product
from pathlib import Path

import torch
import torch.nn.functional as F

from tutorial_lib.data import augmentation
from tutorial_lib.data.augmentation import one_hot
from tutorial_lib.data.fashion_mnist import fashion_mnist
from tutorial_lib.layers.distillation import divergence_from_teacher
from tutorial_lib.measuring.records import record
from tutorial_lib.models.backbones.cnn import SmallCNN
from tutorial_lib.models.backbones.deit import DeiT, token_similarity
from tutorial_lib.models.backbones.vit import ViT
from tutorial_lib.recipes import shipped
from tutorial_lib.recipes.vit.data_size import MEAN, STD
from tutorial_lib.training.device import best_device
from tutorial_lib.training.loop import train

CHECKPOINTS = Path(__file__).parent
PICTURES, BATCH, SEEDS = 2000, 64, range(3)
STEPS, LONG = 1500, 4500
TAU = 3.0  # the temperature of soft distillation, as in the paper

SIZES = dict(image_size=28, patch=7, channels=1, classes=10, dim=64, depth=4, heads=4, hidden=128)
MAKERS = {  # name -> a fresh model, and its learning rate
    "ViT": (partial(ViT, **SIZES), 2e-3),
    "DeiT": (partial(DeiT, **SIZES), 2e-3),
    "CNN": (partial(SmallCNN, 1, 10, width=56), 4e-3),
}
TEACHERS = {  # name -> what is done to the pictures it sees, and steps: the best that we found
    "CNN": (("flip", "shift", "erasing"), 2500),
    "ViT": (("flip", "shift"), 3000),
}


def mixup_or_cutmix(x, y, generator):
    """One of the two for the whole batch, either with probability 1/2, as DeiT does."""
    if torch.rand((), generator=generator) < 0.5:
        return augmentation.mixup(x, y, 0.8, generator)
    return augmentation.cutmix(x, y, 1.0, generator)


CHANGES = {  # to pictures (B, 1, 28, 28) from 0 to 1, and to their labels (B, 10)
    "flip": lambda x, y, g: (augmentation.random_flip(x, g), y),
    "shift": lambda x, y, g: (augmentation.random_shift(x, 2, g), y),
    "mixup": lambda x, y, g: augmentation.mixup(x, y, 0.8, g),
    "CutMix": lambda x, y, g: augmentation.cutmix(x, y, 1.0, g),
    "mixup or CutMix": mixup_or_cutmix,
    "erasing": lambda x, y, g: (augmentation.random_erasing(x, g), y),
}
AUGMENTATIONS = (
    (),
    ("flip",),
    ("shift",),
    ("shift", "mixup"),
    ("shift", "CutMix"),
    ("shift", "erasing"),
    ("shift", "mixup or CutMix", "erasing"),
)
CHECKPOINT_FILES = {
    "CNN": "teacher_cnn.safetensors",
    "ViT": "teacher_vit.safetensors",
    "DeiT": "deit.safetensors",
}
# A teacher is tried without and with pictures that are made of two.
WITH_A_TEACHER = ("shift",), ("shift", "CutMix")


def labels_only(logits, y, teacher_logits):
    return F.cross_entropy(logits, y)


def soft(logits, y, teacher_logits, share):
    """Labels, and the teacher's probabilities with this share of the loss; 0.1 in the paper."""
    divergence = divergence_from_teacher(logits, teacher_logits, TAU)
    return (1 - share) * F.cross_entropy(logits, y) + share * divergence


def hard(logits, y, teacher_logits):
    """The label and the teacher's decision, half and half, for the same head."""
    decided = teacher_logits.argmax(dim=-1)
    return (F.cross_entropy(logits, y) + F.cross_entropy(logits, decided)) / 2


def sharper(logits, y, teacher_logits):
    """A control for `hard`: the second label is the first one's largest share, and no teacher's."""
    largest = y.argmax(dim=-1)
    return (F.cross_entropy(logits, y) + F.cross_entropy(logits, largest)) / 2


def token(logits, y, teacher_logits):
    """DeiT: the label for the class token's head, the decision for the distillation token's."""
    by_label, by_teacher = logits
    decided = teacher_logits.argmax(dim=-1)
    return (F.cross_entropy(by_label, y) + F.cross_entropy(by_teacher, decided)) / 2


def two_class_tokens(logits, y, teacher_logits):
    """The control: as many tokens and heads as DeiT has, and no teacher."""
    return (F.cross_entropy(logits[0], y) + F.cross_entropy(logits[1], y)) / 2


LESSONS = {  # name -> student, teacher, loss of the student's logits, the labels, the teacher's
    "labels": ("ViT", None, labels_only),
    "soft, a tenth": ("ViT", "CNN", partial(soft, share=0.1)),
    "soft, a half": ("ViT", "CNN", partial(soft, share=0.5)),
    "hard": ("ViT", "CNN", hard),
    "hard, own token": ("DeiT", "CNN", token),
    "hard, own token, ViT teaches": ("DeiT", "ViT", token),
    "two class tokens": ("DeiT", None, two_class_tokens),
    "sharper labels": ("ViT", None, sharper),
}


def normalized(x):
    """Pixels from 0 to 1 as a network gets them, with mean 0 and variance 1 over Fashion-MNIST."""
    return (x - MEAN) / STD


def drawer(augmentations, count=PICTURES):
    """A function for `train`: BATCH of the first `count` pictures, changed and then normalized
    (BATCH, 1, 28, 28), and their labels as distributions (BATCH, 10)."""
    images, labels = fashion_mnist("train", count)

    def draw(generator):
        chosen = torch.randint(count, (BATCH,), generator=generator)
        x, y = images[chosen, None], one_hot(labels[chosen], 10)
        for name in augmentations:
            x, y = CHANGES[name](x, y, generator)
        return normalized(x), y

    return draw


def learn(lesson, augmentations, seed, steps=STEPS, lr=None, label="training"):
    """A student after its training, at the rate of MAKERS if no other is given."""
    name, taught_by, loss = LESSONS[lesson]
    make, usual = MAKERS[name]
    teacher = load(taught_by)[0].to(best_device()) if taught_by else None

    def loss_of(model, x, y):
        with torch.no_grad():
            teacher_logits = teacher(x) if teacher else None
        return loss(model(x), y, teacher_logits)

    torch.manual_seed(seed)
    student = make()
    settings = dict(steps=steps, lr=lr or usual, warmup=steps // 10, seed=seed, label=label)
    train(student, drawer(augmentations), loss_of, **settings)
    return student.eval()


@torch.no_grad()
def predictions(model, images):
    """Logits (n, 10) of normalized images (n, 1, 28, 28) by each of a student's rules: `answer`,
    and for DeiT the two heads by themselves."""
    if not isinstance(model, DeiT):
        return {"answer": model(images)}
    by_label, by_teacher = model(images)
    return {"answer": (by_label + by_teacher) / 2, "label": by_label, "teacher": by_teacher}


def accuracy(model) -> float:
    """How many of the 2,000 test pictures a model in evaluation mode tells right, as a share."""
    images, labels = fashion_mnist("test")
    answer = predictions(model, normalized(images[:, None]))["answer"]
    return (answer.argmax(-1) == labels).float().mean().item()


def measure(row):
    """One row of the record, in a process of its own."""
    student = learn(row["lesson"], row["augmentations"], row["seed"], row["steps"])
    images, labels = fashion_mnist("test")
    x = normalized(images[:, None])
    found = predictions(student, x)
    right = {k: (z.argmax(-1) == labels).float().mean().item() for k, z in found.items()}
    row = row | {"accuracy": right.pop("answer"), "heads": right}
    for name in ("CNN", "ViT"):
        decided = load(name)[0](x).argmax(-1)
        same = {k: (z.argmax(-1) == decided).float().mean().item() for k, z in found.items()}
        row[f"agrees_with_{name}"] = same
    if isinstance(student, DeiT):
        with torch.no_grad():
            layers = student.tokens_by_layer(x[:500])
            # The last norm belongs to what the heads read.
            row["similarity"] = token_similarity([*layers, student.norm(layers[-1])]).tolist()
    return row


def load(name, folder=CHECKPOINTS):
    """A trained model of CHECKPOINT_FILES, and what is recorded of its training."""
    return shipped.load(folder / CHECKPOINT_FILES[name], MAKERS[name][0]())


def save(model, name, folder, **record):
    """Write a model's checkpoint, with what is recorded of its training and its accuracy."""
    record |= {
        "recipe": "tutorial_lib.recipes.deit.deit",
        "batch": BATCH,
        "count": PICTURES,
        "accuracy": f"{accuracy(model.eval()):.4f}",
    }
    path = folder / CHECKPOINT_FILES[name]
    shipped.save(path, model, **record)
    print(f"{path}: {record['accuracy']} of unseen pictures told right")


def train_teacher(name, folder=CHECKPOINTS, seed=100, steps=None):
    """Train a teacher on the pictures that its students will see, and write its checkpoint."""
    torch.manual_seed(seed)
    make, lr = MAKERS[name]
    model, (seen, usual) = make(), TEACHERS[name]
    steps = steps or usual
    settings = dict(steps=steps, lr=lr, warmup=steps // 10, seed=seed)
    train(model, drawer(seen), lambda m, x, y: F.cross_entropy(m(x), y), label=name, **settings)
    save(model, name, folder, augmentations=", ".join(seen), **settings)


def train_student(folder=CHECKPOINTS, seed=0, steps=STEPS):
    """Train the student that the chapter looks into, and write its checkpoint."""
    lesson, seen = "hard, own token", ("shift", "CutMix")
    student = learn(lesson, seen, seed, steps)
    save(
        student,
        "DeiT",
        folder,
        lesson=lesson,
        augmentations=", ".join(seen),
        steps=steps,
        seed=seed,
    )


def plan():
    """What is measured: every augmentation with labels only, every lesson with two of them, and
    three of these settings for three times as long."""
    settings = [("labels", seen, STEPS) for seen in AUGMENTATIONS]
    lessons = [lesson for lesson in LESSONS if lesson != "labels"]
    settings += product(lessons, WITH_A_TEACHER, (STEPS,))
    settings += [("labels", seen, LONG) for seen in WITH_A_TEACHER]
    settings += [("hard, own token", WITH_A_TEACHER[-1], LONG)]
    return [
        {"lesson": lesson, "augmentations": list(seen), "steps": steps, "seed": seed}
        for seed, (lesson, seen, steps) in product(SEEDS, settings)
    ]


def main(arguments: list[str] | None = None) -> None:
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments == ["models"]:
        for name in TEACHERS:
            train_teacher(name)
        train_student()
    else:
        record("deit", plan(), measure, arguments, pictures=PICTURES, batch=BATCH, tau=TAU)


if __name__ == "__main__":
    main()
