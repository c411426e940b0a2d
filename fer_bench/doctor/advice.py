"""What measured rates mean for the choices of the command line, in plain words."""

from __future__ import annotations

from dataclasses import dataclass

from fer_bench.protocols.protocol import Recipe, load_recipe, recipe_names

EQUAL = 1.1  # ratios nearer to 1 than this are noise, and not worth another run id
HELD_UP = 2.5  # two processes cannot be so much faster than two threads, unless others hold the threads up
IDENTITY = "another run id: precision is part of a run's identity"


@dataclass(frozen=True)
class Rate:
    """Images/s of training one network in one precision; ratio: against fp32."""

    network: str
    backbone: str
    precision: str
    images: float
    ratio: float


@dataclass(frozen=True)
class Sharing:
    """Images/s of one process with two threads, and of two processes with one thread each together."""

    threads: float
    processes: float


def precision_advice(rate: Rate, recipes: list[Recipe]) -> str:
    """What a measured ratio means for the recipes that train such a network."""
    same = " and ".join(r.name for r in recipes if r.precision == rate.precision)
    plain = " and ".join(r.name for r in recipes if r.precision == "fp32")
    fact = f"{rate.backbone}: {rate.precision} is {rate.ratio:.2f} x fp32 here"
    if rate.ratio >= EQUAL:
        pays = f"--precision {rate.precision} pays with recipe {plain} ({IDENTITY})" if plain else ""
        has = f"recipe {same} is {rate.precision} already" if same else ""
        return f"{fact}: " + ("; ".join(filter(None, (pays, has))) or f"it pays over --precision fp32 ({IDENTITY})")
    if rate.ratio > 1 / EQUAL:
        return f"{fact}, about the same: no reason to leave a recipe's precision"
    if same:
        change = f"recipe {same} is {rate.precision}; --precision fp32 is faster here, but gives {IDENTITY}"
        return f"{fact}, slower: {change}"
    return f"{fact}, slower: do not choose --precision {rate.precision} here"


def sharing_advice(sharing: Sharing, cores: int) -> str:
    """Whether several runs at a time pay."""
    ratio = sharing.processes / sharing.threads
    fact = f"two processes of one thread train {ratio:.2f} x the images/s of one process with two threads"
    if ratio > HELD_UP:
        return (f"two threads that wait for each other are held up by other processes now ({sharing.threads:.0f} "
                f"images/s against {sharing.processes:.0f} of two processes): take --threads 1, or --jobs {cores} for "
                "several runs, and ask again when the machine is idle")
    if ratio >= EQUAL:
        measured = "" if cores == 2 else ", one for each core (two were measured)"
        return f"{fact}: --jobs {cores} pays where there are several runs{measured}"
    if ratio > 1 / EQUAL:
        return f"{fact}, about the same: --jobs gains little here"
    return f"{fact}, slower: leave --jobs out"


def kin(backbone: str) -> list[Recipe]:
    """The recipes whose network is of the same kind, slim or not: what is measured with one says something of them."""
    from fer_bench.nets.slim import WIDTHS

    recipes = [load_recipe(name) for name in recipe_names()]
    return [r for r in recipes if (r.backbone in WIDTHS) == (backbone in WIDTHS)]
