"""What a method's source says of it, read from the syntax tree without running it: name, paper, hyper-parameters."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from fer_bench.errors import UserError, near
from fer_bench.library.fingerprint import code_hash
from fer_bench.library.versions import is_own
from fer_bench.paths import PACKAGE
from fer_bench.python_files import arguments, calls_above, literal, name_of, tree_of

PARTS = "fer_bench.parts."


@dataclass(frozen=True)
class Parameter:
    """One hyper-parameter: its literal default and the kind its annotation names."""

    default: Any
    kind: str  # float, int, bool, str, or choice
    choices: tuple[Any, ...] = ()


@dataclass(frozen=True)
class MethodInfo:
    """What is known of a method from its source alone."""

    name: str
    file: Path
    class_name: str
    paper: str
    year: int
    family: str
    parameters: dict[str, Parameter] = field(default_factory=dict)
    paper_recipe: dict[str, Any] = field(default_factory=dict)
    not_capturable: str = ""
    needs: tuple[str, ...] = ()
    passes: float = 1.0
    doc: str = ""
    history: tuple[str, ...] = ()
    views: dict[str, dict[str, Any]] = field(default_factory=dict)
    paper_parameters: dict[str, Any] = field(default_factory=dict)
    paper_sources: dict[str, str] = field(default_factory=dict)  # one key, one source
    schedule_epochs: int = 0
    needs_votes: bool = False

    def defaults(self, track: str = "fair") -> dict[str, Any]:
        """The hyper-parameters of a run for which none is set."""
        own = {name: parameter.default for name, parameter in self.parameters.items()}
        return own | (self.paper_parameters if track == "paper" else {})

    def made_for(self, track: str) -> int:
        """The epochs that the method's own schedule is made for, and on track `paper` its learning rate; 0: it has
        none."""
        return max(self.schedule_epochs, self.paper_recipe.get("epochs", 0) if track == "paper" else 0)

    @property
    def version(self) -> int | str:
        """What a run's identity says of the method: its declared version, from 1, if the file is the suite's own and as
        it came; else the fingerprint ``code``."""
        return 1 + len(self.history) if is_own(self.file, self.code) else self.code

    @property
    def code(self) -> str:
        """Fingerprint of the method's file and of what it imports beside it and from fer_bench.parts, 12 hex digits."""
        return code_hash([self.file, *neighbours(self.file)])


