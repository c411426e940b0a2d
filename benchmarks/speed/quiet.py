"""Whether the machine was ours alone: what other processes used of its cores, from /proc (None where there is none)."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

QUIET = 0.1  # share of the cores that others may use in a window that counts


class Meter:
    """The share of the cores that others use from here on."""

    def __init__(self) -> None:
        self.before = reading()

    def others(self) -> float | None:
        """Their share since this meter was made."""
        after = reading()
        if self.before is None or after is None:
            return None
        total, idle, own = (now - then for now, then in zip(after, self.before, strict=True))
        return max(total - idle - own, 0) / max(total, 1)


def reading() -> tuple[int, int, int] | None:
    """Ticks of all cores, those idle, and those of this process and all below it."""
    try:
        fields = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        return sum(fields), fields[3] + fields[4], own_ticks()  # waiting for a disk is idle
    except (OSError, ValueError, IndexError):
        return None


def own_ticks() -> int:
    """Processor time of this process and its descendants, ended ones included once they were waited for."""
    above: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            fields = (place / "stat").read_text().rpartition(")")[2].split()
            above[int(place.name)], ticks[int(place.name)] = int(fields[1]), sum(map(int, fields[11:15]))

    def ours(number: int) -> bool:
        while number in above and number != os.getpid():
            number = above[number]
        return number == os.getpid()

    return sum(spent for number, spent in ticks.items() if ours(number))
