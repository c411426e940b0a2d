"""A limit to the memory of a process and of the page cache that it fills: a cgroup. Linux; elsewhere nothing."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.child import call

CGROUPS = Path("/sys/fs/cgroup")
REMOVAL_SECONDS = 10.0
FILES = {1: {"limit": "memory.limit_in_bytes", "peak": "memory.max_usage_in_bytes"},
         2: {"limit": "memory.max", "peak": "memory.peak"}}


@dataclass(frozen=True)
class Group:
    """A cgroup with a memory limit; the page cache that its processes fill counts too, and is reclaimed."""

    folder: Path
    version: int

    def read(self, what: str) -> int | None:
        """"limit" or "peak" in bytes; None where the system does not say."""
        try:
            return int((self.folder / FILES[self.version][what]).read_text())
        except (OSError, ValueError):
            return None

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


def inside(group: Group | None, target: str, *arguments: Any) -> Any:
    """Call ``module:function`` in a process that joins the group before it imports anything for that."""
    if group is not None:
        (group.folder / "cgroup.procs").write_text(str(os.getpid()))
    return call(target, *arguments)


def places(root: Path = CGROUPS, own: Path = Path("/proc/self/cgroup")) -> list[tuple[Path, int]]:
    """Where a group may be made, best first: inside this process's own group, so that limits above it stay in force.

    Version 2 lets a group that holds processes have no limited children, so the folder beside it is tried too.
    """
    found: list[tuple[Path, int]] = []
    for line in own.read_text().splitlines() if own.exists() else ():
        _, controllers, path = line.split(":", 2)
        version = 1 if "memory" in controllers.split(",") else 2
        top = root / "memory" if version == 1 else root
        if version == 1 or (not controllers and (root / "cgroup.controllers").exists()):
            folder = top / path.lstrip("/")
            folder = folder if folder.is_dir() else top  # a container sees its own folder as the top
            found += [(folder, version)] + [(folder.parent, version)] * (version == 2 and folder != top)
    return found


@contextlib.contextmanager
def limited(size: int, where: list[tuple[Path, int]] | None = None) -> Iterator[Group | None]:
    """A new group that may use ``size`` bytes, removed afterwards; None where no group can be made."""
    made = None
    for parent, version in places() if where is None else where:
        group = Group(parent / f"fer-scaling-{os.getpid()}", version)
        try:
            group.folder.mkdir()
            (group.folder / FILES[version]["limit"]).write_text(str(size))
        except OSError:
            with contextlib.suppress(OSError):
                group.folder.rmdir()
        else:
            made = group
            break
    try:
        yield made
    finally:
        if made is not None:
            made.remove()
