"""Sees every operation of a pretended run: counts kernels, arithmetic, bytes and live memory, and keeps the rules."""

from __future__ import annotations

import contextlib
import weakref
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from fer_bench.fake.counts import Work
from fer_bench.fake.rules import Operation, broken, kind
from fer_bench.fake.where import in_network, place, stack

FREE = {"alias", "detach", "detach_", "empty", "empty_like", "empty_strided", "lift_fresh", "new_empty",
        "new_empty_strided", "resize_", "set_", "_reshape_alias", "_unsafe_view"}  # launch nothing
TAKEN = {"index", "index_select", "gather", "embedding"}  # read no more than they write
META = torch.device("meta")
BLOCK = 512  # torch's allocator rounds up to this many bytes
AT_ONCE = 100  # tensors that one launch of a fused optimiser takes


class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """To be entered after a FakeTensorMode, which then works below it.

    part: what the run is at; work counts by it. strict: whether the rules hold now. bf16: the recipe's precision.
    """

    def __init__(self, bf16: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bf16, self.part, self.strict = bf16, "set-up", False
        self.work: dict[str, Work] = defaultdict(Work)
        self.problems: dict[str, None] = {}  # as a set that keeps its order
        self.live = self.peak = 0  # bytes
        self.known: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()  # storages on the device

    @contextlib.contextmanager
    def during(self, part: str, strict: bool | None = None) -> Iterator[None]:
        """Count as ``part`` while the block runs, and keep the rules or not; None: as before."""
        before = self.part, self.strict
        self.part, self.strict = part, self.strict if strict is None else strict
        try:
            yield
        finally:
            self.part, self.strict = before

    def begin(self) -> None:
        """Count from here on."""
        self.work.clear()
        self.peak = self.live

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled here, and the guard costs a tenth of all time

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.ops.prim.device.default:  # asked more often than all else; as FakeTensorMode answers it
            return META if args[0].fake_mode.in_kernel_invocation else args[0].fake_device
        name = func._schema.name.split("::")[1]
        operation = Operation(name, func._overloadname, args, kwargs, [*tensors(args), *tensors(kwargs.values())], [])
        try:
            out = None if name.startswith("_fused_") else func(*args, **kwargs)  # those have no pretended kernel
        except Exception:
            self.check(operation)  # it may say better what is wrong
            raise
        operation.outputs.extend(tensors((out,)))
        for tensor in operation.outputs:
            self.hold(tensor)
        if self.strict:
            self.check(operation)
        if operation.on_device and not self.free(func, operation):
            self.work[self.part] += self.counted(func, operation, out)
        return out

    def check(self, operation: Operation) -> None:
        """Note what an operation must not do."""
        for what in broken(operation, self.part, self.bf16, in_network):
            self.problem(what)

    def free(self, func: Any, operation: Operation) -> bool:
        """Whether an operation launches nothing: a view, or a conversion of what is as wanted."""
        name, inputs, outputs = operation.name, operation.inputs, operation.outputs
        return bool(func.is_view or name in FREE
                    or (name == "_to_copy" and inputs and outputs and outputs[0] is inputs[0]))

    def counted(self, func: Any, operation: Operation, out: Any) -> Work:
        """The work of one operation. What it reads or writes in place counts twice, what it reads and writes once."""
        name, args, packet = operation.name, operation.args, func._overloadpacket
        moved = sum(size(t) for t in {id(t): t for t in (*operation.inputs, *operation.outputs)}.values()
                    if kind(t) == "cuda")
        launches = 1
        if name in TAKEN:
            moved = 2 * sum(map(size, operation.outputs))
        elif name.startswith(("_fused_", "_foreach_")):
            launches += len(args[0]) // AT_ONCE
            moved = moved * 7 // 4 if "adam" in name else moved  # three of four are written, too
        elif name.endswith("_") and isinstance(args[0], Tensor):
            moved += size(args[0])
        flops = flop_registry[packet](*args, **operation.kwargs, out_val=out) if packet in flop_registry else 0
        return Work(launches, flops, moved)

    def hold(self, tensor: Tensor) -> None:
        """Count a tensor's memory as live until it is freed."""
        if not isinstance(tensor, FakeTensor) or kind(tensor) != "cuda":
            return
        storage = tensor.untyped_storage()
        if storage._cdata not in self.known:
            self.known[storage._cdata] = storage
            taken = -(-storage.nbytes() // BLOCK) * BLOCK
            self.live += taken
            self.peak = max(self.peak, self.live)
            weakref.finalize(storage, self.drop, taken)

    def drop(self, taken: int) -> None:
        """Memory was freed."""
        self.live -= taken

    def problem(self, what: str) -> None:
        """Note a broken rule, and where."""
        self.problems[f"{self.part}: {what},{place(stack())}"] = None


def tensors(values: Any) -> Iterator[Tensor]:
    """All tensors in nested lists and tuples."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from tensors(value)


def size(tensor: Tensor) -> int:
    """Bytes of a tensor's elements."""
    return tensor.numel() * tensor.element_size()
