"""Two methods over all datasets and protocols that both were run on. Read it for `run_bench.py compare A B`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fer_bench.errors import UserError, unknown
from fer_bench.statistics.bootstrap import bootstrap_interval
from fer_bench.statistics.faces import by_seed, right_of
from fer_bench.statistics.intervals import Interval, gain_interval, seeds_interval
from fer_bench.statistics.pairs import McNemar, mcnemar
from fer_bench.tables import stats
from fer_bench.tables.cells import value_of
from fer_bench.tables.model import Record
from fer_bench.tables.records import check_versions, classes_of, dataset_of, natural, protocol_of

KINDS = {"variance": gain_interval, "bootstrap": bootstrap_interval}
METRICS = ("overall", "mean")
Runs = dict[int, list[Record]]  # of one method: seed -> its run, or one run for each fold


@dataclass(frozen=True)
class Gain:
    """One number of two methods, all fractions. metric: overall, mean, or recall:<class>."""

    metric: str
    one: float  # mean over the seeds that both have
    other: float
    interval: Interval | None  # None: one seed, and not known which faces were right
    p: float | None = None  # sign-flip over seeds, Holm over the cases; None where it cannot be below .05


@dataclass(frozen=True)
class Compared:
    """Two methods under one protocol on one dataset, at the last epoch, on the seeds that both have."""

    dataset: str
    protocol: str
    seeds: tuple[int, ...]
    gains: tuple[Gain, ...]  # overall, mean, then the recall of each class that the test set has
    faces: McNemar | None = None  # of one seed alone

    def of(self, metric: str) -> Gain:
        """The gain in a metric."""
        return next(gain for gain in self.gains if gain.metric == metric)


@dataclass(frozen=True)
class Comparison:
    """The first method minus the second in every case."""

    one: str
    other: str
    cases: tuple[Compared, ...]
    kind: str  # of interval: variance or bootstrap
    notes: tuple[str, ...]


def compare(records: Sequence[Record], one: str, other: str, kind: str = "variance") -> Comparison:
    """Compare two methods on every dataset and protocol that both have runs of a common seed on.

    records: as a table takes them, those of other methods are passed over; with "test_faces" (runs/test_faces.py)
    intervals are over faces, too. one, other: names or labels. kind: of interval. Raises UserError for unknown names,
    mixed versions, nothing in common.
    """
    if kind not in KINDS:
        raise unknown("interval for --interval", kind, KINDS)
    labels = {record["label"]: str(record["spec"]["method"]["name"]) for record in records}
    one, other = (find_label(name, labels) for name in (one, other))
    if one == other:
        raise UserError(f"compare {one} {other}: one method, expected two; `table` shows which there are")
    kept = [record for record in records if record["label"] in (one, other)]
    check_versions(kept)
    cases = [_compared(*key, first, second, kind) for key, first, second in _common(kept, one, other)]
    return Comparison(one, other, tuple(_adjusted(cases)), kind, tuple(_notes(kept, cases)))


def find_label(name: str, labels: Mapping[str, str]) -> str:
    """The label that a name is meant to be. labels: label -> method's name. Raises UserError for none or several."""
    if name in labels:
        return name
    found = sorted(label for label, method in labels.items() if method == name)
    if len(found) > 1:
        raise UserError(f"method '{name}' has runs with several settings: {', '.join(found)}; name one, in quotes")
    if not found:
        raise unknown("method among the records", name, labels)
    return found[0]


def _common(records: Sequence[Record], one: str, other: str) -> list[tuple[tuple[str, str], Runs, Runs]]:
    """Dataset and protocol of each case, and the runs of both methods with the seeds that both have."""
    cases: dict[tuple[str, str], dict[str, list[Record]]] = defaultdict(lambda: {one: [], other: []})
    for record in records:
        cases[dataset_of(record), protocol_of(record)][record["label"]].append(record)
    found = []
    for key in sorted(cases, key=lambda key: [natural(name) for name in key]):
        first, second = by_seed(cases[key][one]), by_seed(cases[key][other])
        if both := sorted(first.keys() & second.keys()):
            found.append((key, {seed: first[seed] for seed in both}, {seed: second[seed] for seed in both}))
    if not found:
        has = [f"{label}: {', '.join(sorted('/'.join(key) for key in cases if cases[key][label]))}"
               for label in (one, other)]
        raise UserError(f"compare {one} {other}: no dataset, protocol and seed that both were run with "
                        f"({'; '.join(has)}); run what is missing")
    return found


