"""What the figures of one dataset are about: its records by protocol, and which methods stand out in colour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

from fer_bench.report.figures.style import LOOKS, Look
from fer_bench.tables.cells import value_of
from fer_bench.tables.model import Record
from fer_bench.tables.records import dataset_of, natural, protocol_of, unit_of

Unit = tuple[int, int]  # seed, fold
SAME = 0.005  # of accuracy
FOCUS = ("nla", "nla-released")  # the centre of the suite stands out wherever it has runs


@dataclass(frozen=True)
class Subject:
    """The records of one dataset. All numbers are in percent, of the epoch that tables take (`--select auto`)."""

    dataset: str
    records: tuple[Record, ...]
    baseline: str

    @cached_property
    def protocols(self) -> list[str]:
        """Every protocol, noise9 before noise10."""
        return sorted({protocol_of(record) for record in self.records}, key=natural)

    @cached_property
    def by_protocol(self) -> dict[str, dict[str, dict[Unit, Record]]]:
        """protocol -> label -> seed and fold -> record."""
        found: dict[str, dict[str, dict[Unit, Record]]] = {name: {} for name in self.protocols}
        for record in sorted(self.records, key=lambda record: (record["label"].lower(), record["label"])):
            found[protocol_of(record)].setdefault(record["label"], {})[unit_of(record)] = record
        return found

    def values(self, protocol: str, metric: str) -> dict[str, dict[Unit, float]]:
        """label -> run -> one number of each, such as mean accuracy."""
        return {label: {unit: 100 * value for unit, record in sorted(units.items())
                        if (value := value_of(record, "auto", metric)) is not None}
                for label, units in self.by_protocol[protocol].items()}

    @cached_property
    def uneven(self) -> bool:
        """Whether classes have unequal numbers of test faces, so that overall and mean accuracy are two things."""
        pairs = [(value_of(record, "auto", "overall"), value_of(record, "auto", "mean")) for record in self.records]
        return any(abs((overall or 0) - (mean or 0)) > SAME for overall, mean in pairs)

    def gains(self, protocol: str, metric: str = "mean") -> dict[str, list[float]]:
        """label -> points above the baseline, one for each run that the baseline has with the same seed and fold."""
        values = self.values(protocol, metric)
        base = values.get(self.baseline, {})
        pairs = {label: [value - base[unit] for unit, value in own.items() if unit in base]
                 for label, own in values.items() if label != self.baseline}
        return {label: found for label, found in pairs.items() if found}

    def scores(self) -> dict[str, float]:
        """label -> mean gain (without the baseline: accuracy) over the protocols that at least half of the methods
        have; a method that lacks one of them has none."""
        if any(self.baseline in self.by_protocol[name] for name in self.protocols):
            found = {name: {label: fmean(gains) for label, gains in self.gains(name).items()}
                     for name in self.protocols}
        else:
            found = {name: {label: fmean(own.values()) for label, own in self.values(name, "mean").items()}
                     for name in self.protocols}
        labels = {label for column in found.values() for label in column}
        common = [column for column in found.values() if 2 * len(column) >= len(labels)]
        return {label: fmean(column[label] for column in common) for label in sorted(labels)
                if common and all(label in column for column in common)}

    @cached_property
    def looks(self) -> dict[str, Look]:
        """The methods that stand out and how: the baseline, NLA, then the best, as many as there are colours."""
        labels = {record["label"] for record in self.records}
        scores = self.scores()
        best = sorted(scores, key=lambda label: (-scores[label], label))
        wanted = dict.fromkeys([self.baseline, *FOCUS, *best, *sorted(labels)])
        chosen = [label for label in wanted if label in labels][: len(LOOKS)]
        looks = iter(LOOKS if self.baseline in labels else LOOKS[1:])  # black is the baseline's
        return dict(zip(chosen, looks, strict=False))


def subjects(records: Sequence[Record], baseline: str) -> Iterator[Subject]:
    """One for each dataset, in natural order."""
    for name in sorted({dataset_of(record) for record in records}, key=natural):
        yield Subject(name, tuple(record for record in records if dataset_of(record) == name), baseline)
