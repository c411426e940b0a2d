"""Track `paper` in words: how the source of each method trains it, value by value, and where each value stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from fer_bench.library.numbers import short
from fer_bench.library.source import MethodInfo

REQUIRED = ("optimiser", "lr", "weight_decay", "schedule", "batch_size", "epochs", "augment")  # of a whole recipe
NOTES = {"code": "lines are of", "weights": "begins with", "left out": "left out"}  # sources of no single key
UNKNOWN = "not stated"


@dataclass(frozen=True)
class Entry:
    """One value of track `paper`; ``key`` as ``option``, --set-recipe or --set, takes it."""

    key: str
    value: str
    source: str
    option: str = "--set-recipe"

    @property
    def ours(self) -> bool:
        """Whether no source states it."""
        return self.source.startswith(("ours", UNKNOWN))


def classes(infos: Iterable[MethodInfo]) -> list[list[MethodInfo]]:
    """Methods by the class they share, each class's own name first."""
    found = groupby(sorted(infos, key=lambda i: (str(i.file), i.class_name)), lambda i: (i.file, i.class_name))
    return [list(group) for _, group in found]


def entries(info: MethodInfo) -> list[Entry]:
    """What a method's track `paper` changes: of the recipe, then of its hyper-parameters."""
    stated: list[tuple[str, Any, str]] = []
    for key, value in info.paper_recipe.items():
        inner = {f"{key}.{name}": one for name, one in value.items()} if isinstance(value, dict) else {key: value}
        stated += [(name, one, "--set-recipe") for name, one in inner.items()]
    stated += [(name, value, "--set") for name, value in info.paper_parameters.items()]
    return [Entry(key, text(key, value), info.paper_sources.get(key.split(".")[-1], UNKNOWN), option)
            for key, value, option in stated]


def text(key: str, value: Any) -> str:
    """A value for people: "x0.1 after 10 epochs" for milestones, "2e-05" for a number."""
    if key.endswith("milestones"):
        return ", ".join(f"x{share:g} after {epoch}" for epoch, share in value) + " epochs"
    if key == "head_lr":
        return f"x{value:g}"
    if isinstance(value, tuple | list):
        return ", ".join(text("", one) for one in value)
    return found if "/" in (found := short(value)) or not isinstance(value, float) else f"{value:g}"


def without(infos: Iterable[MethodInfo]) -> list[str]:
    """Methods that track `paper` trains by the recipe alone, since their sources train them on no faces."""
    return [info.name for info in infos if not info.paper_recipe]
