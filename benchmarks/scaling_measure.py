"""The numbers of one point: processor seconds of one thread, wall seconds beside them, megabytes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Measured:
    """The numbers of one point."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.wall: dict[str, float] = {}
        self.megabytes: dict[str, float] = {}
        self.more: dict[str, Any] = {}

    def time(self, name: str, work: Callable[[], T], repeats: int = 3) -> T:
        """Do something ``repeats`` times; the least of its processor seconds and of its wall seconds count."""
        found: list[T] = []
        for _ in range(repeats):
            found.clear()  # so that no two results are held
            wall, processor = time.perf_counter(), time.process_time()
            found.append(work())
            self.note(name, time.process_time() - processor, time.perf_counter() - wall)
        return found[0]

    def note(self, name: str, processor: float, wall: float) -> None:
        """Take one timing into account."""
        self.seconds[name] = min(processor, self.seconds.get(name, processor))
        self.wall[name] = min(wall, self.wall.get(name, wall))

    def point(self) -> dict[str, Any]:
        """As it goes into the JSON."""
        return {"seconds": self.seconds, "wall": self.wall, "megabytes": self.megabytes, **self.more}
