"""What a pack holds and what is odd about it: `run_bench.py data check`. ``Check`` says what is measured."""

from __future__ import annotations

import hashlib
import io
from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from fer_bench.data.pack import SPLITS, Pack, Split


@dataclass(frozen=True)
class Repeats:
    """Byte-identical faces. faces: images of ``second`` whose pixels occur in ``first`` too (within one
    split: images whose pixels came before in it). other_label: those of them with a label that differs."""

    first: str
    second: str
    faces: int
    other_label: int


@dataclass(frozen=True)
class Check:
    """What ``check`` measures. counts: images per class by split. imbalance: largest over smallest class of
    the training set. black: images whose pixels are all zero, by split (left out of ``repeats``)."""

    counts: dict[str, list[int]]
    imbalance: float
    repeats: list[Repeats]
    black: dict[str, int]


def check(pack: Pack) -> Check:
    """Count and compare; reads every pixel of the pack once."""
    counts = {name: np.bincount(split.labels, minlength=len(pack.classes)).tolist()
              for name, split in _ordered(pack)}
    digests = {name: _digests(split) for name, split in _ordered(pack)}
    labels = {name: split.labels.tolist() for name, split in _ordered(pack)}
    repeats = [_within(name, digests[name], labels[name]) for name in digests]
    repeats += [_across(one, two, digests, labels) for one, two in combinations(digests, 2)]
    largest, smallest = max(counts["train"]), min(counts["train"])
    imbalance = largest / smallest if smallest else float("inf")
    return Check(counts, imbalance, repeats, {name: found.count(None) for name, found in digests.items()})


def _ordered(pack: Pack) -> list[tuple[str, Split]]:
    return [(name, pack.splits[name]) for name in SPLITS if name in pack.splits]


def _digests(split: Split) -> list[bytes | None]:
    """One hash of the pixels per image, None for an all-black one."""
    return [hashlib.blake2b(image.tobytes(), digest_size=16).digest() if image.any() else None
            for image in split.images]


def _within(name: str, digests: list[bytes | None], labels: list[int]) -> Repeats:
    seen: dict[bytes, int] = {}
    faces = other = 0
    for digest, label in zip(digests, labels, strict=True):
        if digest is None:
            continue
        faces += digest in seen
        other += seen.setdefault(digest, label) != label
    return Repeats(name, name, faces, other)


def _across(first: str, second: str, digests: dict[str, list[bytes | None]],
            labels: dict[str, list[int]]) -> Repeats:
    labels_of: dict[bytes, set[int]] = defaultdict(set)
    for digest, label in zip(digests[first], labels[first], strict=True):
        if digest is not None:
            labels_of[digest].add(label)
    pairs = zip(digests[second], labels[second], strict=True)
    both = [labels_of[digest] != {label} for digest, label in pairs if digest and digest in labels_of]
    return Repeats(first, second, len(both), sum(both))


def location(pack: Pack) -> Path | None:
    """The cache folder a pack was opened from, None for one in memory."""
    file = getattr(pack.train.images, "filename", None)
    return Path(file).parent if file else None


def report(pack: Pack, where: Path | None = None) -> str:
    """The check as plain text. where: the pack's folder in the cache; found from the pack when not given."""
    result = check(pack)
    where = where or location(pack)
    side = "x".join(map(str, pack.train.images.shape[1:3]))
    lines = [f"{pack.name}: {sum(map(len, pack.splits.values())):,} images of {side}, "
             f"{'grey' if pack.channels == 1 else 'RGB'}, fingerprint {pack.fingerprint[:16]}",
             _text(_counts_table(pack, result)),
             f"imbalance factor of the training set (largest / smallest class): {result.imbalance:.2f}",
             "unreadable images: 0 (a pack is only built when every image decodes)",
             "all-black images: " + ", ".join(f"{name} {n}" for name, n in result.black.items()),
             _text(_repeats_table(result))]
    lines += [f"note: {note}" for note in pack.notes]
    if where:
        size = sum(file.stat().st_size for file in where.iterdir()) / 2**20
        lines.append(f"cached in {where} ({size:,.1f} MiB)")
    return "\n".join(lines)


def _counts_table(pack: Pack, result: Check) -> Table:
    table = Table("class", title="images per class", title_justify="left")
    for split in result.counts:
        table.add_column(split, justify="right")
    for i, name in enumerate(pack.classes):
        table.add_row(name, *(f"{counts[i]:,}" for counts in result.counts.values()))
    table.add_section()
    table.add_row("all", *(f"{sum(counts):,}" for counts in result.counts.values()))
    return table


def _repeats_table(result: Check) -> Table:
    table = Table("where", title="byte-identical faces", title_justify="left")
    table.add_column("faces", justify="right")
    table.add_column("with another label", justify="right")
    for one in result.repeats:
        where = f"within {one.first}" if one.first == one.second else f"{one.second}, also in {one.first}"
        table.add_row(where, f"{one.faces:,}", f"{one.other_label:,}")
    return table


def _text(table: Table) -> str:
    out = io.StringIO()
    Console(file=out, width=100, color_system=None).print(table)
    return out.getvalue().rstrip()
