"""Who works on a run: claims that exclude one another on any file system with atomic hard links, NFS included.

A claim is a file ``claim-N`` in the run's folder, made by ``os.link``, which of several processes lets exactly one
succeed. To take over from a holder that is gone, a process links ``claim-(N+1)``. Nothing is ever renamed or replaced:
whoever finds a higher number than its own has lost the run and stops at its next heartbeat, and a claimer whose
predecessor was released meanwhile withdraws, since others may have begun anew.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STALE_SECONDS = 900.0  # without a heartbeat for so long, a holder counts as gone
BEAT_SECONDS = 30.0  # between two heartbeats


@dataclass
class Claim:
    """The right to work on a run, held by one process."""

    path: Path
    token: str
    last_beat: float = field(default_factory=time.monotonic)

    @property
    def number(self) -> int:
        return _number(self.path)

    def held(self) -> bool:
        """Whether the claim is still this process's own; refreshes its heartbeat."""
        try:
            if json.loads(self.path.read_text())["token"] != self.token or newest(self.path.parent) != self.path:
                return False
            os.utime(self.path)
            self.last_beat = time.monotonic()
            return True
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return False
        except OSError:  # the file system does not answer just now; the next heartbeat asks again
            return True

    def beat(self) -> bool:
        """``held``, but looked up only when a heartbeat is due; so cheap that every step may ask."""
        return time.monotonic() - self.last_beat < BEAT_SECONDS or self.held()

    def release(self) -> None:
        """Give the run back; a later holder's claim stays."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            if json.loads(self.path.read_text())["token"] != self.token:
                return
            for older in self.path.parent.glob("claim-*"):
                if _number(older) <= self.number:
                    older.unlink(missing_ok=True)
            for left in (*self.path.parent.glob(".claim-*"), *self.path.parent.glob(".now-*")):
                if is_stale(left):  # of a process that was killed while claiming
                    left.unlink(missing_ok=True)


def take(folder: Path) -> Claim | None:
    """Claim the run whose folder this is, or None if a living process has it."""
    folder.mkdir(parents=True, exist_ok=True)
    latest = newest(folder)
    if latest is not None and not is_stale(latest):
        return None
    token, path = uuid.uuid4().hex, folder / f"claim-{_number(latest) + 1 if latest else 1}"
    temporary = folder / f".claim-{token}"
    try:
        temporary.write_text(json.dumps({**me(), "token": token}))
        os.link(temporary, path)
    except FileExistsError:
        if temporary.stat().st_nlink != 2:  # somebody was faster; with two names, only NFS's answer was lost
            return None
    except FileNotFoundError:  # somebody cleared the folder meanwhile
        return None
    finally:
        temporary.unlink(missing_ok=True)
    claim = Claim(path, token)
    if latest is not None and not latest.exists():  # it was released meanwhile: somebody may have begun anew at 1
        path.unlink(missing_ok=True)
        return None
    return claim if claim.held() else None


def newest(folder: Path) -> Path | None:
    """The claim with the highest number, or None."""
    return max(folder.glob("claim-*"), key=_number, default=None)


def _number(path: Path) -> int:
    text = path.name.removeprefix("claim-")
    return int(text) if text.isdecimal() else 0


def me() -> dict[str, Any]:
    """What a claim says of its holder. A Slurm job keeps its number when it is requeued, on whatever machine."""
    job, restart = os.environ.get("SLURM_JOB_ID"), os.environ.get("SLURM_RESTART_COUNT", "0")
    return {"host": f"{socket.gethostname()} {boot()} {pid_namespace()}", "pid": os.getpid(),
            "started": started(os.getpid()), "job": job, "restart": int(restart) if job else 0}


def pid_namespace() -> str:
    """What process numbers mean here: containers on one host may count their own."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def boot() -> str:
    """A name of this machine's present boot: two machines may have the same host name."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def is_stale(path: Path) -> bool:
    """Whether the holder of a claim is gone: its process is dead, its Slurm job has been requeued since (we are it),
    or its heartbeat is old. Both times are the file system's, so machines' clocks need not agree."""
    try:
        owner = json.loads(path.read_text())
        mine = me()
        if owner["host"] == mine["host"] and Path("/proc/self").exists() and started(owner["pid"]) != owner["started"]:
            return True
        if owner["job"] and owner["job"] == mine["job"] and owner["restart"] < mine["restart"]:
            return True
        return now(path.parent) - path.stat().st_mtime > STALE_SECONDS
    except FileNotFoundError:
        return True
    except (ValueError, KeyError, TypeError):
        return True


def now(folder: Path) -> float:
    """The time by the clock that dates files in a folder; this machine's clock where nothing can be written."""
    probe = folder / f".now-{uuid.uuid4().hex}"
    try:
        probe.touch()
        return probe.stat().st_mtime
    except OSError:
        return time.time()
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)


def started(pid: int) -> str:
    """When a process began, in clock ticks since the machine's start; "" if it is gone. Process numbers are used again
    (every container begins at 1), a number and its start are not."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    except (OSError, IndexError):
        return ""
