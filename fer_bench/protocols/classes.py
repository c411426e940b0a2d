"""The classes that a protocol names, found in a dataset whatever its spelling: "happiness" where it says "Happy"."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from fer_bench.data.expressions import expression
from fer_bench.data.pack import Pack, take
from fer_bench.errors import UserError, near
from fer_bench.protocols.protocol import Protocol


def class_index(pack: Pack, name: str) -> int:
    """The label of a class in a dataset, by its name or by another spelling of it. Raises UserError for no or two."""
    if name in pack.classes:
        return pack.classes.index(name)
    found = [label for label, other in enumerate(pack.classes) if expression(other) == expression(name)]
    if not found:
        raise UserError(f"dataset '{pack.name}' has no class '{name}': {near(name, pack.classes)}")
    if len(found) > 1:
        both = " and ".join(pack.classes[label] for label in found)
        raise UserError(f"dataset '{pack.name}' has {both}, which could both be class '{name}': name one of them")
    return found[0]


def class_indices(pack: Pack, names: Iterable[str], what: str) -> list[int]:
    """The labels of several classes. Raises UserError for a class that is named twice, in one spelling or in two."""
    found: dict[int, str] = {}
    for name in names:
        label = class_index(pack, name)
        if label in found:
            raise UserError(f"{what}: '{found[label]}' and '{name}' are one class of dataset '{pack.name}'; name it "
                            "once")
        found[label] = name
    return list(found)


def keep_classes(pack: Pack, protocol: Protocol) -> Pack:
    """The dataset with the classes of a protocol alone, numbered in its order and spelled as in the dataset."""
    if protocol.classes is None:
        return pack
    kept = class_indices(pack, protocol.classes, f"protocol '{protocol.name}', classes")
    renumber = np.full(len(pack.classes), -1, dtype=np.int64)
    renumber[kept] = np.arange(len(kept))
    splits = {}
    for name, split in pack.splits.items():
        split = take(split, np.flatnonzero(renumber[split.labels] >= 0))
        columns = {k: np.where(v >= 0, renumber[v], -1) for k, v in split.columns.items()}
        votes = None if split.votes is None else split.votes[:, kept]
        splits[name] = replace(split, labels=renumber[split.labels], votes=votes, columns=columns)
    return replace(pack, classes=tuple(pack.classes[label] for label in kept), splits=splits)
