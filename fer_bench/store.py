"""Records, claims and states of runs: plain files, no database, nothing but atomic renames and links.

results/records/ab/<id>.json   a finished run, written once
work/ab/<id>/                  checkpoints, claim and error.txt of a run
"""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_bench.errors import UserError

STALE_SECONDS = 3600.0  # without a heartbeat for so long, a claim of another machine is taken over
Record = dict[str, Any]


def read_records(results: Path, warn: Callable[[str], None] = lambda line: None) -> list[Record]:
    """All whole records under a results folder, by id; damaged ones and conflicts are said and left out."""
    records = []
    for path in sorted((results / "records").glob("??/*.json")):
        record = _read(path)
        if record is None:
            warn(f"record {path} is damaged; not used: run the same command again to redo it")
        elif path.stem != record["id"]:
            warn(f"{path.name}: a second, different result of run {record['id']}; not used")
        else:
            records.append(record)
    return records


def _read(path: Path) -> Record | None:
    """A record, or None if the file is not a whole one."""
    try:
        record = json.loads(path.read_text())
    except (ValueError, UnicodeDecodeError):
        return None
    whole = isinstance(record, dict) and all(key in record for key in ("id", "label", "spec", "result"))
    return record if whole else None


@dataclass(frozen=True)
class Claim:
    """The right to work on a run, held by one process."""

    path: Path
    token: str

    def held(self) -> bool:
        """Whether the claim is still this process's own; refreshes its heartbeat."""
        try:
            if json.loads(self.path.read_text())["token"] != self.token:
                return False
            os.utime(self.path)
            return True
        except (OSError, ValueError, KeyError):
            return False

    def release(self) -> None:
        """Give the run back."""
        if self.held():
            self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Store:
    """Where runs are kept."""

    results: Path
    work: Path

    def check_writable(self) -> None:
        """Raise UserError at once if a folder cannot be written."""
        for option, folder in (("--results", self.results / "records"), ("--work", self.work)):
            try:
                folder.mkdir(parents=True, exist_ok=True)
                probe = folder / f".probe-{os.getpid()}"
                probe.touch()
                probe.unlink()
            except OSError as error:
                raise UserError(f"{option} {folder}: cannot be written ({error.strerror}); name another folder with "
                                f"{option}") from None

    def record_path(self, run: str) -> Path:
        return self.results / "records" / run[:2] / f"{run}.json"

    def run_folder(self, run: str) -> Path:
        return self.work / run[:2] / run

    def record(self, run: str, warn: Callable[[str], None] = lambda line: None) -> Record | None:
        """The record of a run if it is there and whole; a damaged one is named and set aside."""
        path = self.record_path(run)
        if not path.exists():
            return None
        record = _read(path)
        if record is None or record["id"] != run:
            aside = path.with_suffix(".damaged")
            os.replace(path, aside)
            warn(f"record {path.name} is damaged; set aside as {aside.name}, the run is done again")
            return None
        return record

    def write_record(self, record: Record) -> str:
        """Write a record once: "written", "same" (an equal result was there) or "conflict" (another one was)."""
        path = self.record_path(record["id"])
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex}")
        try:
            with temporary.open("w") as file:
                file.write(render_record(record))
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(temporary, path)
                return "written"
            except FileExistsError:
                if json.loads(path.read_text())["result"] == json.loads(temporary.read_text())["result"]:
                    return "same"
            os.link(temporary, path.with_name(f"{path.stem}.conflict-{uuid.uuid4().hex[:8]}.json"))
            return "conflict"
        finally:
            temporary.unlink(missing_ok=True)

    def claim(self, run: str) -> Claim | None:
        """Claim a run, or None if a living process has it. The claim of a dead one is taken over."""
        folder = self.run_folder(run)
        folder.mkdir(parents=True, exist_ok=True)
        path, token = folder / "claim", uuid.uuid4().hex
        temporary = folder / f".claim-{token}"
        owner = {"host": socket.gethostname(), "pid": os.getpid(), "started": started(os.getpid()), "token": token}
        temporary.write_text(json.dumps(owner))
        try:
            for _ in range(2):
                try:
                    os.link(temporary, path)
                    return Claim(path, token)
                except FileExistsError:
                    if not self._remove_stale(path):
                        return None
            return None
        finally:
            temporary.unlink(missing_ok=True)

    def _remove_stale(self, path: Path) -> bool:
        """Move a stale claim away; if another process renewed it meanwhile, put that one back."""
        if not is_stale(path):
            return False
        aside = path.with_name(f".claim-stale-{uuid.uuid4().hex}")
        try:
            os.rename(path, aside)
            if is_stale(aside):
                return True
            os.link(aside, path)
        except (FileNotFoundError, FileExistsError):
            pass
        finally:
            aside.unlink(missing_ok=True)
        return False

    def error(self, run: str) -> str | None:
        """First line of a failed run's error.txt, or None."""
        try:
            return (self.run_folder(run) / "error.txt").read_text().split("\n")[0]
        except FileNotFoundError:
            return None

    def write_error(self, run: str, headline: str, details: str) -> Path:
        """Keep why a run failed."""
        path = self.run_folder(run) / "error.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{headline}\n\n{details}\n")
        return path

    def clear_error(self, run: str) -> None:
        """Forget a failure, so that the run is tried again."""
        (self.run_folder(run) / "error.txt").unlink(missing_ok=True)

    def state(self, run: str) -> str:
        """done, failed, running, lost (begun, nobody works on it) or absent; read from the files."""
        folder = self.run_folder(run)
        if self.record_path(run).exists():
            return "done"
        if (folder / "error.txt").exists():
            return "failed"
        claim = folder / "claim"
        if claim.exists() and not is_stale(claim):
            return "running"
        return "lost" if any(folder.glob("*.pt")) or claim.exists() else "absent"


def is_stale(path: Path) -> bool:
    """Whether the holder of a claim is gone: its process is dead, or (another machine) its heartbeat is old."""
    try:
        owner, age = json.loads(path.read_text()), time.time() - path.stat().st_mtime
        if owner["host"] == socket.gethostname() and Path("/proc/self").exists():
            return bool(started(owner["pid"]) != owner["started"])
        return age > STALE_SECONDS
    except FileNotFoundError:
        return True
    except (ValueError, KeyError, TypeError):
        return True


def started(pid: int) -> str:
    """When a process began, in clock ticks since the machine's start; "" if it is gone. Process numbers are used again
    (every container begins at 1), a number and its start are not."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    except (OSError, IndexError):
        return ""


def render_record(record: Record) -> str:
    """A record as JSON that people can read: one line for each part and each epoch."""
    lines = []
    for name, part in record.items():
        if name == "result":
            inner = []
            for key, value in part.items():
                if key == "curve":
                    rows = ",\n   ".join(json.dumps(row) for row in value)
                    inner.append(f'  "curve": [\n   {rows}\n  ]')
                else:
                    inner.append(f"  {json.dumps(key)}: {json.dumps(value)}")
            lines.append(' "result": {\n' + ",\n".join(inner) + "\n }")
        else:
            lines.append(f" {json.dumps(name)}: {json.dumps(part)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"
