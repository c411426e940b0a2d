"""One record as a `Run` of a payload: numbers rounded, long curves thinned, equal parts kept once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from fer_bench.report.payload import Numbers, Pool, Run
from fer_bench.tables.further import expanded
from fer_bench.tables.model import Record
from fer_bench.tables.records import unit_of

METRICS = ("overall", "mean", "macro_f1", "ece", "nll")
CURVES = ("overall", "mean", "macro_f1", "ece", "loss", "memorised", "corrected", "weight_auroc", "weight_ambiguity")
RULES = ("last", "best", "val")
MOST_POINTS = 100  # epochs of a curve; longer ones are thinned evenly
FURTHER = ("test-on", "subset", "corruptions")
FINE, COARSE = 1_000_000, 10_000


def run_of(record: Record, pool: Pool) -> Run:
    """The run that a record is of. Raises KeyError, TypeError and the like for one that lacks what every record has."""
    spec, result = record["spec"], record["result"]
    last = numbers_of(result["last"])
    results = {"last": last}
    for rule in RULES[1:]:
        if result[rule] is not None and (found := numbers_of(result[rule])) != last:
            results[rule] = found
    parts = {"method": spec["method"]["parameters"], "protocol": spec["protocol"], "dataset": spec["dataset"],
             "recipe": spec["recipe"], "code": {"track": spec["track"], "weights": spec["weights"], **spec["code"]},
             "environment": record.get("environment", {})}
    seed, fold = unit_of(record)
    return Run(str(record["id"]), seed, fold, {rule: result[rule]["epoch"] for rule in RULES if result[rule]}, results,
               curve_of(result.get("curve", [])), result.get("confusion", []),
               record.get("cost", {}).get("forward_passes"), record.get("cost", {}).get("seconds"),
               {name: pool.place(part) for name, part in parts.items()}, further_of(record))


def numbers_of(metrics: Mapping[str, Any]) -> Numbers:
    """METRICS of an epoch, then its recalls, in millionths."""
    return [rounded(metrics.get(name), FINE) for name in METRICS] + [rounded(one, FINE) for one in metrics["recall"]]


def rounded(value: float | None, of: int) -> int | None:
    """A fraction as a whole number of parts; None for nothing, and for what is not finite."""
    return None if value is None or not math.isfinite(value) else round(value * of)


def curve_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, Numbers]:
    """The epochs and CURVES of a run, in ten-thousandths; what no epoch has is left out."""
    kept = thinned(rows)
    columns = {name: [rounded(row.get(name), COARSE) for row in kept] for name in CURVES}
    known = {name: column for name, column in columns.items() if any(value is not None for value in column)}
    return {"epoch": [int(row["epoch"]) for row in kept], **known} if kept else {}


def thinned(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """At most MOST_POINTS of the rows, evenly spread, the first and the last among them."""
    if len(rows) <= MOST_POINTS:
        return list(rows)
    return [rows[round(i * (len(rows) - 1) / (MOST_POINTS - 1))] for i in range(MOST_POINTS)]


def further_of(record: Record) -> list[list[Any]]:
    """The further tests of a run: kind, name, overall and mean accuracy in millionths; those on votes are left out."""
    found = []
    for kind in FURTHER:
        for one in expanded([record], kind):
            numbers = one["result"]["last"]
            found.append([kind, one["tested"], rounded(numbers["overall"], FINE), rounded(numbers["mean"], FINE)])
    return found
