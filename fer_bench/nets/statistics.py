"""Batch norm for a network that has scales without statistics, such as dlib's: what it says of any face stays as it is.

A scale y = w c + b of a convolution's output c is a batch norm that believes in mean 0 and variance 1. With the mean m
and the variance v of c over some faces it becomes one that believes in those, with weight w sqrt(v) and bias b + w m:
the same numbers in evaluation, and in training the normalisation that the other networks have.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

NORM = nn.BatchNorm2d
BATCH = 64  # faces at a time


def has_statistics(state: dict[str, Tensor]) -> bool:
    """Whether any batch norm of a state_dict has seen images; True where there is no batch norm."""
    kept = {key: value for key, value in state.items() if key.endswith(("running_mean", "running_var"))}
    return not kept or any((value != (1 if key.endswith("var") else 0)).any() for key, value in kept.items())


@torch.no_grad()
def give_statistics(network: nn.Module, images: Tensor) -> None:
    """Let each batch norm of ``network.forward_features`` believe in the statistics that its inputs have over
    ``images`` float32 [N, C, S, S], and change its weight and bias so that evaluation gives what it gave."""
    sums: dict[nn.BatchNorm2d, list[Tensor]] = {}

    def watch(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        (given,) = inputs
        values = given.double()
        found = torch.stack([values.sum((0, 2, 3)), values.square().sum((0, 2, 3)),
                             torch.full((given.shape[1],), given.numel() / given.shape[1], dtype=torch.float64)])
        sums.setdefault(module, []).append(found)  # type: ignore[arg-type]

    hooks = [module.register_forward_pre_hook(watch) for module in network.modules() if isinstance(module, NORM)]
    training = network.training
    network.eval()
    for batch in torch.split(images, BATCH):
        network.forward_features(batch)  # type: ignore[operator]
    for hook in hooks:
        hook.remove()
    network.train(training)
    for norm, parts in sums.items():
        total, squares, count = torch.stack(parts).sum(0)
        believe(norm, total / count, (squares / count - (total / count).square()).clamp(min=0))


def believe(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
    """Change what a batch norm takes for its input's mean and variance, float64 [C], and nothing that it computes."""
    assert norm.running_mean is not None and norm.running_var is not None
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    shift = norm.bias.double() - scale * norm.running_mean.double()
    norm.weight.copy_(scale * (variance + norm.eps).sqrt())
    norm.bias.copy_(shift + scale * mean)
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
