"""A check as plain text for a terminal. ``report`` puts the parts together."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fer_bench.data.agreement import BANDS, bands
from fer_bench.data.check import Check
from fer_bench.data.looks import spread
from fer_bench.data.pack import Pack
from fer_bench.errors import printable

FIRST = 10  # groups of copies and other things that are named
FEW = 5  # faces of a group, outliers, ambiguous faces of a class


def location(pack: Pack) -> Path | None:
    """The cache folder a pack was opened from, None for one in memory."""
    file = getattr(pack.train.images, "filename", None)
    return Path(file).parent if file else None


def headline(found: Check) -> str:
    """What the pack is, in a line without its name."""
    pack = found.pack
    side = "x".join(map(str, pack.train.images.shape[1:3]))
    grey = int((~found.looks.colour).sum())
    kind = "grey" if pack.channels == 1 else f"RGB ({grey:,} of them without colour)" if grey else "RGB"
    return f"{len(found.labels):,} images of {side}, {kind}, fingerprint {pack.fingerprint[:16]}"


def report(found: Check, where: Path | None = None) -> str:
    """The check as plain text. where: the pack's folder in the cache; found from the pack when not given."""
    where = where or location(found.pack)
    lines = [f"{printable(found.pack.name)}: {headline(found)}", _text(_counts_table(found)),
             f"imbalance factor of the training set (largest / smallest class): {found.imbalance:.2f}"]
    lines += [f"no face in {split} of: {', '.join(map(printable, classes))}" for split, classes in found.absent.items()]
    lines += ["unreadable images: 0 (a pack is only built when every image decodes)",
              "all-black images: " + ", ".join(f"{name} {n}" for name, n in found.black.items()),
              *_one_colour(found), *_copies(found), _text(_looks_table(found)), *_outliers(found), *_votes(found)]
    lines += [f"note: {printable(note)}" for note in found.pack.notes]
    if where and where.is_dir():  # not removed meanwhile
        size = sum(file.stat().st_size for file in where.iterdir()) / 2**20
        lines.append(f"cached in {where} ({size:,.1f} MiB)")
    return "\n".join(lines)


def face(found: Check, row: int) -> str:
    """A face by its split, id and label."""
    label = found.pack.classes[found.labels[row]]
    return f"{found.names[found.split[row]]} {printable(found.ids[row])} ({printable(label)})"


def _named(found: Check, rows: Sequence[int] | np.ndarray, most: int) -> str:
    more = f", and {len(rows) - most:,} more" if len(rows) > most else ""
    return ", ".join(face(found, row) for row in rows[:most]) + more


def _counts_table(found: Check) -> Table:
    table = _table("class", "images per class", list(found.counts))

    def cell(split: str, count: int, expected: int | None) -> str:
        return f"{count:,}" + ("" if expected in (None, count) else f" (officially {expected:,})")

    for i, name in enumerate(found.pack.classes):
        published = {split: counts[i] for split, counts in found.official.items()}
        _row(table, name, [cell(split, n[i], published.get(split)) for split, n in found.counts.items()])
    table.add_section()
    sums = {split: sum(counts) for split, counts in found.official.items()}
    _row(table, "all", [cell(split, sum(counts), sums.get(split)) for split, counts in found.counts.items()])
    return table


def _one_colour(found: Check) -> list[str]:
    rows = np.flatnonzero(found.looks.plain)
    return [f"faces of one colour, black or not: {_named(found, rows, FIRST)}"] if len(rows) else []


def where(first: str, second: str) -> str:
    """In words, where copies are."""
    return f"within {first}" if first == second else f"{second}, also in {first}"


def _copies(found: Check) -> list[str]:
    same = _table("where", "byte-identical faces", ["faces", "with another label"])
    for one in found.copies.identical:
        _row(same, where(one.first, one.second), [f"{one.faces:,}", f"{one.other_label:,}"])
    alike = _table("where", "near-identical faces", ["faces", "with another label", "not byte-identical to any"])
    for near in found.copies.near:
        _row(alike, where(near.first, near.second),
             [f"{near.faces:,}", f"{near.other_label:,}", f"{near.alone:,}"])
    conflicts = [group for group in found.copies.same if len(set(found.labels[group].tolist())) > 1]
    return [_text(same), *_groups(found, conflicts, "byte-identical faces with several labels"), _text(alike),
            *_groups(found, found.copies.alike, "near-identical faces, by picture")]


def _groups(found: Check, groups: list[np.ndarray], title: str) -> list[str]:
    if not groups:
        return []
    some = f", the first {FIRST}" if len(groups) > FIRST else ""
    return [f"{title}: {len(groups):,} groups{some}", *(f"  {_named(found, rows, FEW)}" for rows in groups[:FIRST])]


def _looks_table(found: Check) -> Table:
    table = _table("class", "brightness and contrast, 0 to 255: median (5 to 95 %)", ["brightness", "contrast"])
    for label, name in enumerate(found.pack.classes):
        cells = [spread(values[found.labels == label]).percentiles
                 for values in (found.looks.brightness, found.looks.contrast)]
        _row(table, name, [f"{p[2]:.0f} ({p[0]:.0f} to {p[4]:.0f})" for p in cells])
    return table


def _outliers(found: Check) -> list[str]:
    lines = []
    for name, values in (("brightness", found.looks.brightness), ("contrast", found.looks.contrast)):
        if len(rows := found.outliers(values)):
            lines.append(f"outliers of {name} (1.5 interquartile ranges off): {len(rows):,}: "
                         f"{_named(found, rows, FEW)}")
    return lines


def _votes(found: Check) -> list[str]:
    if found.votes is None:
        return []
    table = _table("faces", "agreement of votes, by the share of the most voted", list(BANDS))
    band = bands(found.votes)
    for number, name in enumerate(found.names):
        _row(table, name, [f"{n:,}" for n in np.bincount(band[found.split == number], minlength=len(BANDS))])
    lines = [_text(table), f"labels that others got more votes than: {overruled(found):,}", "most ambiguous faces:"]
    return lines + [f"  {printable(name)}: {_named(found, found.most_ambiguous(label, FEW), FEW)}"
                    for label, name in enumerate(found.pack.classes)]


def overruled(found: Check) -> int:
    """Faces whose label is not among the most voted."""
    assert found.votes is not None
    own = found.votes[np.arange(len(found.labels)), found.labels]
    return int((own < found.votes.max(1)).sum())


def _table(first: str, title: str, columns: list[str]) -> Table:
    table = Table(first, title=title, title_justify="left")
    for name in columns:
        table.add_column(name, justify="right")
    return table


def _row(table: Table, name: str, cells: list[str]) -> None:
    table.add_row(Text(printable(name)), *cells)


def _text(table: Table) -> str:
    out = io.StringIO()
    Console(file=out, width=100, color_system=None).print(table)
    return out.getvalue().rstrip()
