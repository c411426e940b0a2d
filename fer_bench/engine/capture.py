"""A step recorded once and replayed: the whole of forward, backward and optimiser as one launch.

A recorded step runs the same kernels on the same memory each time. So all that changes between steps must lie in
tensors that are written in place, and the step may neither read a tensor's value nor copy one from the host.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

WARM_UP = 3  # steps before recording: libraries choose kernels and buffers are made in the first ones

Step = Callable[[int], Any]
Recorder = Callable[[Callable[[], Any]], tuple[Callable[[], None], Any]]


class Captured:
    """``step`` as a recording per batch size; called as ``step`` itself is.

    snapshot: returns a function that puts back, in place, all that a step changes; warming up is undone by it.
    record: runs a function once while recording it; returns (replay, what the function returned).
    """

    def __init__(self, step: Step, snapshot: Callable[[], Callable[[], None]], record: Recorder) -> None:
        self.step, self.snapshot, self.record = step, snapshot, record
        self.recordings: dict[int, tuple[Callable[[], None], Any]] = {}

    def __call__(self, size: int) -> Any:
        self.prepare(size)
        replay, returned = self.recordings[size]
        replay()
        return returned

    def prepare(self, size: int) -> None:
        """Record the step for this batch size if that was not done; raises what the step or the recorder raises."""
        if size in self.recordings:
            return
        restore, numbers = self.snapshot(), random_state()
        try:
            for _ in range(WARM_UP):
                self.step(size)
            restore()
            self.recordings[size] = self.record(lambda: self.step(size))
        finally:
            restore()
            numbers()


def random_state() -> Callable[[], None]:
    """Remember torch's own generators; the function returned puts them back. Dropout in a backbone draws from them."""
    cpu = torch.get_rng_state()
    cuda = torch.cuda.get_rng_state() if torch.cuda.is_available() else None

    def restore() -> None:
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state(cuda)

    return restore


def cuda_recorder(pool: Any) -> Recorder:
    """Records CUDA graphs on the current stream; ``pool`` is memory that graphs which never overlap share."""

    def record(function: Callable[[], Any]) -> tuple[Callable[[], None], Any]:
        graph = torch.cuda.CUDAGraph()
        torch.cuda.synchronize()
        with torch.cuda.graph(graph, pool=pool, stream=torch.cuda.current_stream(), capture_error_mode="thread_local"):
            returned = function()
        return graph.replay, returned

    return record


def snapshot(method: nn.Module, optimiser: torch.optim.Optimizer) -> Callable[[], None]:
    """Remember weights, buffers and optimiser state; the function returned puts them back in place.

    Optimiser state that is made meanwhile becomes zero, which is how each of our optimisers begins.
    """
    saved = [(tensor, tensor.detach().clone()) for tensor in [*method.parameters(), *method.buffers()]]
    moments = {parameter: {name: value.clone() for name, value in state.items() if isinstance(value, Tensor)}
               for parameter, state in optimiser.state.items()}

    @torch.no_grad()
    def restore() -> None:
        for tensor, value in saved:
            tensor.copy_(value)
        for parameter, state in optimiser.state.items():
            for name, value in state.items():
                if isinstance(value, Tensor):
                    before = moments.get(parameter, {}).get(name)
                    value.copy_(before) if before is not None else value.zero_()

    return restore


@torch.no_grad()
def take_over(method: nn.Module, optimiser: torch.optim.Optimizer, fresh: nn.Module) -> bool:
    """Give ``method`` the state of ``fresh`` and a new start to the optimiser, all in place, so that recordings stay
    valid. False, and nothing changed, when the two differ in anything but the values of their tensors."""
    if not same_but_values(method, fresh):
        return False
    old, new = (dict([*m.named_parameters(), *m.named_buffers()]) for m in (method, fresh))
    for name, tensor in old.items():
        tensor.copy_(new[name])
    for state in optimiser.state.values():
        for value in state.values():
            if isinstance(value, Tensor):
                value.zero_()
    return True


def same_but_values(one: nn.Module, other: nn.Module) -> bool:
    """Whether a recording of one module holds for the other: same parts, same tensors' shapes, same attributes."""
    parts, others = list(one.named_modules()), list(other.named_modules())
    if [(n, type(m)) for n, m in parts] != [(n, type(m)) for n, m in others]:
        return False
    tensors = [[(n, t.shape, t.dtype, t.requires_grad) for n, t in [*m.named_parameters(), *m.named_buffers()]]
               for m in (one, other)]
    pairs = zip((m for _, m in parts), (m for _, m in others), strict=True)
    return tensors[0] == tensors[1] and all(_same_attributes(a, b) for a, b in pairs)


def _same_attributes(one: nn.Module, other: nn.Module) -> bool:
    tensors = ("_parameters", "_buffers", "_modules")
    a, b = ({k: v for k, v in vars(m).items() if k not in tensors} for m in (one, other))
    try:
        return a.keys() == b.keys() and all(
            a[k] is b[k] or (type(a[k]) is type(b[k]) and bool(a[k] == b[k])) for k in a)
    except (RuntimeError, ValueError):  # a tensor or an array among the attributes
        return False
