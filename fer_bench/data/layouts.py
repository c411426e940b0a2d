"""Which of its declared layouts a dataset lies in, and what tells whether it is still the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from fer_bench.data.archive import Source
from fer_bench.data.catalog import Dataset
from fer_bench.errors import UserError

DEEPEST = 2  # folders below the root that are looked into
Located = tuple[Source, str]


def find(dataset: Dataset, place: Path) -> tuple[Callable[[], Located], list[Any]]:
    """How to open what lies at ``place``, and its signature; a .zip is only opened when it must be read."""
    if place.is_file():
        found = place.stat()
        return lambda: locate(Source(place), dataset), [found.st_size, found.st_mtime_ns]
    located = locate(Source(place), dataset)
    return lambda: located, signature(*located, dataset)


def locate(source: Source, dataset: Dataset) -> Located:
    """The first layout that fits, at the root or deeper; UserError saying what was looked for."""
    layouts = _layouts(dataset)
    for base in _below(source, 0 if dataset.file else DEEPEST):
        for title, needs in layouts.items():
            if all(any(base.exists(name) for name in need.split("|")) for need in needs):
                return base, title
    wanted = "; or ".join(" + ".join(need.replace("|", " or ") for need in needs) for needs in layouts.values())
    names = source.names("")
    found = (", ".join(names[:6]) + (", …" if len(names) > 6 else "")) or "nothing"
    raise UserError(f"{source.root}: no {dataset.info.name} layout here: looked for {wanted}; found {found}; "
                    "give --data-root the folder (or .zip) that holds one of them (docs/datasets.md)")


def _layouts(dataset: Dataset) -> dict[str, tuple[str, ...]]:
    return {title: tuple(need.replace("{file}", dataset.file) for need in needs)
            for title, needs in dataset.info.layouts.items()}


def _below(source: Source, depth: int) -> Iterator[Source]:
    """The source, then its folders, level by level."""
    level = [source]
    for _ in range(depth + 1):
        yield from level
        level = [base.below(folder) for base in level for folder in base.folders("")]


def signature(source: Source, title: str, dataset: Dataset) -> list[Any]:
    """Sizes and times of what is watched: a few stats, never a listing of images."""
    found: list[Any] = [title, source.base]
    names = [name for need in _layouts(dataset)[title] for name in need.split("|")]
    for name in dict.fromkeys([*names, *dataset.info.watch]):
        if source.exists(name):
            found.append(source.stat(name))
            found += [source.stat(f"{name}/{inner}") for inner in source.folders(name)]
    return found
