"""The rules of a step that shall run on a CUDA device, give the same bits each time, and be recorded as a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor

CONVOLUTIONS = ("forward", "evaluation", "sweep")  # parts whose convolutions are in the recipe's precision
COPIES = {"_to_copy", "copy_", "lift_fresh", "_pin_memory"}
RANDOM = {"bernoulli", "bernoulli_", "cauchy_", "exponential_", "geometric_", "log_normal_", "multinomial",
          "native_dropout", "normal", "normal_", "poisson", "rand", "rand_like", "randint", "randint_like", "randn",
          "randn_like", "random", "random_", "randperm", "rrelu_with_noise", "uniform", "uniform_"}
UNREPEATABLE = {  # raise on CUDA under torch.use_deterministic_algorithms(True), torch 2.11 to 2.15
    "_adaptive_avg_pool2d_backward", "_adaptive_avg_pool3d_backward", "_ctc_loss_backward", "_ctc_loss",
    "_upsample_bilinear2d_aa_backward", "adaptive_max_pool2d_backward", "adaptive_max_pool3d_backward",
    "avg_pool3d_backward", "fractional_max_pool2d_backward", "fractional_max_pool3d_backward",
    "grid_sampler_2d_backward", "grid_sampler_3d_backward", "histc", "kthvalue", "max_unpool2d", "max_unpool3d",
    "nll_loss2d_forward", "put", "put_", "reflection_pad1d_backward", "reflection_pad2d_backward",
    "reflection_pad3d_backward", "upsample_bicubic2d_backward", "upsample_bilinear2d_backward",
    "upsample_linear1d_backward", "upsample_trilinear3d_backward"}


@dataclass(frozen=True)
class Operation:
    """One call of an operator of torch."""

    name: str  # without namespace and overload
    overload: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    inputs: list[Tensor]
    outputs: list[Tensor]

    @property
    def on_device(self) -> bool:
        """Whether it has to do with the pretended device at all."""
        return any(kind(tensor) == "cuda" for tensor in (*self.inputs, *self.outputs))


def kind(tensor: Tensor) -> str:
    """"cuda" or "cpu", as the tensor itself sees it."""
    return str((tensor.fake_device if isinstance(tensor, FakeTensor) else tensor.device).type)


def broken(operation: Operation, part: str, bf16: bool, in_network: Callable[[], bool]) -> Iterator[str]:
    """What an operation in a part of a run does that it must not, with what to do instead.

    in_network: whether it is a network's own. Those may draw, as the engine keys torch's generators, and have the
    recipe's precision; the parts of a method beside them are in float32.
    """
    yield from places(operation, host_clock=part == "sweep")
    if operation.name in RANDOM and operation.kwargs.get("generator") is None and not in_network():
        yield f"{operation.name}: random numbers without a generator; draw them in 'draw'"
    if operation.on_device and operation.name in UNREPEATABLE or (operation.name, operation.overload) == (
            "median", "dim"):
        yield f"{operation.name}: has no deterministic CUDA kernel; write it with others"
    if operation.name == "convolution" and part in CONVOLUTIONS:
        yield from convolution(operation, torch.bfloat16 if bf16 and in_network() else None)
    if operation.name.startswith("_fused_"):
        yield from fused(operation)


def places(operation: Operation, host_clock: bool) -> Iterator[str]:
    """Tensors in the wrong place. host_clock: the clock may be read on the host, so numbers may come from there."""
    if not operation.on_device:
        return
    name, on_host = operation.name, [tensor for tensor in operation.inputs if kind(tensor) == "cpu"]
    where = {kind(tensor) for tensor in (*operation.inputs, *operation.outputs)}
    if name in COPIES and len(where) > 1:
        yield f"{name}: a copy between host and device; keep it on the device, as a buffer"
    elif any(tensor.dim() for tensor in on_host):
        yield f"{name}: a CPU tensor beside CUDA ones; register it as a buffer, or make it on the batch's device"
    elif on_host and not host_clock:
        yield f"{name}: a 0-d CPU tensor goes into the step, and a recorded step would keep its value; use a buffer"


def convolution(operation: Operation, dtype: torch.dtype | None) -> Iterator[str]:
    """Precision, if there is one that it must have, and memory format."""
    images, weight = operation.args[:2]
    if dtype is not None and {images.dtype, weight.dtype} != {dtype}:
        yield f"convolution: in {images.dtype}, the recipe says {dtype}; go through the network's own methods"
    for role, tensor in (("input", images), ("weight", weight)):
        if tensor.dim() == 4 and not tensor.is_contiguous(memory_format=torch.channels_last):
            yield f"convolution: its {role} is not channels_last, strides {tensor.stride()} of {tuple(tensor.shape)}"


def fused(operation: Operation) -> Iterator[str]:
    """What a fused optimiser would refuse, or do wrong without a word; these have no pretended kernel to say it."""
    name, lists = operation.name, [a for a in operation.args if isinstance(a, list | tuple) and a]
    for parameter, *others in zip(*lists, strict=True):
        for tensor in others:
            if kind(tensor) != kind(parameter):
                yield f"{name}: a state or gradient on {kind(tensor)}, its parameter on {kind(parameter)}"
            elif tensor.shape == parameter.shape and not same_strides(tensor, parameter):
                yield (f"{name}: a state or gradient with strides {tensor.stride()}, its parameter has "
                       f"{parameter.stride()}")
    rate = operation.kwargs.get("lr")
    if isinstance(rate, Tensor) and (rate.dtype != torch.float32 or kind(rate) != kind(lists[0][0])):
        yield f"{name}: a learning rate {rate.dtype} on {kind(rate)}; the kernel reads float32 on the device"


def same_strides(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors of a shape lie in memory alike."""
    return all(a == b for a, b, size in zip(one.stride(), other.stride(), one.shape, strict=True) if size > 1)
