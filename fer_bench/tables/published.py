"""Numbers from the literature (results/published.csv): context, never a pass mark. Read it to add one.

Columns: method, dataset, protocol, metric, value and std (percent), backbone, pretrain, selection (of the epoch: last,
best on the test set, val), seeds, source, verified. Only numbers that were read in a primary source belong in the
file; what a source does not say stays empty. They come from other backbones, pre-training and noise draws, mostly the
best epoch on the test set of one seed: so our tables run the baseline again.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fer_bench.errors import UserError
from fer_bench.paths import PACKAGE
from fer_bench.tables.model import Cell

IN_REPOSITORY = PACKAGE.parent / "results" / "published.csv"
PUBLISHED = IN_REPOSITORY if IN_REPOSITORY.is_file() else PACKAGE / "builtin" / "published.csv"  # in a wheel
SELECTIONS = {"": "epoch not said", "last": "last epoch", "best": "best epoch on the test set",
              "val": "best epoch on a validation set"}
Wanted = Literal["", "own", "all"]  # no published numbers, those of a table's methods, all


@dataclass(frozen=True)
class Published:
    """One published number; `value` and `std` are fractions."""

    method: str
    dataset: str
    protocol: str
    metric: str
    value: float
    backbone: str
    pretrain: str
    source: str
    std: float | None = None
    selection: str = ""  # a key of SELECTIONS
    seeds: int | None = None

    @property
    def label(self) -> str:
        """How a method of the library with that name would be called."""
        return self.method.lower().replace(" ", "-")

    @property
    def setting(self) -> list[str]:
        """What makes it incomparable, in words: whose dataset, network, pre-training, epoch and seeds."""
        network = f"network {self.backbone}" if _said(self.backbone) else "network not said"
        weights = f"pre-training {self.pretrain}" if _said(self.pretrain) else "pre-training not said"
        seeds = "seeds not said" if not self.seeds else "one seed" if self.seeds == 1 else f"{self.seeds} seeds"
        variant = [self.protocol] if "-" in self.protocol else []  # clean-last, noise10-scratch
        return [self.dataset, *variant, network, weights, SELECTIONS[self.selection], seeds]

    def note(self) -> str:
        """What a footnote must say: where it was read, and what makes it incomparable."""
        return f"{self.source} ({', '.join(self.setting)})"

    def cell(self, dataset: str, protocol: str) -> Cell:
        """The number as a cell of our column for that dataset and protocol."""
        return Cell(dataset, protocol, self.metric, self.value, self.std, self.seeds, epoch=self.selection)


def _said(text: str) -> bool:
    return bool(text) and "?" not in text and text != "n/a"


def read_published(methods: Collection[str] | None = None, path: Path = PUBLISHED) -> list[Published]:
    """The verified rows of the file, in its order; only those of some methods, where these are named."""
    if not path.is_file():
        raise UserError(f"no published numbers at {path}: expected the repository's results/published.csv")
    with path.open(newline="", encoding="utf-8") as file:
        rows = [_entry(row) for row in csv.DictReader(file) if row.pop("verified") == "yes"]
    return [row for row in rows if methods is None or row.label in methods]


def _entry(row: dict[str, str]) -> Published:
    value, std, seeds = (row.pop(key) for key in ("value", "std", "seeds"))
    return Published(value=float(value) / 100, std=float(std) / 100 if std else None,
                     seeds=int(seeds) if seeds else None, **row)


def without_numbers(names: Iterable[str], entries: Iterable[Published]) -> list[str]:
    """Those of some methods of which there is no number at all; nla-released counts as nla, mek-swin as mek."""
    known = {entry.label for entry in entries}
    return [name for name in names if not any(name == label or name.startswith(f"{label}-") for label in known)]


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
    return same_dataset(entry, dataset) and entry.protocol.split("-")[0] == protocol_key(protocol)


def same_dataset(entry: Published, dataset: str) -> bool:
    """Whether a published number may be of this dataset."""
    theirs, ours = _letters(entry.dataset), _letters(dataset)
    return theirs in (ours, ours.rstrip("0123456789"))


def _letters(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
