"""What an adapter of a dataset sees and gives: one function above which ``dataset`` says what it looks for.

An adapter finds faces and labels; it decodes nothing. Its file lies in adapters/ or is named by --plugin.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fer_bench.data.archive import Source

__all__ = ["Found", "Options", "Rows", "Source", "dataset"]
Box = tuple[int, int, int, int]


@dataclass
class Rows:
    """One split as an adapter found it. images: names inside the source, or the pixels, uint8 [N, H, W].

    boxes: (left, top, right, bottom) per face to crop, or None. Rest: as in ``pack.Split``.
    """

    ids: list[str]
    labels: Sequence[int] | np.ndarray
    images: list[str] | np.ndarray
    boxes: list[Box] | None = None
    votes: np.ndarray | None = None
    columns: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass
class Found:
    """What an adapter found: splits by name (train, valid, test), what the user should know, class names if the data
    says them. A dataset without an official test split gives ``train`` alone; --folds makes test sets of it."""

    splits: dict[str, Rows]
    notes: list[str] = field(default_factory=list)
    classes: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Options:
    """What an adapter is told. dataset: the name that was asked for, as declared. layout: which of the declared ones is
    there. file: the file that PATH names. values: every declared option. say: a line for the user."""

    dataset: str
    classes: tuple[str, ...]
    layout: str
    file: str
    values: Mapping[str, str]
    say: Callable[[str], None]

    def __getitem__(self, name: str) -> str:
        return self.values[name]


def dataset(name: str, *, title: str, classes: Sequence[str] = (), source: str = "yours",
            layouts: Mapping[str, Sequence[str]], watch: Sequence[str] = (),
            options: Mapping[str, Sequence[str]] | None = None, test_set: bool = True,
            version: int = 1) -> Callable[[Any], Any]:
    """Declare a dataset above its ``read(root: Source, options: Options) -> Found``. All arguments are literals, read
    without running the file.

    name: "expw", or "kind:PATH" for data that lies where the name says. classes: label order, empty where the data says
    it. source: where to get it. layouts: by title, the names that must all be there ("a|b": one of them; "{file}": the
    file that PATH names); the first that fits is taken, at the root or up to two folders deeper. watch: names besides
    those whose change makes the pack anew; folders are watched with their sub-folders. options: by name, the values of
    --data-option NAME=VALUE, the default first; any text where that is empty. test_set: False where ``read`` gives
    training faces alone. version: raised when it reads otherwise.
    """
    def declared(function: Any) -> Any:
        return function

    return declared
