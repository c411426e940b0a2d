"""What a user asked for, as names and paths: lists of names, "all" and families resolved, nothing opened yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from fer_bench.data.catalog import Dataset, ask
from fer_bench.data.folds import Fold
from fer_bench.errors import UserError, near, unknown
from fer_bench.library.methods import methods
from fer_bench.library.source import MethodInfo
from fer_bench.protocols.protocol import OF_A_DATASET, Protocol, load_protocol, protocol_names
from fer_bench.runs.score_tables import refuse_idle_scores


@dataclass(frozen=True)
class Request:
    """What a user asked for, names resolved, nothing opened yet."""

    methods: tuple[str, ...]
    protocols: tuple[str, ...]
    datasets: tuple[str, ...]
    seeds: tuple[int, ...]
    cache: Path
    roots: dict[str, Path] = field(default_factory=dict)  # by dataset; under "" that of all others
    recipe: str | None = None
    settings: dict[str, str] = field(default_factory=dict)
    recipe_settings: dict[str, str] = field(default_factory=dict)
    weights: str = "none"
    track: str = "fair"
    plugins: tuple[Path, ...] = ()
    noise_list: Path | None = None
    pack_size: int | None = None
    scores: Path | None = None
    data_options: dict[str, str] = field(default_factory=dict)
    folds: int = 0
    only_fold: int = 0
    test_on: tuple[str, ...] = ()
    test_subsets: dict[str, Path | None] = field(default_factory=dict)
    test_corruptions: bool = False
    test_votes: bool = False
    test_training: bool = False

    def asked(self) -> list[Dataset]:
        """The datasets. Raises UserError for an unknown one, and for a root or an option that none of them has."""
        found = [ask(name, self.roots, self.data_options, self.plugins) for name in self.datasets]
        others = [ask(name, self.roots, self.data_options, self.plugins) for name in self.test_on]
        names = {name for d in [*found, *others] for name in (d.info.name, d.name.partition(" ")[0])}
        for name, root in self.roots.items():
            if name and name not in names:
                raise UserError(f"--data-root {name}={root}: no such dataset is asked for; {near(name, names)}")
        for key, value in self.data_options.items():
            if not any(key in d.info.options for d in [*found, *others]):
                known = {option for d in [*found, *others] for option in d.info.options}
                raise UserError(f"--data-option {key}={value}: none of the datasets asked for has it; "
                                f"{near(key, known)}")
        return found

    def parts(self) -> list[Part]:
        """What the runs' faces are drawn from: every dataset, or every fold of it."""
        numbers = [self.only_fold] if self.only_fold else range(1, self.folds + 1)
        folds = [Fold(number, self.folds) for number in numbers] if self.folds else [None]
        return [Part(dataset, fold) for dataset in self.asked() for fold in folds]


@dataclass(frozen=True)
class Part:
    """A dataset, and the fold of it that is tested on, where it has no test set."""

    dataset: Dataset
    fold: Fold | None = None


def load_protocols(request: Request) -> list[Protocol]:
    """The protocols of a request. Raises UserError, also for a --noise-list or --scores that none of them reads."""
    protocols = [load_protocol(name) for name in request.protocols]
    refuse_idle_scores(request.scores, protocols)
    if request.noise_list and not any(p.noise and p.noise.kind == "list" for p in protocols):
        names = ", ".join(p.name for p in protocols)
        raise UserError(f"--noise-list {request.noise_list}: no list is read under {names}; leave it out, or name a "
                        "protocol that reads one, such as eac-noise10")
    return protocols


def expand(kind: str, text: str, known: Callable[[], Iterable[str]]) -> tuple[str, ...]:
    """"a,b" to ("a", "b"); "all" in it to everything known. Names are checked where they are looked up."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UserError(f"--{kind}: nothing named; give one, several separated by commas, or 'all'")
    return tuple(dict.fromkeys(each for name in names for each in (known() if name == "all" else [name])))


def expand_methods(text: str, plugins: Iterable[Path]) -> tuple[str, ...]:
    """``expand`` for methods, where "family:noise" means all of a family. Raises UserError for a family without any."""
    found, problems = methods(plugins)
    names: list[str] = []
    for name in expand("method", text, lambda: found):
        if ":" not in name or name in found:
            names.append(name)
            continue
        try:
            names += family_members(name, found)
        except UserError as error:  # the family may be that of a plugin that could not be read
            raise UserError(" | ".join([str(error), *problems])) from None
    return tuple(dict.fromkeys(names))


def family_members(name: str, found: dict[str, MethodInfo]) -> list[str]:
    """The methods of "family:noise". Raises UserError for another word before the colon and for an unknown family."""
    kind, _, family = name.partition(":")
    families = {info.family for info in found.values()}
    if kind != "family":
        meant = {family.strip().lower()} & families or families
        raise UserError(f"unknown method '{name}': {near(name.lower(), [f'family:{each}' for each in meant])}")
    if family not in families:
        raise unknown("family", family, families)
    return [name for name, info in found.items() if info.family == family]


def general_protocols() -> list[str]:
    """What ``--protocol all`` means: the protocols that need nothing but the dataset's own labels."""
    return [name for name in protocol_names()
            if (noise := load_protocol(name).noise) is None or noise.kind not in OF_A_DATASET]
