"""What keeps a T-Net's matrix a rotation."""

import torch

from tutorial_lib.checking import Exercise


def orthogonality(A):
    """How far matrices are from orthogonal ones, whose rows have length 1 and right angles.

    A (B, K, K), a matrix for each cloud, as a T-Net predicts it
    ->  a scalar tensor, L = ‖I − A Aᵀ‖²_F, averaged over the clouds

    ‖·‖²_F is the sum of the squares of all entries. PointNet's equation 2; a gradient flows to A.
    """
    I = torch.eye(A.shape[-1], dtype=A.dtype, device=A.device)  # noqa: E741, the paper's letter
    return (I - A @ A.mT).square().sum(dim=(1, 2)).mean()


def matrices(rng):
    for B, K in [(1, 2), (2, 3), (3, 1), (2, 2), (3, 4)]:
        yield dict(A=torch.from_numpy(rng.normal(size=(B, K, K))).requires_grad_())
    rotation = torch.tensor([[[0.6, -0.8], [0.8, 0.6]], [[0.0, 1.0], [1.0, 0.0]]])
    yield dict(A=rotation.double())
    yield dict(A=3 * torch.eye(3, dtype=torch.float64).repeat(2, 1, 1))
    yield dict(A=torch.from_numpy(rng.normal(size=(2, 3, 3))).float())


orthogonality = Exercise(
    orthogonality,
    level=2,
    minutes=10,
    cases=matrices,
    hints=(
        "A Aᵀ holds the products of the rows of A with each other. What should stand on its "
        "diagonal, and what beside it?",
        "`A.mT` transposes each matrix of the batch; `torch.eye(K)` is I, and broadcasting lends "
        "it to every cloud. Squares are added up within a cloud and averaged between clouds.",
        "`(I - A @ A.mT).square().sum(dim=(1, 2)).mean()`, with I of A's dtype and on its device.",
    ),
)


def _gap(A):
    return torch.eye(A.shape[-1], dtype=A.dtype) - A @ A.mT


@orthogonality.mistake(
    """You take the root: the norm itself and not its square. Some public code does that. Which one
    stands in the formula?"""
)
def not_squared(A):
    return _gap(A).square().sum(dim=(1, 2)).sqrt().mean()


@orthogonality.mistake(
    """You average over the entries as well: of matrices of 64 × 64 the penalty is then 4,096 times
    too weak. What is added up, and what is averaged?"""
)
def averaged_over_the_entries(A):
    return _gap(A).square().mean()


@orthogonality.mistake(
    """You add up over the clouds too, so the penalty grows with the batch. What is averaged?"""
)
def summed_over_the_clouds(A):
    return _gap(A).square().sum()


@orthogonality.mistake(
    """You compare A itself with I: the network is then pulled back to doing nothing, and a rotation
    is punished. For which A is A Aᵀ the identity?"""
)
def compared_with_the_identity(A):
    return (torch.eye(A.shape[-1], dtype=A.dtype) - A).square().sum(dim=(1, 2)).mean()


@orthogonality.mistake(
    """A times A instead of A times its transpose. A rotation by 40° applied twice is one by 80°:
    what undoes it?"""
)
def times_itself(A):
    return (torch.eye(A.shape[-1], dtype=A.dtype) - A @ A).square().sum(dim=(1, 2)).mean()


@orthogonality.mistake(
    """`A * A` multiplies entry by entry. Which sign multiplies matrices, and what must be
    transposed?"""
)
def entry_by_entry(A):
    return (torch.eye(A.shape[-1], dtype=A.dtype) - A * A).square().sum(dim=(1, 2)).mean()


@orthogonality.mistake(
    """One number for each cloud. A loss is one number: what does the task do over the clouds?"""
)
def one_for_each_cloud(A):
    return _gap(A).square().sum(dim=(1, 2))


@orthogonality.mistake(
    """You look at the determinant alone. It is ±1 for every orthogonal matrix, but for many others
    too: stretch x by two and squeeze y by two."""
)
def by_the_determinant(A):
    return (torch.linalg.det(A).abs() - 1).square().mean()


@orthogonality.mistake(
    """The identity is missing: the smallest penalty is then that of A = 0, which throws the cloud
    away."""
)
def without_the_identity(A):
    return (A @ A.mT).square().sum(dim=(1, 2)).mean()


@orthogonality.mistake(
    """You want the determinant to be 1. A mirror is orthogonal and has −1, and many a matrix with 1
    is not: stretch x by two and squeeze y by two."""
)
def determinant_of_one(A):
    return (torch.linalg.det(A) - 1).square().mean()


@orthogonality.mistake(
    """Nothing is squared: gaps above and below zero cancel each other. What does ‖·‖²_F add up?"""
)
def plain_sum(A):
    return _gap(A).sum(dim=(1, 2)).mean()


@orthogonality.mistake("""You add up absolute values. What does ‖·‖²_F add up?""")
def absolute_values(A):
    return _gap(A).abs().sum(dim=(1, 2)).mean()


@orthogonality.mistake(
    """Right angles are asked for and the lengths left free: the diagonal of A Aᵀ does not count in
    yours. What should stand there?"""
)
def lengths_left_free(A):
    return (_gap(A) * (1 - torch.eye(A.shape[-1], dtype=A.dtype))).square().sum((1, 2)).mean()
