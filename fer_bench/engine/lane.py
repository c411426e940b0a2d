"""Where a run is worked on: a device, a stream of it, and the fastest way of running steps that works there.

The ways, from the plainest: ``eager``; ``graph``, a replayed CUDA graph, used where it was seen to do what the called
step does; ``compiled``, the same with the loss compiled by inductor, which rounds otherwise and so is for fast runs
only. One that fails gives way to the one below.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

from fer_bench.engine.capture import Captured, Recorder, Step, Surroundings, cuda_recorder
from fer_bench.method import Batch, Clock, Method

ENGINES = ("eager", "graph", "compiled")


class Lane:
    """A place for one run at a time. Several lanes share a GPU; each has its own stream.

    record: how steps are recorded; CUDA graphs unless a test gives something else.
    """

    def __init__(self, device: torch.device, engine: str = "eager", record: Recorder | None = None) -> None:
        self.device, self.wanted = device, engine
        self.stream: Any = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]
        self.record = record
        self.kept: list[Any] = []  # trainers of the last runs, whose recordings later ones may use
        self.given_up: dict[type, tuple[str, str]] = {}  # kind of method -> the way it runs instead, and why

    def active(self) -> contextlib.AbstractContextManager[Any]:
        """Work on this lane's stream while the block runs."""
        return torch.cuda.stream(self.stream) if self.stream is not None else contextlib.nullcontext()

    def engine(self, method: Method) -> str:
        """The way a method runs here now."""
        return self.given_up[type(method)][0] if type(method) in self.given_up else self.wanted

    def why_not(self, method: Method) -> str | None:
        """Why a method does not run in the wanted way, if it does not."""
        return self.given_up[type(method)][1] if type(method) in self.given_up else None

    def recorder(self) -> Recorder:
        """What records a step here; the recordings of a lane share memory, since they never overlap."""
        if self.record is None:
            self.record = cuda_recorder(torch.cuda.graph_pool_handle())
        return self.record

    def runner(self, method: Method, step: Step, around: Surroundings, warn: Callable[[str], None]) -> Runner:
        """``step`` run in the best way that works for this method; a failure is said once per lane and method."""
        if method.not_capturable and self.engine(method) != "eager":
            self.give_up(method, "eager", method.not_capturable, warn)
        return Runner(self, method, step, around, warn)

    def give_up(self, method: Method, engine: str, reason: str, warn: Callable[[str], None]) -> None:
        """From now on this method runs in another way here."""
        warn(f"{type(method).__name__}: cannot run as {self.engine(method)} ({reason}); it runs {engine} instead")
        self.given_up[type(method)] = (engine, reason)
        if self.stream is not None:
            self.record = None  # with a pool of its own for the next: a spoilt capture may leave the old one in use


class Runner:
    """A step of one method on one lane; called as the step itself is."""

    def __init__(self, lane: Lane, method: Method, step: Step, around: Surroundings,
                 warn: Callable[[str], None]) -> None:
        self.lane, self.method, self.step, self.around, self.warn = lane, method, step, around, warn
        self.captured: dict[str, Captured] = {}  # by the way of running

    def __call__(self, size: int) -> Any:
        while (engine := self.lane.engine(self.method)) != "eager":
            if engine not in self.captured:
                self.captured[engine] = Captured(self.step, self.around, self.lane.recorder())
            try:
                self.captured[engine].prepare(size)
            except Exception as error:  # whatever a compiler or a driver may raise
                cause = error.__context__ or error  # ending a capture raises over what had spoilt it
                reason = f"{type(cause).__name__}: {cause}".split("\n")[0][:160]
                self.lane.give_up(self.method, ENGINES[ENGINES.index(engine) - 1], reason, self.warn)
            else:
                return self.captured[engine](size)
        self.captured.clear()  # their memory is needed now
        return self.step(size)

    def forget(self) -> None:
        """Record anew: the step is no longer the one that was recorded."""
        self.captured.clear()


def plain_loss(method: Method, batch: Batch, clock: Clock) -> Tensor:
    """The loss of a batch. A function of the module, not a bound method: compiled once for all runs of a method."""
    return method.loss(batch, clock)


@cache
def compiled_loss() -> Callable[[Method, Batch, Clock], Tensor]:
    """``plain_loss`` compiled by inductor for fixed shapes, kept by torch for each kind of method."""
    import torch._dynamo.config as dynamo
    import torch._inductor.config as inductor

    dynamo.recompile_limit = 1024  # one entry per method and batch size; beyond the default of 8 it silently gives up
    # torch 2.13 decides per graph whether to keep channels_last and gets the backward wrong (pytorch#189239)
    inductor.force_layout_optimization = True
    compiled: Callable[[Method, Batch, Clock], Tensor] = torch.compile(plain_loss, dynamic=False)
    return compiled
