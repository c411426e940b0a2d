"""Which of its declared layouts a dataset lies in, and what tells whether it is still the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from fer_bench.data.archive import Source
from fer_bench.data.catalog import Dataset
from fer_bench.errors import UserError, printable

DEEPEST = 2  # folders below the root that are looked into
PACKED = (".zip", ".tar", ".tar.gz", ".tgz", ".rar", ".7z")
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
            if all(_there(base, need) for need in needs):
                return base, title
    if near := _nearest(source, layouts):
        raise UserError(f"{source.root}: no whole {dataset.info.name} layout here: {near}")
    wanted = "; or ".join(" + ".join(need.replace("|", " or ") for need in needs) for needs in layouts.values())
    names = list(map(printable, source.names("")))
    found = (", ".join(names[:6]) + (", …" if len(names) > 6 else "")) or "nothing"
    raise UserError(f"{source.root}: no {dataset.info.name} layout here: looked for {wanted}; found {found}; "
                    "give --data-root the folder (or .zip) that holds one of them (docs/datasets.md)")


def _there(base: Source, need: str) -> str:
    """Which of the names "a|b" is there; empty if none."""
    return next((name for name in need.split("|") if base.exists(name)), "")


def _nearest(source: Source, layouts: dict[str, tuple[str, ...]]) -> str:
    """What the layout lacks of which most is there; empty where nothing of any is."""
    found = [(sum(bool(_there(base, need)) for need in needs), base, needs)
             for base in _below(source, DEEPEST) for needs in layouts.values()]
    most, base, needs = max(found, key=lambda one: one[0])
    if not most:
        return ""
    there = [name for need in needs if (name := _there(base, need))]
    lacking = [need.replace("|", " or ") for need in needs if not _there(base, need)]
    packed = [f"{name}{suffix}" for need in needs if not _there(base, need) for name in need.split("|")
              for suffix in PACKED if base.exists(f"{name}{suffix}")]
    mend = f"unpack {base.where(packed[0])} there" if packed else "complete it, or get it anew (docs/datasets.md)"
    return f"{', '.join(there)} is there, {', '.join(lacking)} is not; {mend}"


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