def _compared(dataset: str, protocol: str, one: Runs, other: Runs, kind: str) -> Compared:
    classes = classes_of(next(iter(one.values()))[0])
    right = right_of(one), right_of(other)
    gains = []
    for metric in (*METRICS, *(f"recall:{name}" for name in classes)):
        values = _values(one, metric), _values(other, metric)
        if values[0] is None or values[1] is None:
            continue
        interval = None
        if right[0] is not None and right[1] is not None:
            labels = right[0].labels
            own = labels == classes.index(metric[7:]) if metric.startswith("recall:") else np.ones(len(labels), bool)
            interval = KINDS[kind](right[0].right[:, own], right[1].right[:, own], labels[own],
                                   "mean" if metric == "mean" else "overall")
        elif len(one) > 1:
            interval = seeds_interval(values[0] - values[1])
        p = None  # of a class, too: over so many tests Holm would leave none
        if metric in METRICS and stats.least_p(len(one)) < stats.ALPHA:
            p = stats.sign_flip((values[0] - values[1]).tolist())
        gains.append(Gain(metric, float(values[0].mean()), float(values[1].mean()), interval, p))
    pair = mcnemar(right[0].right[0], right[1].right[0]) if len(one) == 1 and right[0] and right[1] else None
    return Compared(dataset, protocol, tuple(one), tuple(gains), pair)


def _values(runs: Runs, metric: str) -> np.ndarray | None:
    """One number for each seed, the mean over its folds, float64 [S]; None where the test set lacks the class."""
    found = [[value_of(record, "last", metric) for record in own] for own in runs.values()]
    if any(value is None for own in found for value in own):
        return None
    means: np.ndarray = np.array(found, np.float64).mean(1)
    return means


def _adjusted(cases: Sequence[Compared]) -> list[Compared]:
    """The cases with Holm's adjustment over them, for overall and for mean accuracy."""
    found = list(cases)
    for metric in METRICS:
        raw = {str(place): p for place, case in enumerate(found) if (p := case.of(metric).p) is not None}
        for place, p in stats.holm(raw).items():
            case = found[int(place)]
            found[int(place)] = replace(case, gains=tuple(replace(gain, p=p) if gain.metric == metric else gain
                                                          for gain in case.gains))
    return found


def _notes(records: Sequence[Record], cases: Sequence[Compared]) -> list[str]:
    """What to know of the numbers."""
    gains = [case.of("overall") for case in cases]
    notes = []
    if any(len(case.seeds) == 1 and case.of("overall").interval for case in cases):
        notes.append("n = 1: the interval and McNemar's p are of these two networks on other such faces; how another "
                     "training would come out they cannot say.")
    if any(gain.interval and gain.interval.faces == 0 for gain in gains):
        notes.append("Intervals marked 'seeds' are over seeds alone: the test faces of these runs were not kept; give "
                     "their commands again with the data, which adds them and trains nothing.")
    if any(gain.interval is None for gain in gains):
        notes.append("No interval: one seed, and its test faces were not kept; give the commands of these runs again "
                     "with the data.")
    if any(gain.p is None and len(case.seeds) > 1 for gain, case in zip(gains, cases, strict=True)):
        notes.append("p: fewer than 6 seeds cannot give one below .05, so none is printed.")
    if any(gain.p is not None for gain in gains):
        notes.append("p: paired sign-flip test over seeds on these test faces, Holm over the rows. Intervals are "
                     "of each row alone, and of other faces of the kind, too.")
    if any(record["result"]["val"] for record in records):
        notes.append("Protocols that hold faces out are compared at the last epoch, of which predictions are kept.")
    return notes
