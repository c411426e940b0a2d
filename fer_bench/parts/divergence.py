"""Kullback-Leibler divergences between the predictions of networks, per face."""

from __future__ import annotations

from torch import Tensor


def kl(p_logits: Tensor, q_logits: Tensor) -> Tensor:
    """KL(softmax p || softmax q), [B] of logits [B, C] each."""
    log_p, log_q = p_logits.log_softmax(1), q_logits.log_softmax(1)
    return (log_p.exp() * (log_p - log_q)).sum(1)


def symmetric_kl(one: Tensor, other: Tensor) -> Tensor:
    """KL both ways, added; [B] of logits [B, C] each."""
    return kl(one, other) + kl(other, one)
