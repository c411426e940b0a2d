"""YAML files as checked data: what is wrong with one is said in one line. Nothing in a file is executed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from fer_bench.errors import UserError, near, unknown

M = TypeVar("M", bound=BaseModel)


def load(model: type[M], kind: str, name: str, known: Iterable[str], folder: Path,
         changes: dict[str, Any] | None = None) -> M:
    """The file ``folder/name.yaml``, or a path that ends in .yaml, as a model, with ``changes`` (dotted key -> value).
    kind: what errors call it. Raises UserError."""
    own = name.endswith((".yaml", ".yml"))
    if not own and name not in known:
        raise unknown(kind, name, known)
    path = Path(name) if own else folder / f"{name}.yaml"
    data = read_yaml(path, kind)
    for key, value in (changes or {}).items():
        if key == "name":
            raise UserError("--set-recipe name: a recipe is called after its file; copy the file to rename it")
        _assign(data, key, value)
    data["name"] = path.stem
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise UserError(f"{kind} '{path.stem}' ({path.name}): {complaint(model, error)}") from None


def read_yaml(path: Path, kind: str) -> dict[str, Any]:
    """A mapping from a YAML file; nothing in it is executed."""
    try:
        data = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{kind} file {path}: cannot be read ({type(error).__name__}); give the path of a YAML "
                        "file") from None
    except yaml.YAMLError as error:
        raise UserError(f"{kind} file {path}: not YAML ({' '.join(str(error).split())})") from None
    if not isinstance(data, dict):
        raise UserError(f"{kind} file {path}: found {type(data).__name__}, expected 'key: value' lines")
    return data


def parse_value(key: str, text: str) -> Any:
    """The value of ``--set-recipe key=text``. Raises UserError."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise UserError(f"--set-recipe {key}={text}: not a YAML value; expected a number, a word or [a, "
                        "list]") from None


def _assign(data: dict[str, Any], key: str, value: Any) -> None:
    *path, last = key.split(".")
    for part in path:
        data = data.setdefault(part, {})
        if not isinstance(data, dict):
            raise UserError(f"--set-recipe {key}: '{part}' is a single value, it has no '{last}'")
    data[last] = value


def complaint(model: type[BaseModel], error: ValidationError) -> str:
    """One line for the first of pydantic's complaints, with the near match for an unknown key."""
    problem = error.errors()[0]
    if not problem["loc"]:  # what concerns several keys
        return str(problem["msg"]).removeprefix("Value error, ")
    where = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"unknown key '{where}': {near(str(problem['loc'][-1]), _fields(model, problem['loc'][:-1]))}"
    if problem["type"] == "missing":
        return f"key '{where}' is missing"
    return f"{where}: found {problem['input']!r}, {problem['msg'][:1].lower()}{problem['msg'][1:]}"


def _fields(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys of a model, or of the one inside it that a location leads to."""
    for part in location:
        field = model.model_fields.get(str(part))
        kinds = (field.annotation, *get_args(field.annotation)) if field else ()
        model = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), model)
    return [name for name in model.model_fields if name != "name"]
