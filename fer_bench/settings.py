"""How runs are worked on: where, by how many, how fast. None of it is part of a run's identity."""

from __future__ import annotations

from dataclasses import dataclass

from fer_bench.store import Store

ENGINES = ("auto", "eager", "graph", "compiled")


@dataclass(frozen=True)
class Settings:
    """jobs: processes. pack: runs that take turns on one device. threads: of one run; 0 lets the suite choose.

    engine: how steps are run, see ``engine.lane``.
    """

    store: Store
    device: str = "auto"
    jobs: int = 1
    threads: int = 0
    engine: str = "auto"
    pack: int = 1
