"""Numbers from the literature (results/published.csv): context, never a pass mark. Read it to add one.

Columns: method, dataset, protocol, metric, value (percent), backbone, pretrain, source, verified. Only
numbers that were read in a primary source belong in the file. They come from other backbones, pre-training
and noise draws, mostly the best epoch on the test set of one seed: so our tables run the baseline again.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_bench.errors import UserError
from fer_bench.paths import PACKAGE
from fer_bench.tables.model import Cell

IN_REPOSITORY = PACKAGE.parent / "results" / "published.csv"
PUBLISHED = IN_REPOSITORY if IN_REPOSITORY.is_file() else PACKAGE / "builtin" / "published.csv"  # in a wheel


@dataclass(frozen=True)
class Published:
    """One published number; `value` is a fraction."""

    method: str
    dataset: str
    protocol: str
    metric: str
    value: float
    backbone: str
    pretrain: str
    source: str

    def note(self) -> str:
        """What a footnote must say: where it was read, with which network, on what."""
        setting = [self.backbone, self.pretrain and f"pre-training {self.pretrain}", self.dataset]
        if "-" in self.protocol:  # clean-last, noise10-scratch: a variant of the protocol
            setting.append(self.protocol)
        return f"{self.source} ({', '.join(text for text in setting if text and '?' not in text)})"

    def cell(self, dataset: str, protocol: str) -> Cell:
        """The number as a cell of our column for that dataset and protocol."""
        return Cell(dataset, protocol, self.metric, self.value)


def read_published(path: Path = PUBLISHED) -> list[Published]:
    """The verified rows of the file, in its order."""
    if not path.is_file():
        raise UserError(f"no published numbers at {path}: expected the repository's results/published.csv")
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row.pop("verified") == "yes"]
    return [Published(value=float(row.pop("value")) / 100, **row) for row in rows]


def protocol_key(protocol: Mapping[str, Any]) -> str:
    """What published.csv calls a protocol of this content: clean, noise30, imb50; otherwise its own name."""
    noise, imbalance = protocol.get("noise"), protocol.get("imbalance")
    if not noise and not imbalance:
        return "clean"
    if noise and not imbalance and noise["kind"] == "symmetric":
        return f"noise{100 * noise['rate']:g}"
    if imbalance and not noise and imbalance["profile"] == "exponential":
        return f"imb{imbalance['factor']:g}"
    return str(protocol["name"])


def matches(entry: Published, dataset: str, protocol: Mapping[str, Any]) -> bool:
    """Whether a published number stands for this dataset and protocol.

    Names are compared without case and punctuation (RAF-DB, rafdb). A paper that says only FERPlus or
    AffectNet may mean 7 or 8 classes: it matches both, and its footnote keeps the paper's own word. So do
    variants of a protocol such as clean-last.
    """
    theirs, ours = _letters(entry.dataset), _letters(dataset)
    same_dataset = theirs in (ours, ours.rstrip("0123456789"))
    return same_dataset and entry.protocol.split("-")[0] == protocol_key(protocol)


def _letters(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
