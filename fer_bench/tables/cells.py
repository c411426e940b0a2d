"""From records to the cells of one column. Read it for what exactly a number in a table is."""

from __future__ import annotations

from typing import Any

from fer_bench.errors import UserError
from fer_bench.tables import stats
from fer_bench.tables.model import Cell, Record
from fer_bench.tables.records import classes_of, dataset_of, protocol_of

Unit = tuple[int, int]  # seed, fold
ROUNDING = 1e-12  # means of the same numbers in another order
Runs = dict[str, dict[Unit, Record]]  # under one protocol on one dataset, by label


def epoch_of(record: Record, select: str) -> str:
    """The epoch that a run is told by: last, best, val. auto: val if the protocol held faces out for it, else last."""
    if select != "auto":
        return select
    return "last" if record["result"]["val"] is None else "val"


def metrics_of(record: Record, select: str) -> dict[str, Any]:
    """The numbers of the chosen epoch (auto, last, best, val); UserError when the run has no validation set."""
    metrics = record["result"][epoch_of(record, select)]
    if metrics is None:
        run = f"{record['label']}, {protocol_of(record)}, {dataset_of(record)}, seed {record['spec']['seed']}"
        raise UserError(
            f"--select {select}: run {record['id']} ({run}) held no validation set out; "
            f"give its protocol the key `validation` (such as validation: 0.1) or use --select last"
        )
    return dict(metrics)


def value_of(record: Record, select: str, metric: str) -> float | None:
    """One number of one run, a fraction; None for the recall of a class that the test set lacks."""
    metrics = metrics_of(record, select)
    if not metric.startswith("recall:"):
        return None if (found := metrics.get(metric)) is None else float(found)
    value = metrics["recall"][classes_of(record).index(metric.removeprefix("recall:"))]
    return None if value is None else float(value)


def _by_run(runs: Runs, select: str, metric: str) -> dict[str, dict[Unit, float]]:
    found: dict[str, dict[Unit, float]] = {}
    for label, records in runs.items():
        values = {unit: value_of(records[unit], select, metric) for unit in sorted(records)}
        known = {unit: value for unit, value in values.items() if value is not None}
        if known:
            found[label] = known
    return found


def by_seed(values: dict[str, dict[Unit, float]]) -> dict[str, dict[int, float]]:
    """What tests compare: folds of one seed share training faces, so their mean counts once. A method counts with the
    seeds of which it has as many folds as any method has."""
    folds = {seed: {fold for units in values.values() for s, fold in units if s == seed}
             for seed in {seed for units in values.values() for seed, _ in units}}
    return {label: {seed: stats.mean([units[seed, fold] for fold in sorted(all_)]) for seed, all_ in folds.items()
                    if all((seed, fold) in units for fold in all_)} for label, units in values.items()}


def too_few_seeds(runs: Runs, select: str, metric: str) -> bool:
    """Whether there are methods to compare, but not seeds enough for the bold rule to tell any two apart."""
    values = by_seed(_by_run(runs, select, metric))
    return len(values) > 1 and not stats.can_separate(values)


def p_can_speak(seeds: dict[str, dict[int, float]], baseline: str) -> bool:
    """Whether any gain over the baseline could have an adjusted p below .05: with three seeds none could."""
    pairs = [len(own.keys() & seeds.get(baseline, {}).keys()) for label, own in seeds.items() if label != baseline]
    tested = [count for count in pairs if count > 1]
    return any(len(tested) * stats.least_p(count) < stats.ALPHA for count in tested)


def gains_of(seeds: dict[str, dict[int, float]], baseline: str) -> dict[str, tuple[float, float | None]]:
    """`stats.gains_over`, but no p (and no time spent on it) where none could be below .05."""
    if p_can_speak(seeds, baseline):
        return stats.gains_over(seeds, baseline)
    gaps = {label: stats.differences(own, seeds.get(baseline, {})) for label, own in seeds.items() if label != baseline}
    return {label: (stats.mean(gap), None) for label, gap in gaps.items() if gap}


def passes_of(records: dict[Unit, Record]) -> float | None:
    """Mean forward passes of one method's records; None for those of before they were counted."""
    counted = [p for record in records.values() if (p := record.get("cost", {}).get("forward_passes")) is not None]
    return stats.mean(counted) if counted else None


def cells_of(runs: Runs, select: str, metric: str, baseline: str) -> dict[str, Cell]:
    """label -> cell of one column. Nothing is bold when so few seeds could not have shown a difference."""
    values = _by_run(runs, select, metric)
    seeds = by_seed(values)
    bold = stats.not_below_best(seeds) if stats.can_separate(seeds) else set()
    gains = gains_of(seeds, baseline)
    highest = max((stats.mean(list(units.values())) for units in values.values()), default=0.0)
    best = _by_run(runs, "best", metric)
    last = _by_run(runs, "last", metric)
    cells = {}
    for label, units in values.items():
        record = next(iter(runs[label].values()))
        numbers = list(units.values())
        gain, p = gains.get(label, (None, None))
        value = stats.mean(numbers)
        cells[label] = Cell(
            dataset_of(record),
            protocol_of(record),
            metric,
            value,
            stats.std(numbers),
            len(numbers),
            label in bold,
            len(values) > 1 and value > highest - ROUNDING,
            gain,
            p,
            stats.mean(stats.differences(best[label], last[label])),
            passes_of(runs[label]),
            epoch_of(record, select),
        )
    return cells
