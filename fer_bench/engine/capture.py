"""A step recorded once and replayed: the whole of forward, backward and optimiser as one launch.

A recorded step runs the same kernels on the same memory each time. So all that changes between steps must lie in
tensors that are written in place, and the step may neither read a tensor's value nor copy one from the host. Whether
a method keeps to that is not believed but tried: before a recording is used, the step is called and replayed from one
state at other points of training, and both must leave the same bits.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

WARM_UP = 3  # steps before recording: libraries choose kernels and buffers are made in the first ones
RECOVERS = (2, 13)  # from this torch on, a capture that fails leaves a process in which others succeed

Step = Callable[[int], Any]
Recorder = Callable[[Callable[[], Any]], tuple[Callable[[], None], Any]]
_failed: list[str] = []  # the first words of captures that failed in this process


class Differs(Exception):
    """A recorded step does something else than the called one."""


@dataclass(frozen=True)
class Surroundings:
    """What a recording needs to know of a step.

    state: the tensors that a step changes, by name. snapshot: returns a function that puts them back, in place.
    elsewhere: goes to other points of training where a batch has ``size`` faces, one after the other, and then back.
    """

    state: Callable[[], dict[str, Tensor]]
    snapshot: Callable[[], Callable[[], None]]
    elsewhere: Callable[[int], Generator[None, None, None]]


class Captured:
    """``step`` as a recording per batch size; called as ``step`` itself is.

    record: runs a function once while recording it; returns (replay, what the function returned).
    """

    def __init__(self, step: Step, around: Surroundings, record: Recorder) -> None:
        self.step, self.around, self.record = step, around, record
        self.recordings: dict[int, tuple[Callable[[], None], Any]] = {}

    def __call__(self, size: int) -> Any:
        self.prepare(size)
        replay, returned = self.recordings[size]
        replay()
        return returned

    def prepare(self, size: int) -> None:
        """Record the step for this batch size if that was not done, and try the recording. Raises Differs, and what
        the step or the recorder raises; leaves the state as it was."""
        if size in self.recordings:
            return
        back = self.remember()
        try:
            for turn in range(WARM_UP):
                with no_waiting() if turn == WARM_UP - 1 else contextlib.nullcontext():
                    self.step(size)
            back()
            recording = self.record(lambda: self.step(size))
            back()
            if torch.are_deterministic_algorithms_enabled():  # else two called steps may differ, too
                self.compare(size, recording)
            self.recordings[size] = recording
        finally:
            back()

    def remember(self) -> Callable[[], None]:
        """What puts state and torch's random numbers back as they are now."""
        restore, numbers = self.around.snapshot(), random_state()

        def back() -> None:
            restore()
            numbers()

        return back

    def compare(self, size: int, recording: tuple[Callable[[], None], Any]) -> None:
        """Raise Differs unless calling and replaying do the same, bit for bit, at each other point of training. The
        second point begins with what the first left: a network's first state hides much, as blocks that begin as their
        shortcuts do."""
        replay, returned = recording
        with contextlib.closing(self.around.elsewhere(size)) as points:
            for _ in points:
                back = self.remember()
                called = self.outcome(self.step(size))
                back()
                replay()
                replayed = self.outcome(returned)
                if unequal := [name for name in called if not same_bits(called[name], replayed[name])]:
                    raise Differs(f"replayed, the step leaves another {unequal[0]} than called" +
                                  (f", and {len(unequal) - 1} more" if unequal[1:] else ""))

    def outcome(self, returned: Any) -> dict[str, Tensor]:
        """Copies of what a step returned and of all that it changes, by name."""
        found = {f"result {number}": value for number, value in enumerate(tree_leaves(returned))} | self.around.state()
        return {name: value.detach().clone() for name, value in found.items()}


def same_bits(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are equal in every bit; NaN equals itself."""
    a, b = (tensor.contiguous().reshape(-1).view(torch.uint8) for tensor in (one, other))
    return torch.equal(a, b)


def random_state() -> Callable[[], None]:
    """Remember torch's own generators; the function returned puts them back. Dropout in a backbone draws from them."""
    cpu = torch.get_rng_state()
    cuda = torch.cuda.get_rng_state() if torch.cuda.is_available() else None

    def restore() -> None:
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state(cuda)

    return restore


@contextlib.contextmanager
def no_waiting() -> Iterator[None]:
    """On a GPU, raise at whatever waits for it: found here, a read of a value spoils no capture."""
    if not torch.cuda.is_available():
        yield
        return
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def cuda_recorder(pool: Any) -> Recorder:
    """Records CUDA graphs on the current stream; ``pool`` is memory that graphs which never overlap share."""

    def record(function: Callable[[], Any]) -> tuple[Callable[[], None], Any]:
        if _failed and torch_version() < RECOVERS:
            raise RuntimeError(f"torch {torch.__version__} records no more after a capture that failed ({_failed[0]})")
        graph = torch.cuda.CUDAGraph()
        torch.cuda.synchronize()
        try:
            with torch.cuda.graph(graph, pool=pool, stream=torch.cuda.current_stream(),
                                  capture_error_mode="thread_local"):
                returned = function()
        except Exception as error:
            _failed.append(str(error.__context__ or error).split("\n")[0][:80])
            raise
        return graph.replay, returned

    return record


def torch_version() -> tuple[int, ...]:
    """Major and minor number."""
    return tuple(map(int, torch.__version__.split(".")[:2]))
