"""The faces that say most of a block: those that methods disagree on, that all get wrong, that one wins or loses.

Those of the test set come from the predictions that every record holds, those of the training set from --test-training.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from fer_bench.data.pack import Pack, Split
from fer_bench.errors import printable
from fer_bench.report.payload import Face, FaceSheet
from fer_bench.report.pictures import data_uri
from fer_bench.tables.model import Record
from fer_bench.tables.records import folds_of

MOST = 12  # faces of a sheet
TRAINING = {  # list of the outcome: title, what it says, words beside its number
    "memorised": ("Wrong labels that {} has learnt by heart", "Training faces predicted as the wrong label that they "
                  "were given, the surest first.", "sure: {:.2f}"),
    "lowest": ("What {} weighs least", "Training faces of the lowest weight in the last epoch.", "weight: {:.3f}"),
    "highest": ("What {} weighs most", "Training faces of the highest weight in the last epoch.", "weight: {:.3f}"),
}
BASE, CENTRE = "ce", "nla"  # whose faces are compared
Rows = Mapping[str, Sequence[Record]]


def sheets(setting: int, protocol: str, rows: Rows, pack: Pack) -> list[FaceSheet]:
    """The sheets of a block; none where the predictions are not of the pack's test faces."""
    from scipy.stats import entropy  # here: it would double the time of a page without faces

    if not _of_pack(rows, pack):
        return []
    shares = {row: _shares(runs, len(pack.classes)) for row, runs in rows.items()}
    each = np.mean(list(shares.values()), axis=0)  # float64 [N, C], methods counting alike
    right = {row: share[np.arange(len(each)), pack.test.labels] for row, share in {"": each, **shares}.items()}
    found = {("What methods disagree on most", "Predictions spread widest over the classes."): entropy(each, axis=1),
             ("What nearly all get wrong", "The fewest runs predict the label: hard faces, or labels to look at."):
             1 - right[""]}
    for one, other in ((CENTRE, BASE), (BASE, CENTRE)):
        if one in right and other in right:
            about = f"What {one} gets and {other} does not", f"Right in more seeds of {one} than of {other}."
            found[about] = right[one] - right[other]
    return [*training_sheets(setting, protocol, rows, pack),
            *(FaceSheet(setting, protocol, title, about, [_face(pack, row, each[row]) for row in _highest(score)])
              for (title, about), score in found.items())]


def training_sheets(setting: int, protocol: str, rows: Rows, pack: Pack) -> Iterator[FaceSheet]:
    """Training faces by the outcomes of --test-training, of the first seed of each method that has any."""
    place = {name: row for row, name in enumerate(pack.train.ids)}
    for method, runs in rows.items():
        tests = (test for run in runs for test in run.get("further", ()) if test["kind"] == "training")
        outcome = next((test["result"] for test in tests), None)
        for key, (title, about, words) in TRAINING.items():
            if outcome and (listed := outcome[key][:MOST]):
                faces = [_training_face(pack, place[name], given, words.format(number))
                         for name, given, _, number in listed if name in place]
                yield FaceSheet(setting, protocol, title.format(cut(method)), about, faces)


def _of_pack(rows: Rows, pack: Pack) -> bool:
    """Whether all runs predicted all test faces of the pack, in its classes."""
    runs = [run for some in rows.values() for run in some]
    return all(run["spec"]["dataset"]["fingerprint"] == pack.fingerprint and not folds_of(run)
               and not run["spec"]["protocol"].get("classes")
               and len(run["result"]["predictions"]) == len(pack.test.labels) for run in runs)


def _shares(runs: Sequence[Record], classes: int) -> np.ndarray:
    """How often the runs predict each class for each face, float64 [N, C]; rows sum to 1."""
    counted = [np.eye(classes)[run["result"]["predictions"]] for run in runs]
    return np.asarray(sum(counted) / len(counted))


def _highest(score: np.ndarray) -> list[int]:
    """The rows of the highest scores, ties by row; only those above zero."""
    order = np.lexsort((np.arange(len(score)), -score))[:MOST]
    return [int(row) for row in order if score[row] > 0]


def _face(pack: Pack, row: int, shares: np.ndarray) -> Face:
    """A test face: its label, what it is predicted as, and how annotators voted."""
    names = [printable(name) for name in pack.classes]
    lines = [f"label: {names[pack.test.labels[row]]}", "predicted: " + _listed(names, shares)]
    if pack.test.votes is not None and pack.test.votes[row].sum() > 0:
        lines.append("votes: " + _listed(names, pack.test.votes[row] / pack.test.votes[row].sum()))
    return Face(_uri(pack.test, row), printable(pack.test.ids[row]), lines)


def _training_face(pack: Pack, row: int, given: int, words: str) -> Face:
    """A training face: its true label, the one that it was given, and a number."""
    names, true = [printable(name) for name in pack.classes], int(pack.train.labels[row])
    label = f"given: {names[given]}" + (f" (true: {names[true]})" if given != true else "")
    return Face(_uri(pack.train, row), printable(pack.train.ids[row]), [label, words])


def _uri(split: Split, row: int) -> str:
    return data_uri(np.array(split.images[np.array([row])])[0])


def cut(name: str, most: int = 60) -> str:
    """A name of bounded length."""
    return name if len(name) <= most else name[: most - 1] + "…"


def _listed(names: Sequence[str], shares: np.ndarray) -> str:
    """The three largest shares: "fear 60 %, surprise 25 %"."""
    order = np.argsort(-shares, kind="stable")[:3]
    return ", ".join(f"{names[place]} {100 * shares[place]:.0f}\u00a0%" for place in order if shares[place] >= 0.05)
