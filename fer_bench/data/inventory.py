"""What lies in a cache folder, and how it is removed: `run_bench.py data list` and `data remove`."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_bench.data.building import LOCK, delete, is_held
from fer_bench.data.cache import open_checked
from fer_bench.data.pack import ABOUT, IMAGES, SAMPLES
from fer_bench.data.progress import new_file, progress_file, read_progress
from fer_bench.errors import UserError, unknown

NAME = re.compile(r"\.?((.+)-([0-9a-f]{12}))(\.\w+)?")  # <pack>, <pack>.bad, .<pack>.building, .<pack>.<anything>
PROGRESS = progress_file(Path(IMAGES))
OURS = {IMAGES, SAMPLES, ABOUT, LOCK, PROGRESS.name, new_file(PROGRESS).name}
SHORTEST = 4  # digits of a key that name a pack


@dataclass(frozen=True)
class Entry:
    """A folder of the cache. name: the pack's, ``rafdb-`` and its key. datasets: what it is asked for by. images: how
    many, 0 where it is not known. used: seconds since 1970. state: what is wrong with it, empty for a whole pack. held:
    a process builds in it."""

    folder: Path
    name: str
    key: str
    datasets: frozenset[str]
    images: int
    pixels: str
    bytes: int
    source: str
    used: float
    state: str
    held: bool

    @property
    def mb(self) -> str:
        return f"{self.bytes / 1e6:,.1f} MB"


def entries(cache: Path) -> list[Entry]:
    """Every pack in a cache folder, whole, damaged or half-built, the last used first."""
    folders = [folder for folder in cache.iterdir() if folder.is_dir()] if cache.is_dir() else []
    found = [entry for folder in folders if (entry := _entry(folder))]
    return sorted(found, key=lambda entry: (-entry.used, entry.folder))


def _entry(folder: Path) -> Entry | None:
    """What a folder holds, None when it is not one of ours: then it is never touched."""
    named = NAME.fullmatch(folder.name)
    try:
        sizes = {file.name: file.stat() for file in folder.iterdir()}
    except FileNotFoundError:  # gone in this moment
        return None
    if named is None or not sizes.keys() <= OURS:
        return None
    name, dataset, key, kind = named.groups()
    held = folder.name.startswith(".") and is_held(folder.with_name(f".{name}.building"))
    about = _about(folder)
    images, pixels, state = _whole(folder) if kind is None else (0, "", _state(folder, kind, held))
    used = sizes[ABOUT].st_mtime if ABOUT in sizes else folder.stat().st_mtime
    names = frozenset(str(one) for one in (dataset, about.get("name"), about.get("dataset")) if one)
    return Entry(folder, name, key, names, images, pixels, sum(size.st_size for size in sizes.values()),
                 str(about.get("source", "")), used, state, held)


def _about(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / ABOUT).read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _whole(folder: Path) -> tuple[int, str, str]:
    """Images, pixels and state of a pack's own folder."""
    try:
        pack = open_checked(folder)
    except ValueError as error:
        return 0, "", f"damaged: {error}"
    side = "x".join(map(str, pack.train.images.shape[1:3]))
    return sum(map(len, pack.splits.values())), f"{side} {'grey' if pack.channels == 1 else 'RGB'}", ""


def _state(folder: Path, kind: str, held: bool) -> str:
    """What a folder is that is no pack, or not yet."""
    if kind == ".bad":
        return "damaged, set aside"
    if kind != ".building" and not held:
        return "left by a killed process"
    done = read_progress(folder / IMAGES)
    far = f", {done['rows']:,} of {done['of']:,} images decoded" if done else ""
    return f"{'being built' if held else 'half-built'}{far}"


def chosen(found: Sequence[Entry], words: Sequence[str]) -> list[Entry]:
    """The entries that words name: a dataset, a pack, or the first digits of its key. UserError for any other."""
    names: set[str] = set()
    for word in words:
        by_name = {one.name for one in found if word == one.name or word in one.datasets}
        by_key = {one.name for one in found if len(word) >= SHORTEST and one.key.startswith(word)}
        if not by_name and len(by_key) > 1:
            raise UserError(f"'{word}' is the beginning of {len(by_key)} packs' keys: {', '.join(sorted(by_key))}; "
                            "give more digits")
        if not by_name | by_key:
            raise unknown("pack", word, {one.name for one in found}.union(*(one.datasets for one in found)))
        names |= by_name or by_key
    return [one for one in found if one.name in names]


def least_used(found: Sequence[Entry], most: int) -> list[Entry]:
    """What to remove so that at most so many bytes stay: what is no whole pack first, then the longest unused."""
    surplus, out = sum(one.bytes for one in found) - most, []
    for one in sorted((one for one in found if not one.held), key=lambda one: (not one.state, one.used)):
        if surplus <= 0:
            break
        surplus -= one.bytes
        out.append(one)
    return out


def remove(found: Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
    """Delete entries; returns those that are gone and those that stay because a process builds in them."""
    gone = [one for one in found if not one.held and delete(one.folder)]
    return gone, [one for one in found if one not in gone]
