"""Whether the machine was ours alone: what other processes used of its cores, from /proc (None where there is none)."""

from __future__ import annotations

import os
import time
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


def wait_for_quiet(patience: float, sample: float = 0.2) -> None:
    """Wait until others rest, for ``patience`` seconds at most."""
    end = time.perf_counter() + patience
    while True:
        meter = Meter()
        time.sleep(sample)
        if (meter.others() or 0.0) <= QUIET or time.perf_counter() >= end:
            return


def reading() -> tuple[int, int, int] | None:
    """Ticks of all cores, those idle, and those of this process and all below it."""
    try:
        fields = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        return sum(fields), fields[3] + fields[4], own_ticks()  # waiting for a disk is idle
    except (OSError, ValueError, IndexError):
        return None


def own_ticks() -> int:
    """Processor time of this process and its descendants, ended ones included once they were waited for."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for place in Path("/proc").iterdir():
        if not place.name.isdigit():
            continue
        try:
            text = (place / "stat").read_text()
        except OSError:  # it ended meanwhile
            continue
        fields = text[text.rindex(")") + 2 :].split()
        parents[int(place.name)] = int(fields[1])
        ticks[int(place.name)] = sum(int(field) for field in fields[11:15])
    total = 0
    for number, spent in ticks.items():
        above = number
        while above in parents and above != os.getpid():
            above = parents[above]
        total += spent if above == os.getpid() else 0
    return total
