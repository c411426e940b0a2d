"""What the tests of submitted runs share: a grid of four runs, its folders and its records."""

from __future__ import annotations

import time
from pathlib import Path

from tinyfolder import Place


def grid(place: Place, results: str, *more: str) -> list[str]:
    return place.words("--method", "ce,nla", "--protocol", "noise30", "--seeds", "2", *more, results=results)


def bits(place: Place, results: str) -> dict:
    return {r["id"]: r["result"] for r in place.records(results)}


def work_of(place: Place, results: str) -> Path:
    return place.root / "work" / results


def wait_for_records(place: Place, results: str, count: int, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while len(place.records(results)) < count:
        logs = "".join(p.read_text() for p in work_of(place, results).glob("jobs/logs/*.err"))
        assert time.monotonic() < end, f"{len(place.records(results))} of {count} records; {logs[-500:]}"
        time.sleep(0.2)
