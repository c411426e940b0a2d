"""A backward pass walked in Python: torch's own engine refuses tensors of a device that has no driver.

In the engine's order, so that sums have its bits: of all nodes whose gradients are complete the youngest goes first.
"""

from __future__ import annotations

import heapq
from itertools import count
from typing import Any

import torch
from torch import Tensor


@torch.no_grad()
def backward(loss: Tensor) -> None:
    """What ``loss.backward()`` does for a scalar. As there, what a node saved is freed when the node is done: nothing
    here holds a node that is, and ``loss`` lets go of the graph."""
    root = loss.grad_fn
    if root is None:
        raise RuntimeError("the loss does not depend on any parameter: it has no gradient")
    waiting = consumers(root)
    given: dict[Any, dict[int, Tensor]] = {root: {loss.output_nr: torch.ones_like(loss)}}
    numbers = count()  # so that nodes of equal age are never compared themselves
    ready = [(0, next(numbers), root)]
    loss.detach_()
    del root
    while ready:
        node = heapq.heappop(ready)[2]
        gradients = run(node, given.pop(node, {}))
        for (after, place), gradient in zip(node.next_functions, gradients, strict=False):
            if after is None:
                continue
            if gradient is not None:
                add(given.setdefault(after, {}), place, fitted(gradient, after._input_metadata[place]))
            waiting[after] -= 1
            if not waiting[after]:
                del waiting[after]
                age = after._sequence_nr()
                heapq.heappush(ready, (0 if hasattr(after, "variable") else -age, next(numbers), after))
        del node, gradients
        after = gradient = None


def consumers(root: Any) -> dict[Any, int]:
    """How many edges lead to each node below ``root``."""
    found: dict[Any, int] = {}
    stack = [root]
    while stack:
        for node, _ in stack.pop().next_functions:
            if node is not None:
                if node not in found:
                    stack.append(node)
                found[node] = found.get(node, 0) + 1
    return found


def run(node: Any, gradients: dict[int, Tensor]) -> tuple[Tensor | None, ...]:
    """The gradients of a node's inputs from those of its outputs; a leaf keeps its own."""
    if hasattr(node, "variable"):
        if gradients:
            keep(node.variable, gradients[0])
        return ()
    if not gradients and callable(node):
        return (None,) * len(node.next_functions)
    call = node if callable(node) else node.apply  # a function written in Python, which may make a gradient of none
    found = call(*(gradients.get(place) for place in range(len(node._input_metadata))))
    return found if isinstance(found, tuple) else (found,)


def keep(leaf: Tensor, gradient: Tensor) -> None:
    """Add to a leaf's gradient, which has the leaf's strides."""
    if (gradient.shape, gradient.dtype, gradient.device) != (leaf.shape, leaf.dtype, leaf.device):
        raise RuntimeError(f"a gradient {gradient.dtype} {tuple(gradient.shape)} on {gradient.device} for a parameter "
                           f"{leaf.dtype} {tuple(leaf.shape)} on {leaf.device}")
    sizes = zip(gradient.stride(), leaf.stride(), leaf.shape, strict=True)
    if any(one != other for one, other, size in sizes if size > 1):
        gradient = torch.empty_like(leaf).copy_(gradient)
    leaf.grad = gradient if leaf.grad is None else leaf.grad + gradient


def add(sums: dict[int, Tensor], place: int, gradient: Tensor) -> None:
    """Add to what has been given for one output of a node."""
    sums[place] = sums[place] + gradient if place in sums else gradient


def fitted(gradient: Tensor, wanted: Any) -> Tensor:
    """A gradient as the node expects it: summed over what was broadcast, in its dtype."""
    if tuple(gradient.shape) != tuple(wanted.shape):
        gradient = gradient.sum_to_size(wanted.shape)
    return gradient if gradient.dtype == wanted.dtype else gradient.to(wanted.dtype)
