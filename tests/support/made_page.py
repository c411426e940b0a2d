"""The page of results in tests: records to a payload and back, and records that mean harm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import made_records as made

from fer_bench.runs.outcomes import with_outcomes
from fer_bench.runs.store import read_records

RESULTS = Path(__file__).resolve().parents[2] / "results"
EVIL = "<script>window.evil=1</script><img src=x onerror='window.evil=2'>&\u202eabc</script>"


def ours(*names: str) -> list[dict[str, Any]]:
    """The repository's own records."""
    return [record for name in names
            for record in with_outcomes(read_records(RESULTS / name), RESULTS / name, print)]


def with_training(record: dict[str, Any], epochs: int = 3) -> dict[str, Any]:
    """A made record with curve, confusion and predictions."""
    rows = [{"epoch": i + 1, "loss": 2.0 - i / epochs, "overall": 0.2 + 0.5 * i / epochs,
             "mean": 0.1 + 0.5 * i / epochs, "macro_f1": 0.3, "nll": 1.0, "ece": 0.05, "recall": [0.5] * 7,
             "memorised": 0.1 * i / epochs} for i in range(epochs)]
    matrix = [[10 if i == j else 1 for j in range(7)] for i in range(7)]
    return {**record, "result": {**record["result"], "curve": rows, "confusion": matrix, "predictions": [0, 1] * 56}}


def evil() -> list[dict[str, Any]]:
    """Records whose names are markup, long, and run from right to left."""
    long = "x" * 10_000
    records = []
    for seed in range(2):
        for method in ("ce", EVIL, long, "\u05d0\u05d1\u05d2 \u202e<b>"):
            one = made.record(method, 0.8 + seed / 100, seed=seed, content=made.noise(0.3), dataset=f"folder:{EVIL}")
            one["spec"]["dataset"]["classes"] = [EVIL, long, "</script>", "\u2028", "$x$", "<b>y</b>", "g"]
            one["environment"]["note"] = EVIL + long
            one["views"] = {EVIL: {"erase": 0.5}}
            records.append(with_training(one))
    return records


def payload_in(page: str) -> dict[str, Any]:
    """The data of a page."""
    start = '<script type="application/json" id="payload">'
    found: dict[str, Any] = json.loads(page.split(start)[1].split("</script>")[0])
    return found
