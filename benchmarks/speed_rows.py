"""The rows of the benchmark: what is measured on which device, and what their windows come to."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from speed_child import Child, Failed
from speed_floors import best_floor
from speed_job import Job, cores
from speed_quiet import QUIET, Meter, wait_for_quiet

METHODS = ("ce", "nla")
PACKED = range(1, 9)
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
    children: list[Child] = field(default_factory=list)
    leader: Row | None = None  # the row whose processes serve this one too
    crew: int = 1  # processes of the leader
    builds: int = 1  # packed runs that each of them builds

    def start(self) -> None:
        """Start its processes; ``ready`` waits for them."""
        if self.leader is None:
            self.children = [Child(replace(self.job, lanes=self.builds)) for _ in range(self.crew)]

    def ready(self) -> None:
        """Wait until it can be timed; a failure becomes its reason."""
        def waited() -> None:
            self.threads = [child.answer(BUILD_SECONDS)["threads"] for child in self.children][0]

        if self.leader is None:
            self.guarded(waited)
        else:
            self.threads, self.reason = self.leader.threads, self.leader.reason

    def window(self, seconds: float, patience: float) -> None:
        """Time one window, all its processes at once, when the machine is quiet or patience ends."""
        def timed() -> None:
            children = (self.leader or self).children[: self.processes]
            if len(children) < self.processes:
                raise Failed("the process that it shares ended")
            wait_for_quiet(patience)
            meter = Meter()
            for child in children:
                child.begin(seconds, self.job.lanes)
            found = [child.answer(WINDOW_SECONDS + 10 * seconds) for child in children]
            self.others.append(meter.others())
            self.windows.append(sum(one["images"] / one["seconds"] for one in found))
            self.peak = sum(one["peak_memory_bytes"] for one in found)

        self.guarded(timed)

    def quiet(self) -> list[float]:
        """The windows in which the machine was ours."""
        return [rate for rate, share in zip(self.windows, self.others, strict=True) if share is None or share <= QUIET]

    def counted(self) -> list[float]:
        """The quiet windows if there are enough of them, else all."""
        return self.quiet() if len(self.quiet()) >= min(ENOUGH, len(self.windows)) else self.windows

    def guarded(self, act: Any) -> None:
        """Do something unless the row has failed; a failure ends its processes."""
        if self.reason is not None:
            return
        try:
            act()
        except Failed as error:
            self.reason = str(error)
            self.close()

    def close(self) -> None:
        """End its processes."""
        for child in self.children:
            child.close()
        self.children = []


def close_all(rows: list[Row]) -> None:
    """End the processes of all rows: all are asked first, then awaited."""
    for row in rows:
        for child in row.children:
            child.dismiss()
    for row in rows:
        row.close()


def make_rows(base: Job, wanted: Callable[[str, str], bool]) -> list[Row]:
    """The wanted rows of a device; ``base`` holds what they share. Rows that differ only in the number of
    processes or of packed runs share their processes."""
    make = cuda_rows if base.device.startswith("cuda") else cpu_rows
    rows = [row for method in METHODS for row in make(replace(base, method=method)) if wanted(row.name, method)]
    leaders: dict[Job, Row] = {}
    for row in rows:
        leader = leaders.setdefault(replace(row.job, lanes=0), row)
        leader.builds, leader.crew = max(leader.builds, row.job.lanes), max(leader.crew, row.processes)
        row.leader = None if leader is row else leader
    return rows


def peers(base: Job) -> list[Row]:
    """The usual pipeline, then its loop on kornia's augmentation: both with torch's default threads."""
    return [Row(f"usual pipeline, {base.workers} workers", replace(base, kind="usual")),
            Row("usual loop, kornia on the batch", replace(base, kind="kornia"))]


def cpu_rows(base: Job) -> list[Row]:
    """The peers get the whole machine; ours runs with one thread a process, alone and one process per core."""
    rows = peers(base)
    together = min(cores(), 8)
    for processes in (1, together) if together > 1 else (1,):
        for precision in ("fp32", "bf16"):
            job = replace(base, kind="engine", precision=precision, threads=1)
            shared = f", {processes} processes" if processes > 1 else ""
            rows.append(Row(f"ours, eager {precision}{shared}", job, processes))
    return rows


def cuda_rows(base: Job) -> list[Row]:
    """The ladder of engines, and packed runs: up to eight of cross-entropy, four of two views."""
    rows = peers(base)
    for engine, precision, fast in (("eager", "fp32", False), ("eager", "tf32", False), ("eager", "bf16", False),
                                    ("graph", "bf16", False), ("graph", "bf16", True), ("compiled", "bf16", True)):
        job = replace(base, kind="engine", engine=engine, precision=precision, fast=fast, threads=1)
        rows.append(Row(f"ours, {engine} {precision}{' --fast' * fast}", job))
    for lanes in PACKED if base.method == "ce" else (4,):
        job = replace(base, kind="engine", engine="graph", precision="bf16", lanes=lanes, threads=1)
        rows.append(Row(f"ours, graph bf16, packed {lanes}", job))
    job = replace(base, kind="engine", engine="compiled", precision="bf16", fast=True, lanes=4, threads=1)
    return [*rows, Row("ours, compiled bf16 --fast, packed 4", job)]


def summary(row: Row, usual: float | None, floor: dict[str, Any] | None) -> dict[str, Any]:
    """A row as it stands in the JSON; ``usual`` is the usual pipeline's rate of the same method."""
    job = {key: value for key, value in asdict(row.job).items() if key not in ("folder", "epochs", "faces")}
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
