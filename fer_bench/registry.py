"""What a file of methods needs to put them under a name: ``@register``. Looking them up is library/methods.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from fer_bench.library.methods import load_class, method_info, methods, resolve_parameters

__all__ = ["load_class", "method_info", "methods", "register", "resolve_parameters"]
T = TypeVar("T", bound=type)


def register(
    name: str, *, paper: str = "", year: int = 0, family: str = "other", preset: dict[str, Any] | None = None,
    needs: tuple[str, ...] = (), passes: float = 1, history: tuple[str, ...] = (),
    schedule_epochs: int = 0,
) -> Callable[[T], T]:
    """Put a method under a name; a second ``register`` with a ``preset`` of hyper-parameters names a variant.

    needs: what it uses beyond a batch and one network, of method.NEEDS. passes: what its training costs for each
    face, in forward passes of one network; both are shown by ``list methods`` and checked by the tests.
    history: of the suite's own methods, one line for each time that numbers changed: why. Their version is one more
    than that; it is what a run's identity says of them.
    schedule_epochs: how long the training was that its warm-up, ramps and turning points are made for, in its source;
    0 without any. A table says by how much a shorter training shortens them.
    All arguments must be literals: they are read from the source, not from this call.
    """
    return lambda cls: cls
