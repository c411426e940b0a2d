"""Which datasets there are, as the adapters declare them, and what a user asked for. Needs neither numpy nor torch."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from fer_bench.errors import UserError, near, unknown
from fer_bench.python_files import arguments, calls_above, tree_of

ADAPTERS = Path(__file__).with_name("adapters")
OWN_NAME = re.compile(r"([A-Za-z0-9][\w.+-]*)=(.+)", re.S)  # "mine=csv:/data/faces.csv"


@dataclass(frozen=True)
class DatasetInfo:
    """One line of the catalog: what an adapter declares (``adapter.dataset`` says what each means)."""

    name: str
    title: str
    classes: tuple[str, ...] = ()
    source: str = "yours"
    layouts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    watch: tuple[str, ...] = ()
    options: dict[str, tuple[str, ...]] = field(default_factory=dict)
    test_set: bool = True
    version: int | str = 1
    file: Path | None = None  # None: built in
    function: str = ""

    @property
    def of_a_path(self) -> bool:
        """Whether the dataset's name says where it lies: "folder:PATH"."""
        return self.name.endswith(":PATH")


@dataclass(frozen=True)
class Dataset:
    """A dataset as it was asked for. name: what records and tables call it. place: folder or .zip, None where none was
    given. file: the file that PATH names, where it names one. options: the ones that are not their defaults."""

    name: str
    place: Path | None
    file: str
    options: tuple[tuple[str, str], ...]
    info: DatasetInfo = field(compare=False, repr=False)

    @property
    def asked(self) -> str:
        """The word after --dataset that asks for it on this machine."""
        kind = self.info.name.removesuffix("PATH")
        path = f"{kind}{self.place and (self.place / self.file)}" if self.info.of_a_path else self.info.name
        plain = " ".join([_last_part(path), *(f"{key}={value}" for key, value in self.options)])
        return path if plain == self.name else f"{self.name.partition(' ')[0]}={path}"

    @property
    def words(self) -> list[str]:
        """The options of the command line that ask for it on this machine."""
        root = [] if self.info.of_a_path or self.place is None else ["--data-root", str(self.place)]
        more = [word for key, value in self.options for word in ("--data-option", f"{key}={value}")]
        return ["--dataset", self.asked, *root, *more]


def datasets(plugins: Iterable[Path] = ()) -> dict[str, DatasetInfo]:
    """Every dataset by name: the built-in one, those of the suite's adapters, those of plug-ins. Raises UserError for a
    file that cannot be read, and for a name that is taken."""
    found = {"synthetic": DatasetInfo("synthetic", "drawn faces with ten simulated annotators",
                                      ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral"),
                                      "built in")}
    for file in dict.fromkeys([*sorted(ADAPTERS.glob("[!_]*.py")), *plugins]):
        for info in declared(file):
            if info.name in found:
                raise UserError(f"{file}: dataset '{info.name}' is there already; give it another name")
            found[info.name] = info
    return dict(sorted(found.items(), key=lambda item: (item[1].of_a_path, item[1].file is not None)))


@cache
def declared(file: Path) -> tuple[DatasetInfo, ...]:
    """What the functions of a file declare with @dataset. Raises UserError for a file that cannot be read."""
    infos, tree = [], tree_of(file)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            for call in calls_above(node, "dataset"):
                infos.append(_info(file, node.name, arguments(file, call, "name", tree)))
    return tuple(infos)


def _info(file: Path, function: str, given: dict[str, Any]) -> DatasetInfo:
    version = given.pop("version", 1)
    if file.parent != ADAPTERS:  # a plug-in's pack is made anew when its file changes
        version = hashlib.sha256(file.read_bytes()).hexdigest()[:12]
    for key in ("layouts", "options"):
        given[key] = {name: tuple(values) for name, values in given.get(key, {}).items()}
    given |= {key: tuple(given.get(key, ())) for key in ("classes", "watch")}
    try:
        return DatasetInfo(**given, version=version, file=file, function=function)
    except TypeError as error:
        raise UserError(f"{file}: @dataset of {function}: {str(error).partition('__init__() ')[2]}") from None


def ask(text: str, roots: Mapping[str, Path] | Path | None = None, options: Mapping[str, str] | None = None,
        plugins: Iterable[Path] = ()) -> Dataset:
    """What a word after --dataset asks for. roots: --data-root by name, the one for all others under "". Options that
    the dataset has not are left alone. Raises UserError for an unknown name or value."""
    own, kind_and_path = "", text
    if match := OWN_NAME.fullmatch(text):
        own, kind_and_path = match.groups()
    known = datasets(plugins)
    info, path = _look_up(kind_and_path, known)
    if own and own in known:
        raise UserError(f"--dataset {text}: '{own}' is the name of another dataset; give yours one of its own")
    chosen = tuple(sorted((key, value) for key, value in (options or {}).items()
                          if key in info.options and value != info.options[key][0]))
    for key, value in chosen:
        if info.options[key][0] and value not in info.options[key]:
            raise UserError(f"--data-option {key}={value}: of dataset '{info.name}', {near(value, info.options[key])}")
    name = " ".join([own or _last_part(kind_and_path), *(f"{key}={value}" for key, value in chosen)])
    given = {"": roots} if isinstance(roots, Path) else dict(roots or {})
    if info.of_a_path:
        place, file = _split(info, path)
        return Dataset(name, place, file, chosen, info)
    root = next((given[key] for key in (own or info.name, info.name, "") if key in given), None)
    return Dataset(name, Path(root).expanduser() if root and info.file else None, "", chosen, info)


def complete(text: str) -> str:
    """The word after --dataset with its path, if it has one, made absolute."""
    kind, colon, path = text.partition(":")
    return f"{kind}:{Path(path).expanduser().absolute()}" if colon else text


def _look_up(name: str, known: Mapping[str, DatasetInfo]) -> tuple[DatasetInfo, str]:
    kind, colon, path = name.partition(":")
    key = f"{kind}:PATH" if colon else name
    if key not in known or (colon and not path):
        raise unknown("dataset", name, known)
    if name == key and colon:
        raise UserError(f"dataset '{name}': PATH stands for your own path; write {kind}:/data/… instead")
    return known[key], path


def _split(info: DatasetInfo, path: str) -> tuple[Path, str]:
    """The folder (or .zip) that PATH names, and the file in it that it names, if it names one."""
    place = Path(path).expanduser()
    if not any("{file}" in need for needs in info.layouts.values() for need in needs):
        return place, ""
    if not place.is_file():
        raise UserError(f"{place}: no such file; {info.name} needs {info.title}")
    return place.parent, place.name


def _last_part(text: str) -> str:
    """A dataset's name without the folders above one's own data: "folder:faces"."""
    kind, colon, path = text.partition(":")
    return f"{kind}:{Path(path).name or path}" if colon else text
