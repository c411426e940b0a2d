"""Two-component mixtures over one number per face, which tell likely right labels from likely wrong ones."""

from __future__ import annotations

import torch
from torch import Tensor


def scaled(values: Tensor) -> Tensor:
    """Values moved and stretched to 0..1."""
    low, high = values.min(), values.max()
    return (values - low) / (high - low).clamp(min=1e-12)


def gaussian_low(values: Tensor, steps: int = 50) -> Tensor:
    """Posterior of the lower of two Gaussians fitted by EM to values [N], float [N] (DivideMix: small losses); 1 for a
    single value, which has no variance."""
    if len(values) == 1:
        return torch.ones_like(values)
    x = values.double()[:, None]
    mean = torch.stack([x.min(), x.max()])
    variance = x.var().clamp(min=1e-6).expand(2)
    share = torch.full_like(mean, 0.5)
    for _ in range(steps):
        posterior = (share.log() - 0.5 * (variance.log() + (x - mean) ** 2 / variance)).softmax(1)
        total = posterior.sum(0).clamp(min=1e-9)
        mean = (posterior * x).sum(0) / total
        variance = (posterior * (x - mean) ** 2).sum(0) / total + 5e-4  # DivideMix's reg_covar
        share = total / len(x)
    posterior = (share.log() - 0.5 * (variance.log() + (x - mean) ** 2 / variance)).softmax(1)
    return torch.where(mean[0] <= mean[1], posterior[:, 0], posterior[:, 1]).to(values.dtype)


def beta_high(values: Tensor, steps: int = 10) -> Tensor:
    """Posterior of the higher of two Beta distributions fitted by EM with moment matching to values [N] in 0..1, float
    [N], not falling as values rise (ReSup, utils.py:184-256 at 0eb4353). Near 0 the densities would turn over, and the
    lowest faces would come out as the surest: from the lower one's mean downwards it is the least so far."""
    x = values.double().clamp(1e-4, 1 - 1e-4)[:, None]
    posterior = torch.cat([1 - x, x], 1)
    for _ in range(max(steps, 1)):
        share = posterior.sum(0) / posterior.sum()
        mean = (posterior * x).sum(0) / posterior.sum(0)
        variance = ((posterior * (x - mean) ** 2).sum(0) / posterior.sum(0)).clamp(min=1e-6)
        posterior = beta_posterior(x, share, mean, variance)
    at_mean = beta_posterior(mean[:1, None], share, mean, variance)[0, 1]
    ascending = x[:, 0].argsort(stable=True)
    below, found = (x[:, 0] < mean[0])[ascending], posterior[:, 1][ascending]
    falling = torch.where(below, found.clamp(max=at_mean), at_mean).flip(0).cummin(0).values.flip(0)
    rising = torch.where(below, at_mean, found.clamp(min=at_mean)).cummax(0).values
    both = torch.where(below, falling, rising)
    return torch.empty_like(both).index_copy_(0, ascending, both).to(values.dtype)


def beta_posterior(x: Tensor, share: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """Posteriors [N, 2] of two Beta distributions with these shares, means and variances [2] at x [N, 1]."""
    common = (mean * (1 - mean) / variance - 1).clamp(min=1e-3)
    a, b = mean * common, (1 - mean) * common
    log_beta = torch.lgamma(a) + torch.lgamma(b) - torch.lgamma(a + b)
    return (share.log() + (a - 1) * x.log() + (b - 1) * (1 - x).log() - log_beta).softmax(1)