def neighbours(file: Path) -> list[Path]:
    """The Python files in the same folder, and the modules of fer_bench.parts, that a file imports by name; not what
    those import in turn."""
    nodes = list(ast.walk(ast.parse(file.read_bytes())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    found = [file.with_name(name.split(".")[-1] + ".py") for name in sorted(names)]
    parts = [PACKAGE / "parts" / f"{name.split('.')[2]}.py" for name in sorted(names) if name.startswith(PARTS)]
    return [path for path in found if path.is_file() and path != file] + [path for path in parts if path.is_file()]


@cache
def read_file(file: str) -> tuple[MethodInfo, ...]:
    path = Path(file)
    tree = tree_of(path)
    infos: list[MethodInfo] = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            infos.extend(_read_class(path, node, ast.get_docstring(tree) or ""))
    if not infos and not any(isinstance(node, ast.FunctionDef) and calls_above(node, "dataset") for node in tree.body):
        raise UserError(f"{file}: no class with @register(\"name\") above it, and no function with @dataset(\"name\")")
    return tuple(infos)


def _read_class(path: Path, node: ast.ClassDef, module_doc: str) -> list[MethodInfo]:
    if not (calls := calls_above(node, "register")):
        return []
    parameters, infos = _read_parameters(path, node), []
    recipe, sources = (_class_mapping(path, node, name) for name in ("paper_recipe", "paper_sources"))
    at_source = _paper_parameters(path, node, parameters)
    reason: str = _class_literal(path, node, "not_capturable") or ""
    views: dict[str, dict[str, Any]] = _class_literal(path, node, "views") or {}
    votes = bool(_class_literal(path, node, "needs_votes"))
    for call in calls:
        given = arguments(path, call, "name")
        name = given.get("name", "")
        preset = given.get("preset") or {}
        for key in preset:
            if key not in parameters:
                raise UserError(f"{path}: preset of '{name}' names '{key}': {near(key, parameters)}")
        own = {k: Parameter(preset.get(k, p.default), p.kind, p.choices) for k, p in parameters.items()}
        infos.append(MethodInfo(str(name), path, node.name, given.get("paper", ""), given.get("year", 0),
                                given.get("family", "other"), own, recipe, reason,
                                tuple(given.get("needs", ())), float(given.get("passes", 1)), module_doc,
                                tuple(given.get("history", ())), views,
                                {k: v for k, v in at_source.items() if k not in preset},
                                {key: source for keys, source in sources.items() for key in keys.split(", ")},
                                given.get("schedule_epochs", 0), votes))
    return infos


def _paper_parameters(path: Path, node: ast.ClassDef, parameters: dict[str, Parameter]) -> dict[str, Any]:
    """The hyper-parameters of track `paper` that are no defaults. Raises UserError for one that is none."""
    found = _class_mapping(path, node, "paper_parameters")
    for name, value in found.items():
        if name not in parameters:
            raise UserError(f"{path}: paper_parameters of {node.name} names '{name}': {near(name, parameters)}")
        if parameters[name].choices and value not in parameters[name].choices:
            raise UserError(f"{path}: paper_parameters of {node.name} sets '{name}' to {value!r}, expected one of "
                            f"{', '.join(map(str, parameters[name].choices))}")
    return {name: value if parameters[name].choices else _default(path, name, parameters[name].kind, value)
            for name, value in found.items()}


def _read_parameters(path: Path, node: ast.ClassDef) -> dict[str, Parameter]:
    init = next((s for s in node.body if isinstance(s, ast.FunctionDef) and s.name == "__init__"), None)
    if init is not None and init.args.defaults:
        raise UserError(f"{path}: put '*,' before the hyper-parameters of {node.name}.__init__, so that they are set "
                        "by name")
    if init is None and node.bases and [name_of(base) for base in node.bases] != ["Method"]:
        raise UserError(f"{path}: {node.name} inherits its __init__; derive it from Method alone, or give it an "
                        "__init__ that lists its hyper-parameters")
    if init is None:
        return {}
    found = {}
    for argument, default in zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True):
        if default is None:
            raise UserError(f"{path}: hyper-parameter '{argument.arg}' of {node.name} has no default; give it one")
        value = literal(path, default, argument.arg)
        note = argument.annotation
        if isinstance(note, ast.Subscript) and name_of(note.value) == "Literal":
            choices = literal(path, note.slice, argument.arg)
            found[argument.arg] = Parameter(value, "choice", choices if isinstance(choices, tuple) else (choices,))
        elif name_of(note) in ("float", "int", "bool", "str"):
            kind = name_of(note)
            found[argument.arg] = Parameter(_default(path, argument.arg, kind, value), kind)
        else:
            raise UserError(f"{path}: annotate hyper-parameter '{argument.arg}' of {node.name} as float, int, bool, "
                            "str or Literal[...]")
    return found


def _default(path: Path, name: str, kind: str, value: Any) -> Any:
    if kind == "float" and type(value) is int:
        return float(value)
    if type(value).__name__ != kind:
        raise UserError(f"{path}: hyper-parameter '{name}' is {value!r}, expected {kind}")
    return value


def _class_literal(path: Path, node: ast.ClassDef, name: str) -> Any:
    """What a class body assigns to a name, or None."""
    for statement in node.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and _assigns(statement, name) and statement.value:
            return literal(path, statement.value, name)
    return None


def _class_mapping(path: Path, node: ast.ClassDef, name: str) -> dict[str, Any]:
    """A dictionary that a class body assigns to a name, or an empty one."""
    found = _class_literal(path, node, name) or {}
    if not isinstance(found, dict):
        raise UserError(f"{path}: {name} of {node.name} is {found!r}, expected a dictionary")
    return found


def _assigns(node: ast.stmt, name: str) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return any(name_of(target) == name for target in targets)
