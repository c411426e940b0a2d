"""The arrays that were submitted from a work folder: which are still active, and how to end them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from fer_bench.errors import UserError
from fer_bench.runs.claims import started
from fer_bench.runs.store import write_whole


@dataclass(frozen=True)
class Job:
    """One submission. tasks: the numbers of its tasks. runs: ids. births: of local tasks, when each process began."""

    job: str
    executor: str
    tasks: tuple[str, ...]
    runs: tuple[str, ...]
    submitted: str
    code: dict[str, str]
    births: tuple[str, ...] = ()

    def write(self, work: Path) -> None:
        """Keep it in the work folder."""
        write_whole(work / "jobs" / f"{self.executor}-{self.job}.json", json.dumps(vars(self), indent=1))

    def active(self) -> bool:
        """Whether any of its tasks waits or runs; also while the cluster does not answer, so that nothing is submitted
        twice."""
        if self.executor == "local":
            return bool(self.processes())
        if self.executor != "slurm":
            return False
        words = ["squeue", "-h", "-j", self.job, "-o", "%T"]
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=60)
        except FileNotFoundError:
            return False  # no cluster here
        except (OSError, subprocess.TimeoutExpired):
            return True
        return bool(done.stdout.strip()) if done.returncode == 0 else "invalid job id" not in done.stderr.lower()

    def last_words(self, work: Path) -> str:
        """The last line that one of its tasks printed as an error, or ""."""
        logs = sorted((work / "jobs" / "logs").glob(f"{self.job}_*_log.err"), key=lambda log: log.stat().st_mtime)
        lines = [line for log in logs for line in log.read_text(errors="replace").splitlines() if line.strip()]
        return lines[-1].strip()[:200] if lines else ""

    def processes(self) -> list[int]:
        """The living processes of a local submission; a number that another process has now does not count."""
        pairs = zip(self.tasks, self.births, strict=False)
        return [int(pid) for pid, birth in pairs if birth and started(int(pid)) == birth]

    def cancel(self) -> None:
        """End its tasks; their runs can be taken over, what they did is on disk."""
        if self.executor == "slurm":
            done = subprocess.run(["scancel", self.job], capture_output=True, text=True)
            if done.returncode:
                raise UserError(f"cancel {self.job}: scancel failed ({' '.join(done.stderr.split())[:120]})")
        for pid in self.processes() if self.executor == "local" else ():
            os.kill(pid, signal.SIGINT)  # what submitit's own cancel sends


def read_jobs(work: Path) -> list[Job]:
    """All submissions of a work folder, the oldest first; files that are not whole are left out."""
    found = []
    for path in (work / "jobs").glob("*.json"):
        try:
            values = json.loads(path.read_text())
            lists = [tuple(map(str, values[key])) for key in ("tasks", "runs", "births")]
            found.append(Job(values["job"], values["executor"], lists[0], lists[1], values["submitted"], values["code"],
                             lists[2]))
        except (OSError, ValueError, TypeError, KeyError):
            continue
    return sorted(found, key=lambda job: job.submitted)


def active_jobs(work: Path) -> list[Job]:
    """The submissions that still have tasks."""
    return [job for job in read_jobs(work) if job.active()]


def cancel(work: Path, numbers: Iterable[str]) -> list[Job]:
    """End the named submissions, or all active ones. Raises UserError for a number that is not there."""
    jobs, numbers = read_jobs(work), list(numbers)
    for number in numbers:
        if number not in {job.job for job in jobs}:
            known = ", ".join(job.job for job in jobs) or "none"
            raise UserError(f"cancel {number}: no such submission under {work}; known: {known}")
    chosen = [job for job in jobs if (job.job in numbers if numbers else True) and job.active()]
    for job in chosen:
        job.cancel()
    return chosen
