"""Convolutions whose weight gradients a second core computes, if one is idle, without changing a bit of them.

A run has one thread, so that its numbers do not depend on the machine (docs/speed.md). In a backward pass nothing
waits for the gradients of the weights until the pass is over: a helper thread computes them one after the other, asleep
in between, while the pass itself goes on. On a busy machine the helper just takes its turns.
"""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class Conv2d(nn.Conv2d):
    """``nn.Conv2d`` without bias: same weights, same bits."""

    def __init__(self, channels: int, out: int, size: int, stride: int, padding: int | None = None) -> None:
        super().__init__(channels, out, size, stride, size // 2 if padding is None else padding, bias=False)
        self.promised: tuple[Tensor, Promise] | None = None  # weights of the forward pass under way, their promise

    def forward(self, images: Tensor) -> Tensor:
        """[B, C, h, w] to [B, D, h', w']."""
        promised, self.promised = self.promised, None
        if promised is None:
            return super().forward(images)
        maps = self._conv_forward(images, self.weight.detach(), None)
        owed: Tensor = Owe.apply(maps, *promised, images.detach(), self)  # type: ignore[no-untyped-call]
        return owed


class Promise:
    """The gradient that the weights of one convolution are owed for one forward pass."""

    gradient: Future[Tensor] | None = None


def promise_gradients(network: nn.Module) -> None:
    """Call it before a forward pass of a network. Backward passes go back in time: what is asked for before all layers
    is waited for after all of them."""
    first = next(network.parameters())
    if first.device.type == "cpu" and torch.is_grad_enabled() and torch.get_num_threads() == 1:
        for module in network.modules():
            if isinstance(module, Conv2d) and module.weight.requires_grad:
                promise = Promise()
                module.promised = Keep.apply(module.weight, promise), promise  # type: ignore[no-untyped-call]


class Keep(torch.autograd.Function):
    """The weights themselves; backward waits for the promised gradient."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, promise: Promise) -> Tensor:
        ctx.promise = promise
        ctx.set_materialize_grads(False)
        return weight.view_as(weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *nothing: None) -> tuple[Tensor | None, None]:
        return ctx.promise.gradient.result(), None


class Owe(torch.autograd.Function):
    """A convolution's maps themselves; backward asks the helper for the gradient of the weights, and goes on."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor, promise: Promise, images: Tensor, layer: Conv2d) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.promise, ctx.layer = promise, layer
        return maps.view_as(maps)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, above: Tensor) -> tuple[Tensor | None, None, None, None, None]:
        images, weight = ctx.saved_tensors

        def gradient() -> Tensor:
            with torch.no_grad():  # the helper would record a graph
                found: Tensor = torch.ops.aten.convolution_backward(
                    above, images.to(above.dtype), weight.to(above.dtype), None, ctx.layer.stride, ctx.layer.padding,
                    ctx.layer.dilation, False, [0, 0], ctx.layer.groups, [False, True, False])[1]
            return found.to(weight.dtype)

        ctx.promise.gradient = helper(os.getpid()).submit(gradient)
        return above if ctx.needs_input_grad[0] else None, None, None, None, None


@cache
def helper(process: int) -> ThreadPoolExecutor:
    """The helper thread of a process; a forked child has none of its parent's threads and makes its own."""
    return ThreadPoolExecutor(1, "gradients", initializer=torch.set_num_threads, initargs=(1,))
