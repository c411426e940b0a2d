"""Where runs stand: done, running with epoch and time left, queued, lost, failed with the reason. Read from files."""

from __future__ import annotations

import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from fer_bench.runs.jobs import Job, read_jobs
from fer_bench.runs.store import Store, read_heads

STATES = ("done", "running", "queued", "lost", "failed")
MARKS = {"done": "", "running": " running", "queued": " queued", "lost": " lost", "failed": " failed"}
SHOWN = 20  # running and failed runs that are listed one by one
Say = Callable[[str], None]


@dataclass
class Status:
    """The state of every run known under a results and a work folder."""

    states: dict[str, str] = field(default_factory=dict)
    abouts: dict[str, dict[str, Any]] = field(default_factory=dict)  # {"label", "spec"} where it is known
    jobs: list[Job] = field(default_factory=list)  # active
    ended: list[tuple[Job, int]] = field(default_factory=list)  # with open runs, and how many

    @property
    def counts(self) -> Counter[str]:
        return Counter(self.states.values())

    def having(self, state: str) -> list[str]:
        """The runs in a state, in order of their titles."""
        return sorted((run for run, found in self.states.items() if found == state), key=self.title)

    def title(self, run: str) -> str:
        """A run in a few words."""
        if run not in self.abouts:
            return run
        about, spec = self.abouts[run], self.abouts[run]["spec"]
        return f"{about['label']} {spec['protocol']['name']} {spec['dataset']['name']} seed {spec['seed']}"


def read_status(store: Store, say: Say) -> Status:
    """Look at every record, every run folder and every active submission."""
    jobs = read_jobs(store.work)
    status = Status(jobs=[job for job in jobs if job.active()])
    for head in read_heads(store.results, say):
        status.states[head["id"]], status.abouts[head["id"]] = "done", head
    for folder in sorted(store.work.glob("??/*")):
        if folder.name not in status.states and folder.is_dir():
            status.states[folder.name] = store.state(folder.name)
            if (about := store.spec(folder.name)) is not None:
                status.abouts[folder.name] = about
    for run in (run for job in status.jobs for run in job.runs):
        if status.states.get(run, "absent") == "absent":
            status.states[run] = "queued"
    seen = {run for job in status.jobs for run in job.runs}
    for job in reversed([job for job in jobs if job not in status.jobs]):  # what a later one took up is no concern
        still = [run for run in job.runs if run not in seen and status.states.get(run, "absent") in ("absent", "lost")]
        seen |= set(job.runs)
        status.ended += [(job, len(still))] if still else []
    return status


def render(status: Status, store: Store) -> Group:
    """Counts, submissions, the grid, what runs now and why runs failed."""
    counts = ", ".join(f"{status.counts[state]} {state}" for state in STATES if status.counts[state])
    parts: list[Any] = [Text(counts or f"no runs under {store.results} and {store.work}")]
    for job in status.jobs:
        parts.append(Text(f"{job.executor} job {job.job}: {len(job.tasks)} task(s), {len(job.runs)} run(s), submitted "
                          f"{job.submitted}"))
    for job, count in status.ended:
        words = job.last_words(store.work)
        parts.append(Text(f"{job.executor} job {job.job} ended with {count} of {len(job.runs)} run(s) open"
                          f"{f': {words}' if words else ''}; the same call again submits them"))
    if status.abouts:
        parts.append(grid(status))
    running, failed = status.having("running"), status.having("failed")
    parts += [Text(f"{run} {status.title(run)}: {progress(store, run)}") for run in running[:SHOWN]]
    parts += [Text(f"{run} {status.title(run)} failed: {store.error(run)}") for run in failed[:SHOWN]]
    if (more := max(len(running) - SHOWN, 0) + max(len(failed) - SHOWN, 0)) > 0:
        parts.append(Text(f"and {more} more"))
    return Group(*parts)


def grid(status: Status) -> Table:
    """Method by protocol: how many seeds are in which state."""
    cells: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for run, about in status.abouts.items():
        spec = about["spec"]
        cells[about["label"], f"{spec['dataset']['name']} {spec['protocol']['name']}"][status.states[run]] += 1
    columns = sorted({column for _, column in cells})
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("method", *columns):
        table.add_column(name, overflow="fold")
    for label in sorted({label for label, _ in cells}):
        row = (", ".join(f"{count}{MARKS[state]}" for state in STATES if (count := cells[label, c][state]))
               for c in columns)
        table.add_row(label, *row)
    return table


def progress(store: Store, run: str) -> str:
    """Epoch and time left of a running run."""
    try:
        found = json.loads((store.run_folder(run) / "progress.json").read_text())
        left = (found["epochs"] - found["epoch"]) * found["seconds_per_epoch"]
        return f"epoch {found['epoch']}/{found['epochs']}, about {left / 60:.1f} min left"
    except (OSError, ValueError, KeyError):
        return "before its first epoch's end"


def show(results: Path, work: Path, watch: float, say: Say) -> None:
    """Print the status once, or every ``watch`` seconds until Ctrl-C or until nothing runs and nothing waits."""
    store = Store(results, work)
    status = read_status(store, say)
    if not watch:
        Console(width=None if Console().is_terminal else 160).print(render(status, store))
        return
    with Live(render(status, store), console=Console(), auto_refresh=False) as live:
        while status.counts["running"] or status.counts["queued"]:
            time.sleep(watch)
            status = read_status(store, lambda line: None)
            live.update(render(status, store), refresh=True)
