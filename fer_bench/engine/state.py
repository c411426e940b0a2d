"""All that a step changes, as tensors in place: remembered, put back, compared, taken over by another run."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

PLAIN = (bool, int, float, str, tuple, type(None))  # attributes whose values a recorded step has frozen


def state_of(method: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Weights, buffers and the optimiser's moments, the tensors themselves, by name."""
    found: dict[str, Tensor] = {**dict(method.named_parameters()), **dict(method.named_buffers())}
    names: dict[Tensor, str] = {parameter: name for name, parameter in method.named_parameters()}
    for parameter, state in optimiser.state.items():
        found |= {f"{key} of {names[parameter]}": value for key, value in state.items() if isinstance(value, Tensor)}
    return found


def snapshot(method: nn.Module, optimiser: torch.optim.Optimizer) -> Callable[[], None]:
    """Remember the state; the function returned puts it back in place.

    Optimiser state that is made meanwhile becomes zero, which is how each of our optimisers begins.
    """
    saved = {name: tensor.detach().clone() for name, tensor in state_of(method, optimiser).items()}

    @torch.no_grad()
    def restore() -> None:
        for name, tensor in state_of(method, optimiser).items():
            tensor.copy_(saved[name]) if name in saved else tensor.zero_()

    return restore


class Itself:
    """A tensor, equal to itself alone; held, so that another one cannot take its place in memory meanwhile."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Itself) and other.tensor is self.tensor

    __hash__ = None  # type: ignore[assignment]


def attributes(method: nn.Module) -> list[tuple[object, ...]]:
    """What of a method Python reads and a recording cannot: plain attributes of its modules, what is trained, and which
    tensors they are, since a recording knows those by their memory."""
    found: list[tuple[object, ...]] = [(name, p.requires_grad) for name, p in method.named_parameters()]
    for name, module in method.named_modules():
        own = {**vars(module), **module._parameters, **module._buffers}
        found += [(name, key, value) for key, value in own.items() if isinstance(value, PLAIN)]
        found += [(name, key, Itself(value)) for key, value in own.items() if isinstance(value, Tensor)]
    return found


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
