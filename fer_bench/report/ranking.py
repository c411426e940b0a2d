"""The critical-difference diagrams of the page: of each setting over its protocols, and of all settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

from fer_bench.report.payload import Ranks
from fer_bench.statistics.ranks import Case, complete, rank_methods
from fer_bench.tables.cells import value_of
from fer_bench.tables.model import Record

Setting = Mapping[str, Mapping[str, Sequence[Record]]]  # protocol, method, runs


def diagrams(settings: Sequence[Setting]) -> Iterator[Ranks]:
    """Those that have three methods and two cases, in overall and in mean accuracy."""
    several: list[tuple[int | None, Sequence[Setting]]] = [(None, settings)] if len(settings) > 1 else []
    for number, some in [*((place, [setting]) for place, setting in enumerate(settings)), *several]:
        for metric in ("overall", "mean"):
            cases = complete([accuracies(rows, metric) for setting in some for rows in setting.values()])
            if len(cases) > 1 and len(cases[0]) > 2:
                found = rank_methods(cases)
                names = list(found.ranks)
                yield Ranks(number, metric, found.cases, names, [round(rank, 4) for rank in found.ranks.values()],
                            round(found.critical, 4), round(found.p, 6),
                            [(names.index(clique[0]), names.index(clique[-1])) for clique in found.cliques])


def accuracies(rows: Mapping[str, Sequence[Record]], metric: str) -> Case:
    """Mean accuracy over runs of each method, at the epoch that tables take."""
    found = {row: [value for run in runs if (value := value_of(run, "auto", metric)) is not None]
             for row, runs in rows.items()}
    return {row: fmean(values) for row, values in found.items() if values}
