"""CUDA graph semantics on a CPU: a step recorded as its list of tensor operations and replayed on the same memory.

Like a CUDA graph it knows nothing of Python: numbers, branches and attributes are as they were while recording, and a
tensor that a later step makes elsewhere is not seen. Unlike one it may do the step's work while recording.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from fer_bench.nets import slim

FORBIDDEN = {
    "aten::_local_scalar_dense": "a tensor's value was read (item, float, bool, or a branch on a tensor)",
    "aten::nonzero": "the number of results depends on values",
    "aten::masked_select": "the number of results depends on values",
    "aten::lift_fresh": "a tensor was made from Python numbers: register it as a buffer",
    "aten::bernoulli_": "random numbers were drawn outside of 'draw'",
    "aten::rand": "random numbers were drawn outside of 'draw'",
    "aten::randn": "random numbers were drawn outside of 'draw'",
    "aten::randperm": "random numbers were drawn outside of 'draw'",
    "aten::multinomial": "random numbers were drawn outside of 'draw'",
}


class NotCapturable(Exception):
    """What a CUDA graph could not record."""


class Tape(TorchDispatchMode):
    """Records the operations of a ``with`` block; ``replay()`` does them again, writing where they wrote."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[tuple[Any, Any, Any, list[torch.Tensor]]] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = function._schema.name
        if name in FORBIDDEN:
            raise NotCapturable(FORBIDDEN[name])
        result = function(*args, **(kwargs or {}))
        fresh = [] if function.is_view else [t for t in tree_leaves(result) if isinstance(t, torch.Tensor)]
        self.operations.append((function, args, kwargs or {}, fresh))
        return result

    def replay(self) -> None:
        """Every operation again; an output goes to the memory of the recorded one."""
        with torch.no_grad():
            for number, operation in enumerate(self.operations):
                if not operation[0].is_view:
                    self.again(number, *operation)

    def again(self, number: int, function: Any, args: Any, kwargs: Any, outputs: list[torch.Tensor]) -> None:
        """One operation; its results go where they went."""
        results = [t for t in tree_leaves(function(*args, **kwargs)) if isinstance(t, torch.Tensor)]
        for kept, new in zip(outputs, results, strict=True):
            if kept.data_ptr() != new.data_ptr() or kept is not new:
                kept.copy_(new)


class LyingTape(Tape):
    """A tape that is wrong in one operation, counted among those that are no views: ``skipped``, so that its memory
    keeps what it had, or ``stale``, done with the values that its inputs had while recording."""

    def __init__(self, place: int, lie: str) -> None:
        super().__init__()
        self.place, self.lie, self.seen = place, lie, 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        frozen = None
        if self.lie == "stale" and not function.is_view:
            frozen = tree_map(lambda x: x.clone() if isinstance(x, torch.Tensor) else x, (args, kwargs or {}))
        result = super().__torch_dispatch__(function, types, args, kwargs)
        if not function.is_view:
            if self.seen == self.place:
                self.number, self.frozen, self.written = len(self.operations) - 1, frozen, args
            self.seen += 1
        return result

    def again(self, number: int, function: Any, args: Any, kwargs: Any, outputs: list[torch.Tensor]) -> None:
        if number != getattr(self, "number", None):
            super().again(number, function, args, kwargs, outputs)
        elif self.lie == "stale" and not function._schema.is_mutable:
            super().again(number, function, *self.frozen, outputs)


def one_hot_as_on_cuda(labels: torch.Tensor, num_classes: int) -> torch.Tensor:
    """On a CPU ``one_hot`` reads the labels to check their range; on CUDA it does not."""
    return labels.new_zeros(*labels.shape, num_classes).scatter(-1, labels.unsqueeze(-1), 1)


def record(function: Callable[[], Any]) -> tuple[Callable[[], None], Any]:
    """As ``fer_bench.engine.capture.cuda_recorder`` gives. A tape hears one thread alone, and a GPU has no helper."""
    return record_on(Tape(), function)


def record_on(tape: Tape, function: Callable[[], Any]) -> tuple[Callable[[], None], Any]:
    """``record`` with a tape of one's own."""
    with patch.object(functional, "one_hot", one_hot_as_on_cuda), \
            patch.object(slim, "promise_gradients", lambda network: None), tape:
        returned = function()
    return tape.replay, returned
