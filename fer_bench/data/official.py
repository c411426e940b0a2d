"""What the datasets hold according to their makers, and how a pack differs from it.

Counts: RAF-DB list_patition_label.txt; FERPlus by its majority rule (src/ferplus.py of its repository);
AffectNet's training.csv and validation.csv; FER2013's Usage column. A difference is a note, never an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fer_bench.data.pack import Pack

# dataset -> split -> images per class, in the pack's class order
PER_CLASS: dict[str, dict[str, tuple[int, ...]]] = {
    "rafdb": {"train": (1290, 281, 717, 4772, 1982, 705, 2524), "test": (329, 74, 160, 1185, 478, 162, 680)},
    "ferplus8": {"train": (8740, 7287, 3149, 3014, 2100, 119, 532, 119),
                 "valid": (1182, 865, 415, 351, 287, 24, 62, 13),
                 "test": (1090, 893, 396, 384, 273, 18, 83, 16)},
    "affectnet8": {"train": (74874, 134415, 25459, 14090, 6378, 3803, 24882, 3750), "test": (500,) * 8},
}
for _eight, _seven in (("ferplus8", "ferplus7"), ("affectnet8", "affectnet7")):  # contempt comes last in both
    PER_CLASS[_seven] = {split: counts[:7] for split, counts in PER_CLASS[_eight].items()}

# dataset -> split -> images
TOTALS: dict[str, dict[str, int]] = {
    "fer2013": {"train": 28709, "valid": 3589, "test": 3589},
    **{name: {split: sum(counts) for split, counts in splits.items()} for name, splits in PER_CLASS.items()},
}


def check_counts(pack: Pack) -> list[str]:
    """One line per split whose size or class counts differ from the official ones; none known: no lines."""
    lines = []
    for split, total in TOTALS.get(pack.name, {}).items():
        labels = pack.splits[split].labels.tolist() if split in pack.splits else []
        if len(labels) != total:
            lines.append(f"{split}: {len(labels)} images, officially {total}")
        expected = PER_CLASS.get(pack.name, {}).get(split)
        found = tuple(labels.count(c) for c in range(len(pack.classes)))
        if expected and found != expected:
            differing = [f"{name} {f} (officially {e})"
                         for name, f, e in zip(pack.classes, found, expected, strict=True) if f != e]
            lines.append(f"{split}: per class " + ", ".join(differing))
    return lines
