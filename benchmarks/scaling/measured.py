"""The numbers of one point: memory of this process, watched in a thread, and processor seconds of one thread."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any, Self, TypeVar

T = TypeVar("T")


def rss_anon() -> int:
    """Resident anonymous memory of this process in bytes: what it holds itself, mapped files not counted; 0 unknown."""
    with contextlib.suppress(OSError), open("/proc/self/status") as file:
        return next((1024 * int(line.split()[1]) for line in file if line.startswith("RssAnon")), 0)
    return 0


class Measured:
    """Memory from here to the end of the block, least seconds of what is done in it, and megabytes worth a name."""

    def __init__(self, clock: Callable[[], float] = time.process_time, every: float = 0.02) -> None:
        self.clock, self.every = clock, every
        self.seconds: dict[str, float] = {}
        self.megabytes: dict[str, float] = {}
        self.start = self.highest = rss_anon()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.megabytes["peak"] = self.peak() / 1e6
        self.ended.set()
        self.thread.join()

    def watch(self) -> None:
        """Sample until the end."""
        while not self.ended.wait(self.every):
            self.growth()

    def growth(self) -> int:
        """Bytes more than at the start."""
        now = rss_anon()
        self.highest = max(self.highest, now)
        return now - self.start

    def peak(self) -> int:
        """Most bytes more than at the start."""
        self.growth()
        return self.highest - self.start

    def time(self, name: str, work: Callable[[], T], repeats: int = 3) -> T:
        """Do something ``repeats`` times; the least of its seconds, and of those already under that name, counts."""
        found: list[T] = []
        for _ in range(repeats):
            found.clear()  # so that no two results are held
            start = self.clock()
            found.append(work())
            taken = self.clock() - start
            self.seconds[name] = min(taken, self.seconds.get(name, taken))
        return found[0]

    def point(self, **more: Any) -> dict[str, Any]:
        """As it goes into the JSON."""
        return {"seconds": self.seconds, "megabytes": self.megabytes, **more}
