"""The pretended device: tensors without data that say they lie on a card, and what torch must be told for it.

Methods are built on the host as ever, with weights from their seed; a twin stays there and does what is the host's
part in a run: orders and draws.
"""

from __future__ import annotations

import contextlib
import copy
import weakref
from collections.abc import Iterator
from functools import cache
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.cuda.amp import common as amp
from torch.utils._python_dispatch import _disable_current_modes

from fer_bench.engine import augment, keyed, pixels, resize
from fer_bench.engine import data as training_data
from fer_bench.engine import trainer as training
from fer_bench.engine.inputs import Inputs, build_method
from fer_bench.engine.lane import Lane
from fer_bench.fake.backward import backward
from fer_bench.fake.watch import Watch
from fer_bench.method import Clock, Method

HOST, CARD = torch.device("cpu"), torch.device("cuda", 0)
MEMORY = 80 * 10**9  # bytes that the pretended card says it has

deterministic: Any = torch.utils.deterministic
on_host = _disable_current_modes  # real tensors again while the block runs


class FakeLane(Lane):
    """A lane of the pretended card, which has no streams."""

    def __init__(self) -> None:
        super().__init__(HOST)
        self.device = CARD


class Twin:
    """What the host does for a method in an epoch, done by a copy of it with real tensors."""

    def __init__(self, method: Method) -> None:
        self.method = method

    def order(self, clock: Clock, generator: torch.Generator) -> Tensor | None:
        with on_host():
            return self.method.order(clock, generator)

    def draw(self, generator: torch.Generator, size: int) -> dict[str, Tensor]:
        with on_host():
            return self.method.draw(generator, size)


@contextlib.contextmanager
def pretend(watch: Watch) -> Iterator[None]:
    """A card while the block runs. Work in a process of its own: torch keeps much about the tensors it has seen."""
    before = torch.are_deterministic_algorithms_enabled(), deterministic.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    deterministic.fill_uninitialized_memory = False
    try:
        with contextlib.ExitStack() as block:
            for where, name, stand_in in (*of_torch(), *of_the_engine()):
                block.enter_context(patch.object(where, name, stand_in))
            block.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
            block.enter_context(watch)
            yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        deterministic.fill_uninitialized_memory = before[1]


def of_torch() -> Iterator[tuple[Any, str, Any]]:
    """What torch would ask a driver, or do by itself with data: where, name, and what stands in for it."""
    yield torch.cuda, "mem_get_info", lambda device=None: (MEMORY, MEMORY)
    yield torch.cuda, "synchronize", lambda device=None: None
    yield torch.cuda, "is_bf16_supported", lambda *args, **kwargs: True
    yield torch.cuda, "default_generators", (torch.Generator(),)
    yield amp, "amp_definitely_not_available", lambda: False
    yield torch._C, "_conv_determine_backend_memory_format", conv_format
    yield torch.Tensor, "backward", backward
    yield nn.Module, "to", to


def of_the_engine() -> Iterator[tuple[Any, str, Any]]:
    """What the engine does on the host, and what it keeps for the life of a process."""
    twins: weakref.WeakKeyDictionary[Method, Twin] = weakref.WeakKeyDictionary()
    build, begin, generator = build_method, training_data.TrainingData.begin, keyed.generator

    def build_twice(inputs: Inputs, labels: Tensor, steps: int) -> Method:
        with on_host():
            method = build(inputs, torch.from_numpy(inputs.data.train.given.copy()), steps)
            twins[method] = Twin(copy.deepcopy(method))
        return method

    yield training, "build_method", build_twice
    yield (training_data.TrainingData, "begin",
           lambda data, method, epoch, clock: begin(data, twins[method], epoch, clock))  # type: ignore[arg-type]
    yield training_data, "generator", lambda *parts, device=HOST: generator(*parts)
    yield pixels, "_resident", {}
    yield augment, "constant", anew(augment.constant)
    yield resize, "_taps_on", anew(resize._taps_on)


def anew(cached: Any) -> Any:
    """A cached function with an empty cache."""
    return cache(cached.__wrapped__) if hasattr(cached, "__wrapped__") else cached


def conv_format(images: Tensor, weight: Tensor, backend: Any) -> torch.memory_format:
    """cuDNN takes channels_last where the images or the weights are."""
    last = torch.channels_last
    return last if any(t.is_contiguous(memory_format=last) for t in (images, weight)) else torch.contiguous_format


@torch.no_grad()
def to(module: Any, *args: Any, **kwargs: Any) -> Any:
    """``nn.Module.to``, which cannot exchange a real parameter's data for a pretended one's: it gets new parameters."""
    device, dtype, _, memory_format = torch._C._nn._parse_to(*args, **kwargs)
    moved: dict[int, tuple[Tensor, Tensor]] = {}  # by id: the old one, kept so that the id stays its own, and the new
    for part in module.modules():
        for group in (part._parameters, part._buffers):
            for name, old in group.items():
                if old is not None:
                    if id(old) not in moved:
                        new = torch.empty_strided(old.shape, old.stride(), device=device or old.device,
                                                  dtype=dtype if dtype and old.is_floating_point() else old.dtype)
                        if memory_format is not None and new.dim() == 4:
                            new = new.contiguous(memory_format=memory_format)
                        moved[id(old)] = old, nn.Parameter(new, old.requires_grad) if is_parameter(old) else new
                    group[name] = moved[id(old)][1]
    return module


def is_parameter(tensor: Tensor) -> bool:
    """Whether it is one; a pretended parameter is marked, not of the class."""
    return isinstance(tensor, nn.Parameter)
