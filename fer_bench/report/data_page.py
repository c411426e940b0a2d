"""A check of a dataset as one page: everything in one HTML file, no script, nothing fetched, all text escaped."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from fer_bench.data.agreement import BANDS, bands
from fer_bench.data.catalog import ADAPTERS, DatasetInfo
from fer_bench.data.check import Check
from fer_bench.data.check_text import headline, overruled, where
from fer_bench.data.looks import spread
from fer_bench.errors import printable
from fer_bench.report.pictures import Pictures
from fer_bench.report.templating import ENVIRONMENT

MOST_GROUPS = 1000  # groups of copies that are listed
MOST_FACES = 12  # faces of a group, and of a list of outliers
DRAWN_GROUPS, DRAWN_FACES = 24, 6
AMBIGUOUS, SHEET = 12, 24  # faces of a class: most ambiguous, all


def may_draw(info: DatasetInfo) -> bool:
    """Whether the faces of a dataset may be drawn unasked: drawn ones, and those that are the user's own."""
    return info.file is None or info.of_a_path or info.file.parent != ADAPTERS


def page(found: Check, faces: bool) -> str:
    """The whole page. faces: whether to draw any; without, they are only named."""
    pictures = Pictures(found, faces)
    copies, classes = _copies(found, pictures), _sheets(found, pictures)
    return ENVIRONMENT.get_template("data.html").render(
        name=printable(found.pack.name), headline=headline(found), facts=_facts(found), notes=_notes(found),
        counts=_counts(found), copies=copies, looks=_looks(found), votes=_votes(found), classes=classes, faces=faces,
        undrawn=pictures.undrawn, percent=lambda part, whole: round(100 * part / whole, 2) if whole else 0)


def _facts(found: Check) -> list[tuple[str, str]]:
    """The numbers on top, each with what it is."""
    facts = [(f"{len(found.labels):,}", "faces"), (f"{len(found.pack.classes)}", "classes"),
             (f"{found.imbalance:.2f}", "largest / smallest training class")]
    for same, near in zip(found.copies.identical, found.copies.near, strict=True):
        if (same.first, same.second) == ("train", "test"):
            facts += [(f"{same.faces:,}", "test faces that are training faces, byte for byte"),
                      (f"{near.alone:,}", "more test faces that look like a training face")]
    return facts


def _notes(found: Check) -> list[str]:
    plain = np.flatnonzero(found.looks.plain)
    notes = [f"no face in {split} of: {', '.join(map(printable, classes))}" for split, classes in found.absent.items()]
    if len(plain):
        notes.append(f"{len(plain):,} faces of one colour: {_listed(found, plain)}")
    if not found.official:
        notes.append("no official counts per class are known for this dataset")
    return [*notes, *map(printable, found.pack.notes)]


def _named(found: Check, rows: Iterable[int]) -> list[tuple[str, str, str]]:
    """(split, id, class) of faces."""
    return [(found.names[found.split[row]], printable(found.ids[row]), printable(found.pack.classes[found.labels[row]]))
            for row in rows]


def _listed(found: Check, rows: np.ndarray) -> str:
    more = f", and {len(rows) - MOST_FACES:,} more" if len(rows) > MOST_FACES else ""
    named = _named(found, rows[:MOST_FACES].tolist())
    return ", ".join(f"{split} {name} ({label})" for split, name, label in named) + more


def _counts(found: Check) -> dict[str, Any]:
    rows = []
    for i, name in enumerate(found.pack.classes):
        cells = [(counts[i], found.official[split][i] if split in found.official else None)
                 for split, counts in found.counts.items()]
        rows.append((printable(name), cells))
    totals = [(sum(counts), sum(found.official[split]) if split in found.official else None)
              for split, counts in found.counts.items()]
    return {"splits": found.names, "rows": rows, "totals": totals,
            "largest": [max(counts) for counts in found.counts.values()]}


def _copies(found: Check, pictures: Pictures) -> dict[str, Any]:
    copies = found.copies
    conflicts = [group for group in copies.same if len(set(found.labels[group].tolist())) > 1]
    drawn = [pictures.of(group[:DRAWN_FACES], with_label=True) for group in copies.alike[:DRAWN_GROUPS]]
    return {
        "identical": [(where(one.first, one.second), one.faces, one.other_label) for one in copies.identical],
        "near": [(where(one.first, one.second), one.faces, one.other_label, one.alone) for one in copies.near],
        "drawn": [group for group in drawn if group],
        "lists": [_groups(found, "Byte-identical faces with several labels", conflicts),
                  _groups(found, "Byte-identical faces", copies.same),
                  _groups(found, "Near-identical faces", copies.alike)],
    }


def _groups(found: Check, title: str, groups: list[np.ndarray]) -> dict[str, Any]:
    listed = [(_named(found, group[:MOST_FACES].tolist()), max(0, len(group) - MOST_FACES))
              for group in groups[:MOST_GROUPS]]
    return {"title": title, "count": len(groups), "groups": listed, "left": max(0, len(groups) - MOST_GROUPS)}


def _looks(found: Check) -> list[dict[str, Any]]:
    """Brightness and contrast, each by class and with its outliers."""
    measures = []
    for name, values, top in (("Brightness", found.looks.brightness, 255), ("Contrast", found.looks.contrast, 128)):
        rows = [(printable(label), spread(values[found.labels == c]).percentiles)
                for c, label in enumerate(found.pack.classes)]
        far = found.outliers(values)
        measures.append({"name": name, "top": top, "rows": rows, "outliers": len(far), "listed": _listed(found, far)})
    return measures


def _votes(found: Check) -> dict[str, Any] | None:
    if found.votes is None:
        return None
    band = bands(found.votes)
    rows = [(printable(name), np.bincount(band[found.labels == c], minlength=len(BANDS)).tolist())
            for c, name in enumerate(found.pack.classes)]
    rows += [(f"all of {name}", np.bincount(band[found.split == i], minlength=len(BANDS)).tolist())
             for i, name in enumerate(found.names)]
    return {"bands": BANDS, "rows": rows, "overruled": overruled(found)}


def _sheets(found: Check, pictures: Pictures) -> list[dict[str, Any]]:
    """By class, the most ambiguous faces and some spread evenly over all."""
    sheets = []
    for label, name in enumerate(found.pack.classes):
        ambiguous = found.most_ambiguous(label, AMBIGUOUS)
        rows = np.setdiff1d(np.flatnonzero(found.labels == label), ambiguous)
        count = min(SHEET - len(ambiguous), len(rows))
        even = rows[np.linspace(0, len(rows) - 1, count).round().astype(int)] if count else rows
        sheets.append({"name": printable(name), "count": int((found.labels == label).sum()),
                       "ambiguous": _named(found, ambiguous.tolist()),
                       "sheets": [("the most ambiguous votes", pictures.of(ambiguous)),
                                  ("spread evenly over the class", pictures.of(even))]})
    return sheets
