"""What the datasets hold according to their makers, and how a pack differs from it.

Counts: RAF-DB's list_patition_label.txt; FERPlus by its majority rule (src/ferplus.py of its repository), and what its
votes give by the other rules; AffectNet's training.csv and validation.csv; FER2013's Usage column. A
difference is a note, never an error.
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
    "ferplus8 labels=argmax10": {"train": (10309, 7528, 3562, 3515, 2467, 191, 652, 165),
                                 "valid": (1335, 899, 456, 412, 319, 34, 74, 24),
                                 "test": (1262, 928, 444, 444, 325, 23, 93, 27)},
    "ferplus8 labels=argmax10-noties": {"train": (9365, 7410, 3378, 3403, 2399, 175, 648, 162),
                                        "valid": (1242, 880, 441, 395, 310, 31, 73, 24),
                                        "test": (1166, 909, 421, 424, 316, 22, 92, 26)},
    "ferplus8 labels=argmax8": {"train": (10388, 7539, 3588, 3549, 2478, 194, 656, 167),
                                "valid": (1347, 899, 459, 418, 320, 36, 75, 25),
                                "test": (1278, 929, 446, 448, 326, 23, 94, 29)},
    "ferplus8 labels=argmax8-noties": {"train": (9471, 7427, 3407, 3453, 2426, 188, 654, 167),
                                       "valid": (1258, 882, 445, 404, 314, 33, 75, 25),
                                       "test": (1180, 911, 427, 433, 317, 23, 94, 29)},
    "affectnet8": {"train": (74874, 134415, 25459, 14090, 6378, 3803, 24882, 3750), "test": (500,) * 8},
}
for _eight in [name for name in PER_CLASS if "8" in name.partition(" ")[0]]:  # contempt comes last in them
    PER_CLASS[_eight.replace("8", "7", 1)] = {split: counts[:7] for split, counts in PER_CLASS[_eight].items()}
PER_CLASS |= {
    "ferplus7 labels=nla": {"train": (10639, 7548, 3594, 3565, 2495, 211, 657),
                            "valid": (1369, 900, 461, 423, 322, 39, 75), "test": (1310, 929, 446, 450, 331, 28, 95)},
}

# dataset -> split -> images
TOTALS: dict[str, dict[str, int]] = {
    "fer2013": {"train": 28709, "valid": 3589, "test": 3589},
    "rafdb-compound": {"train": 3162, "test": 792},
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
