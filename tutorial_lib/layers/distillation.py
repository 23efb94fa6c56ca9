"""Learning from a teacher's probabilities, in PyTorch. Taught in chapter 06.

Hinton et al., Distilling the Knowledge in a Neural Network (1503.02531), section 2.
"""

import torch.nn.functional as F


def divergence_from_teacher(z_s, z_t, tau):
    """Soft distillation in PyTorch: τ² KL(p_t ‖ p_s), the mean over the pictures.

    z_s, z_t (N, K) tensors, logits of the student and of the teacher; tau > 0
    ->  tensor (), of the graph of z_s if z_s needs a gradient, and never of the graph of z_t

    `F.kl_div(log_p, log_q, reduction=..., log_target=True)` makes exp(log_q) (log_q − log_p),
    number by number; reduction may be "none", "sum", "mean" or "batchmean".
    """
    log_s = (z_s / tau).log_softmax(dim=-1)
    log_t = (z_t.detach() / tau).log_softmax(dim=-1)  # the teacher teaches and does not learn
    divergence = F.kl_div(log_s, log_t, reduction="none", log_target=True)  # (N, K)
    return tau**2 * divergence.sum(dim=-1).mean()
