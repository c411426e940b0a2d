"""Memory of a process and of a group of processes: what is in use, how much is allowed. Linux; elsewhere nothing."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

CGROUPS = Path("/sys/fs/cgroup")
REMOVAL_SECONDS = 10.0
V1 = {"limit": "memory.limit_in_bytes", "peak": "memory.max_usage_in_bytes", "now": "memory.usage_in_bytes"}
V2 = {"limit": "memory.max", "peak": "memory.peak", "now": "memory.current"}


def rss_anon() -> int:
    """Resident anonymous memory of this process in bytes: what it holds itself, mapped files not counted; 0 unknown."""
    try:
        with open("/proc/self/status") as file:
            return next(1024 * int(line.split()[1]) for line in file if line.startswith("RssAnon"))
    except (OSError, StopIteration):
        return 0


class Memory:
    """Watches this process in a thread: ``growth()`` since the start and ``peak()`` growth, in bytes."""

    def __init__(self, every: float = 0.02, group: Group | None = None) -> None:
        self.every, self.group, self.start = every, group, rss_anon()
        self.samples: list[tuple[float, int, int]] = []  # seconds, RssAnon, the group's use
        self.highest, self.begun = self.start, time.perf_counter()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def __enter__(self) -> Memory:
        self.thread.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.ended.set()
        self.thread.join()

    def watch(self) -> None:
        """Sample until the end."""
        while not self.ended.wait(self.every):
            self.look()

    def look(self) -> int:
        """RssAnon now, taken into account."""
        now = rss_anon()
        self.highest = max(self.highest, now)
        if self.group is not None:
            self.samples.append((time.perf_counter() - self.begun, now, self.group.read("now") or 0))
        return now

    def growth(self) -> int:
        """Bytes more than at the start."""
        return self.look() - self.start

    def peak(self) -> int:
        """Most bytes more than at the start."""
        self.look()
        return self.highest - self.start


@dataclass(frozen=True)
class Group:
    """A cgroup with a memory limit; the page cache that its processes fill counts too, and is reclaimed."""

    folder: Path
    version: int

    def read(self, what: str) -> int | None:
        """"limit", "peak" or "now" in bytes; None where the system does not say."""
        try:
            return int((self.folder / (V1 if self.version == 1 else V2)[what]).read_text())
        except (OSError, ValueError):
            return None

    def failures(self) -> int | None:
        """How often the limit was hit and memory had to be reclaimed."""
        try:
            if self.version == 1:
                return int((self.folder / "memory.failcnt").read_text())
            events = dict(line.split() for line in (self.folder / "memory.events").read_text().splitlines())
            return int(events["max"])
        except (OSError, ValueError, KeyError):
            return None

    def join(self) -> None:
        """Put this process into the group."""
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def remove(self) -> None:
        """Remove the group once its processes are gone; an ending process stays in it for a moment."""
        until = time.monotonic() + REMOVAL_SECONDS
        while self.folder.exists():
            try:
                self.folder.rmdir()
            except OSError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)


def places(root: Path = CGROUPS, own: Path = Path("/proc/self/cgroup")) -> list[tuple[Path, int]]:
    """Where a group may be made, best first: inside this process's own group, so that limits above it stay in force.

    Version 2 lets a group that holds processes have no limited children, so the folder beside it is tried too.
    """
    try:
        lines = [line.split(":", 2) for line in own.read_text().splitlines()]
    except OSError:
        return []
    found: list[tuple[Path, int]] = []
    for _, controllers, path in lines:
        version = 1 if "memory" in controllers.split(",") else 2
        top = root / "memory" if version == 1 else root
        if version == 1 or (not controllers and (root / "cgroup.controllers").exists()):
            folder = top / path.lstrip("/")
            folder = folder if folder.is_dir() else top  # a container sees its own folder as the top
            found.append((folder, version))
            if version == 2 and folder != top:
                found.append((folder.parent, version))
    return found


@contextlib.contextmanager
def limited(size: int, where: list[tuple[Path, int]] | None = None) -> Iterator[Group | None]:
    """A new group that may use ``size`` bytes, removed afterwards; None where no group can be made."""
    group = None
    for parent, version in places() if where is None else where:
        group = Group(parent / f"fer-scaling-{os.getpid()}", version)
        try:
            group.folder.mkdir()
            limit = group.folder / (V1 if version == 1 else V2)["limit"]
            limit.write_text(str(size))
            break
        except OSError:
            with contextlib.suppress(OSError):
                group.folder.rmdir()
            group = None
    try:
        yield group
    finally:
        if group is not None:
            group.remove()
