"""Where methods are found: files in methods/, files named by --plugin, and installed entry points.

The registry reads a method's source without running it: names, paper and hyper-parameters come from the syntax
tree, so listing and identifying runs needs no torch, and a plugin that fails to import harms nobody else.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from fer_bench.errors import UserError, near, unknown
from fer_bench.library.fingerprint import code_hash
from fer_bench.library.numbers import exact
from fer_bench.library.source import MethodInfo, read_file
from fer_bench.paths import builtin_folder
from fer_bench.python_files import imported


def methods(plugins: Iterable[Path] = ()) -> tuple[dict[str, MethodInfo], list[str]]:
    """All methods by name, and one line for each file that could not be read. A plugin may not take a known name."""
    found: dict[str, MethodInfo] = {}
    problems: list[str] = []
    for file in dict.fromkeys([*sorted(builtin_folder("methods").glob("[!_]*.py")), *_installed(), *plugins]):
        try:
            for info in read_file(str(file)):
                if info.name in found:
                    raise UserError(f"method '{info.name}' of {file.name} is already in {found[info.name].file.name}: "
                                    "give it another name")
                found[info.name] = info
        except UserError as error:
            problems.append(str(error))
    return found, problems


def method_info(name: str, plugins: Iterable[Path] = ()) -> MethodInfo:
    """One method by name. Raises UserError with the nearest names."""
    found, problems = methods(plugins)
    if name not in found:
        error = unknown("method", name, found)
        raise UserError(" | ".join([str(error), *problems]))
    return found[name]


def with_released(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """The names, each followed by its `-released` twin where that is known: what a paper says and what its authors'
    code does are shown together."""
    wanted, known = list(names), set(known)
    both = (name for name in wanted for name in (name, f"{name}-released"))
    return list(dict.fromkeys(name for name in both if name in wanted or name in known))


def load_class(info: MethodInfo) -> type:
    """Import the method's file and return its class. Raises UserError naming file and cause."""
    module = imported(info.file, code_hash([info.file]), f"method '{info.name}'")
    cls: type = getattr(module, info.class_name)
    return cls


def resolve_parameters(info: MethodInfo, overrides: dict[str, str], track: str = "fair") -> dict[str, Any]:
    """Every hyper-parameter of a run: the track's defaults, with ``--set`` strings read as the annotated type."""
    values = info.defaults(track)
    for name, text in overrides.items():
        if name not in info.parameters:
            raise UserError(f"method '{info.name}' has no hyper-parameter '{name}': {near(name, info.parameters)}")
        values[name] = _parse(info, name, text)
    return values


def _parse(info: MethodInfo, name: str, text: str) -> Any:
    parameter = info.parameters[name]
    expected = parameter.kind if not parameter.choices else "one of " + ", ".join(map(str, parameter.choices))
    try:
        if parameter.kind == "choice":
            return {str(choice): choice for choice in parameter.choices}[text]
        if parameter.kind == "bool":
            return {"true": True, "false": False, "1": True, "0": False}[text.lower()]
        readers: dict[str, Callable[[str], Any]] = {"float": exact, "int": int, "str": str}
        value = readers[parameter.kind](text)
    except (KeyError, ValueError):
        raise UserError(f"--set {name}={text}: method '{info.name}' expects {expected} there") from None
    if value != value or value in (float("inf"), float("-inf")):
        raise UserError(f"--set {name}={text}: method '{info.name}' expects a finite number there")
    return value


def _installed() -> list[Path]:
    files = []
    for point in entry_points(group="fer_bench.methods"):
        spec = importlib.util.find_spec(point.module)
        if spec is not None and spec.origin:
            files.append(Path(spec.origin))
    return files
