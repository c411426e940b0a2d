"""The rows of the benchmark: what is measured on which device, and what their windows come to."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from common.child import Child, Failed

from speed.floors import best_floor
from speed.job import Job
from speed.quiet import QUIET, Meter

METHODS = ("ce", "nla")
KINDS = {"usual": "speed.usual:Usual", "kornia": "speed.usual:Kornia", "engine": "speed.engine:Engine"}
ENOUGH = 3  # quiet windows that make a figure
BUILD_SECONDS, WINDOW_SECONDS = 1200.0, 300.0  # longest waits for a child


@dataclass
class Row:
    """One line of the benchmark: a job in one process or in several whose rates are added."""

    name: str
    job: Job
    processes: int = 1
    windows: list[float] = field(default_factory=list)  # images/s
    others: list[float | None] = field(default_factory=list)  # share of the cores that others used in each window
    reason: str | None = None  # why it failed
    threads: int | None = None
    peak: int = 0

    @property
    def crew(self) -> Job:
        """What rows have in common that differ only in the number of processes or of packed runs: the processes."""
        return replace(self.job, lanes=0)

    def window(self, children: list[Child], seconds: float) -> None:
        """Time one window, all its processes at once; a failure becomes its reason."""
        try:
            meter = Meter()
            for child in children[: self.processes]:
                child.begin(seconds, self.job.lanes)
            found = [child.answer(WINDOW_SECONDS + 10 * seconds) for child in children[: self.processes]]
        except Failed as error:
            self.reason = str(error)
            return
        self.others.append(meter.others())
        self.windows.append(sum(one["images"] / one["seconds"] for one in found))
        self.peak, self.threads = sum(one["peak_memory_bytes"] for one in found), found[0]["threads"]

    def last(self) -> str:
        """What is said of the last window."""
        share = self.others[-1] or 0.0
        return f"{self.windows[-1]:,.1f} images/s" + f" (others used {share:.0%} of the cores)" * (share > QUIET)

    def quiet(self) -> list[float]:
        """The windows in which the machine was ours."""
        return [rate for rate, share in zip(self.windows, self.others, strict=True) if share is None or share <= QUIET]

    def counted(self) -> list[float]:
        """The quiet windows if there are enough of them, else all."""
        return self.quiet() if len(self.quiet()) >= min(ENOUGH, len(self.windows)) else self.windows


def crews(rows: list[Row]) -> dict[Job, tuple[Job, int]]:
    """By ``Row.crew``: what each process builds, and how many of them there are, the most that any row needs."""
    found: dict[Job, tuple[Job, int]] = {}
    for row in rows:
        job, processes = found.get(row.crew, (row.crew, 0))
        found[row.crew] = replace(job, lanes=max(job.lanes, row.job.lanes)), max(processes, row.processes)
    return found


def start(rows: list[Row]) -> dict[Job, list[Child]]:
    """Start the processes of all rows; ``ready`` waits for them."""
    return {crew: [Child(KINDS[job.kind], job) for _ in range(processes)]
            for crew, (job, processes) in crews(rows).items()}


def ready(rows: list[Row], children: dict[Job, list[Child]]) -> None:
    """Wait until all rows can be timed; what cannot be built is the reason of the rows that need it."""
    for crew, processes in children.items():
        try:
            for child in processes:
                child.answer(BUILD_SECONDS)
        except Failed as error:
            for row in rows:
                row.reason = str(error) if row.crew == crew else row.reason


def make_rows(base: Job, wanted: Callable[[str, str], bool]) -> list[Row]:
    """The wanted rows of a device; ``base`` holds what they share."""
    ours = cuda_rows if base.device.startswith("cuda") else cpu_rows
    rows = []
    for method in METHODS:
        usual, kornia, engine = (replace(base, kind=kind, method=method) for kind in KINDS)
        rows += [Row(f"usual pipeline, {base.workers} workers", usual), Row("usual loop, kornia on the batch", kornia),
                 *ours(engine)]
    return [row for row in rows if wanted(row.name, row.job.method)]


def cpu_rows(job: Job) -> list[Row]:
    """The peers get the whole machine; ours runs with one thread a process, alone and one process per core."""
    from fer_bench.runs.dispatch import cores

    return [Row(f"ours, eager {precision}{f', {processes} processes' * (processes > 1)}",
                replace(job, precision=precision), processes)
            for processes in sorted({1, min(cores(), 8)}) for precision in ("fp32", "bf16")]


def cuda_rows(job: Job) -> list[Row]:
    """The ladder of engines, and packed runs: up to eight of cross-entropy, four of two views."""
    ladder = [("eager", "fp32", False, 1), ("eager", "tf32", False, 1), ("eager", "bf16", False, 1),
              ("graph", "bf16", False, 1), ("graph", "bf16", True, 1), ("compiled", "bf16", True, 1)]
    ladder += [("graph", "bf16", False, lanes) for lanes in (range(2, 9) if job.method == "ce" else (4,))]
    ladder += [("compiled", "bf16", True, 4)]
    return [Row(f"ours, {engine} {precision}{' --fast' * fast}{f', packed {lanes}' * (lanes > 1)}",
                replace(job, engine=engine, precision=precision, fast=fast, lanes=lanes))
            for engine, precision, fast, lanes in ladder]


def summary(row: Row, usual: float | None, floor: dict[str, Any] | None) -> dict[str, Any]:
    """A row as it stands in the JSON; ``usual`` is the usual pipeline's rate of the same method."""
    job = {key: value for key, value in asdict(row.job).items() if key not in ("folder", "faces")}
    counted = row.counted()
    rate = statistics.median(counted) if counted else None
    status = "failed" if row.reason else "ok" if row.windows else "pending"
    if row.reason and "No module named" in row.reason:
        status = "skipped"
    return {"name": row.name, "method": row.job.method, "status": status, "reason": row.reason,
            "images_per_second": rate, "windows": counted, "disturbed": len(counted) > len(row.quiet()),
            "all_windows": row.windows, "others_busy": row.others,
            "spread": (max(counted) - min(counted)) / rate if rate else None,
            "ratio": rate / usual if rate and usual else None,
            "share_of_floor": rate / floor["images_per_second"] if rate and floor else None,
            "peak_memory_bytes": row.peak or None, "processes": row.processes, "threads_used": row.threads, "job": job}


def summaries(rows: list[Row], ceilings: dict[str, float], size: int,
              batch: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """All rows for the JSON, and the floor of each method."""
    floors = {method: best_floor(ceilings, size, batch, method) for method in METHODS}
    usual = {row.job.method: statistics.median(row.counted())
             for row in rows if row.job.kind == "usual" and row.windows and row.reason is None}
    return [summary(row, usual.get(row.job.method), floors[row.job.method]) for row in rows], floors
