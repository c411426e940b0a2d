"""How runs are worked on: where, by how many, how fast. None of it is part of a run's identity."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fer_bench.runs.plan import Plan
from fer_bench.runs.store import Store

ENGINES = ("auto", "eager", "graph", "compiled")


@dataclass(frozen=True)
class Settings:
    """jobs: processes. pack: runs that take turns on one device.

    engine: how steps are run, see ``engine.lane``. save_every: seconds of work that a kill may cost.
    """

    store: Store
    device: str = "auto"
    jobs: int = 1
    engine: str = "auto"
    pack: int = 1
    save_every: float = 60.0


def resolve(settings: Settings, plans: list[Plan]) -> Settings:
    """Put what this machine has in the place of "auto". Raises UserError for what it has not."""
    from fer_bench.engine.device import choose, choose_engine

    device, jobs = choose(settings.device), min(settings.jobs, len(plans))
    engine = choose_engine(settings.engine, device, all(plan.recipe.fast for plan in plans))
    return replace(settings, device=str(device), engine=engine, jobs=jobs)
