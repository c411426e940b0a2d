"""Selection of the faces with the smallest losses, which are taken for rightly labelled."""

from __future__ import annotations

from torch import Tensor

from fer_bench.method import Clock


def kept_share(clock: Clock, noise_rate: float, ramp: float) -> Tensor:
    """1 - R: the share of faces to keep, 0-d float. R = noise_rate min(T / T_k, 1), T the epoch counted from 1 and T_k
    the first ``ramp`` of all epochs (Co-teaching's paper; 10 epochs there). Its code and JoCoR's (main.py:134-135 at
    7c7fbe2) divide by T_k - 1: R is a ninth of the noise rate in the first epoch and all of it in the ninth."""
    return 1 - noise_rate * ((clock.epoch + 1) / max(ramp * clock.epochs, 1e-9)).clamp(max=1)


def smallest(losses: Tensor, share: Tensor) -> Tensor:
    """Bool [B]: whether a loss is among the floor(share B) smallest, at least one; ties by place."""
    count = (share * len(losses) + 1e-4).floor().clamp(min=1)  # what a float32 share lacks must not drop a face
    ranks = losses.detach().argsort(stable=True).argsort()
    return ranks < count


def mean_over(losses: Tensor, chosen: Tensor) -> Tensor:
    """Mean of the chosen losses [B], 0 if none is; without reading how many."""
    return (losses * chosen).sum() / chosen.sum().clamp(min=1)
