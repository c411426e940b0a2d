"""Which test faces each run had right. Read it for what is compared face by face, and when it cannot be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fer_bench.errors import UserError
from fer_bench.tables.model import Record
from fer_bench.tables.records import classes_of, dataset_of, folds_of, protocol_of, unit_of

BySeed = Mapping[int, Sequence[Record]]  # the runs of each seed: one, or one for each fold


@dataclass(frozen=True)
class Right:
    """right: bool [S, N], whether the network of each seed has each test face right. labels: int64 [N], true classes.

    With folds a seed has several networks, and each face was tested by the one that had not trained on it.
    """

    right: np.ndarray
    labels: np.ndarray


def by_seed(records: Sequence[Record]) -> dict[int, list[Record]]:
    """The runs of one method under one protocol on one dataset; seeds that lack a fold are left out."""
    found: dict[int, dict[int, Record]] = {}
    for record in records:
        seed, fold = unit_of(record)
        found.setdefault(seed, {})[fold] = record
    whole = max(1, folds_of(records[0])) if records else 1
    return {seed: [own[fold] for fold in sorted(own)] for seed, own in sorted(found.items()) if len(own) == whole}


def right_of(runs: BySeed) -> Right | None:
    """What the runs had right, seeds in ascending order; None where a run's test faces or predictions were not kept.

    Raises UserError where they do not fit the run.
    """
    records = [record for own in runs.values() for record in own]
    if not records or not all("test_faces" in record and record["result"]["predictions"] for record in records):
        return None
    first, labels = _faces(runs[min(runs)])
    right = np.zeros((len(runs), len(labels)), bool)
    for place, seed in enumerate(sorted(runs)):
        rows, own = _faces(runs[seed])
        order = np.argsort(rows)
        if place == 0:
            first, labels = rows[order], own[order]
        if not (np.array_equal(rows[order], first) and np.array_equal(own[order], labels)):
            raise UserError(f"test faces of seed {seed} of {_name(runs[seed][0])} are not those of seed {min(runs)}; "
                            "delete the folder test-faces of the results and give the command of the runs again")
        right[place] = np.concatenate([_right(record) for record in runs[seed]])[order]
    return Right(right, labels)


def _faces(records: Sequence[Record]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the dataset and true classes of what the runs of one seed were tested on, int64 [N] each."""
    rows, labels = (np.concatenate([record["test_faces"][key] for record in records]) for key in ("rows", "labels"))
    return rows, labels


def _right(record: Record) -> np.ndarray:
    """bool [N] of one run, once its predictions have been found to give its confusion matrix."""
    labels, predicted = record["test_faces"]["labels"], np.array(record["result"]["predictions"])
    count = len(classes_of(record))
    fits = labels.shape == predicted.shape and max(labels.max(), predicted.max()) < count
    pairs = np.bincount(labels * count + predicted, minlength=count**2) if fits else np.zeros(0)
    if pairs.tolist() != [number for line in record["result"]["confusion"] for number in line]:
        raise UserError(f"run {record['id']} ({_name(record)}): its predictions on the test faces kept beside it do "
                        "not give its confusion matrix; delete the folder test-faces of the results and give the "
                        "command of the run again")
    found: np.ndarray = labels == predicted
    return found


def _name(record: Record) -> str:
    return f"{record['label']}, {protocol_of(record)}, {dataset_of(record)}"
