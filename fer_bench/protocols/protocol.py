"""Protocols and recipes: what is asked of every method, read from YAML and checked before anything runs.

A protocol says what happens to the training labels and to the class balance; a recipe says how to train. Both are
plain data: their resolved content, not their file, is part of a run's identity.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fer_bench.errors import UserError, near, unknown
from fer_bench.paths import builtin_folder

Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Milestones = tuple[tuple[Annotated[int, Field(ge=1)], Positive], ...]  # (epoch, share of the first rate from there on)


class Model(BaseModel):
    """Strict, frozen data: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Noise(Model):
    """Label noise of the training set. See corrupt.py for what each kind does."""

    kind: Literal["symmetric", "confusion", "list", "column"]
    rate: Annotated[float, Field(ge=0, lt=1)] | None = None
    confusion: dict[str, str] | None = None  # class -> the class it is mistaken for
    file: str | None = None  # "name label" per line; relative to the data root
    base: Literal[0, 1] = 1  # the file's smallest label
    column: str | None = None  # another annotation of the same faces

    @model_validator(mode="after")
    def _complete(self) -> Noise:
        needed = {"symmetric": ["rate"], "confusion": ["rate", "confusion"], "list": ["file"], "column": ["column"]}
        for key in needed[self.kind]:
            if getattr(self, key) is None:
                raise ValueError(f"noise of kind {self.kind} needs '{key}'")
        for key in {"rate", "confusion", "file", "column"} - set(needed[self.kind]):
            if getattr(self, key) is not None:
                raise ValueError(f"noise of kind {self.kind} takes no '{key}'")
        return self


class Imbalance(Model):
    """Class imbalance of the training set; factor = largest class / smallest class."""

    profile: Literal["exponential", "step"] = "exponential"
    factor: Annotated[float, Field(ge=1)]


class Protocol(Model):
    """What happens to a dataset before training. The test set is never touched."""

    name: str
    title: str
    noise: Noise | None = None
    imbalance: Imbalance | None = None
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.0  # share of the corrupted training set that is held out
    drop_duplicates: bool = False  # drop training faces whose pixels occur in the test set or earlier in training
    classes: Annotated[tuple[str, ...], Field(min_length=2)] | None = None  # keep these classes only


class Augment(Model):
    """Random changes of each training face, in this order; all zero means none."""

    noise: Probability = 0.0  # Gaussian pixel noise on the stored uint8 image
    noise_variance: float = 30.0
    flip: Probability = 0.0
    shift: Annotated[int, Field(ge=0)] = 0  # zero-pad by this many pixels and crop back at random
    erase: Probability = 0.0  # a rectangle set to zero after normalisation (torchvision's RandomErasing)
    erase_scale: tuple[Probability, Probability] = (0.02, 0.33)


class Recipe(Model):
    """How every method is trained. mean and std: one number per channel, of images in [0, 1]."""

    name: str
    title: str
    backbone: str
    image_size: Annotated[int, Field(ge=8, le=1024)]
    colour: Literal["grey", "rgb"]
    epochs: Annotated[int, Field(ge=1)]
    batch_size: Annotated[int, Field(ge=1)]
    optimiser: Literal["adam", "adamw", "sgd"] = "adam"
    lr: Positive
    head_lr: Positive = 1.0  # the rate of the classifiers, in multiples of lr
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    momentum: Probability = 0.9  # sgd only
    schedule: Literal["constant", "exponential", "cosine", "step"]
    gamma: Positive = 0.9  # exponential: the factor per epoch
    milestones: Milestones | None = None  # step: [[10, 0.1], [20, 0.01]] divides the rate by ten twice
    head_milestones: Milestones | None = None  # step: those of the classifiers, where they have their own
    warmup_epochs: Annotated[float, Field(ge=0)] = 0.0
    clip_grad_norm: Positive | None = None  # the norm of a step's whole gradient that it is scaled down to
    precision: Literal["fp32", "tf32", "bf16"] = "fp32"
    threads: Annotated[int, Field(ge=1)] = 1  # on a CPU; sums over more threads round otherwise
    fast: bool = False  # allow algorithms that do not repeat bit for bit, and compiled losses
    mean: tuple[float, ...]
    std: tuple[Positive, ...]
    augment: Augment = Augment()

    @model_validator(mode="after")
    def _channels(self) -> Recipe:
        channels = 1 if self.colour == "grey" else 3
        if len(self.mean) != channels or len(self.std) != channels:
            raise ValueError(f"colour {self.colour} needs {channels} number(s) in 'mean' and 'std'")
        return self

    @model_validator(mode="after")
    def _milestones(self) -> Recipe:
        if (self.schedule == "step") != bool(self.milestones):
            raise ValueError("schedule step needs 'milestones', as [[10, 0.1], [20, 0.01]], and no other takes them")
        if self.head_milestones is not None and not self.milestones:
            raise ValueError("'head_milestones' needs schedule step")
        for stones in (self.milestones or (), self.head_milestones or ()):
            if any(one >= other for (one, _), (other, _) in pairwise(stones)):
                raise ValueError(f"milestones at epochs {[epoch for epoch, _ in stones]}: expected ascending epochs")
        return self


M = TypeVar("M", Protocol, Recipe)
DEFAULT_RECIPES = {"synthetic": "quick", "ferplus7": "fer48", "ferplus8": "fer48", "fer2013": "fer48"}  # else "paper"


def default_recipe(dataset: str, track: str) -> str:
    """The name of the recipe where none is asked for. Track `paper` has the sources' networks and sizes everywhere."""
    return DEFAULT_RECIPES.get(dataset, "paper") if track == "fair" else "paper"


def protocol_names() -> list[str]:
    """Names of the protocols that came with the suite."""
    return sorted(file.stem for file in builtin_folder("protocols").glob("*.yaml"))


def recipe_names() -> list[str]:
    """Names of the recipes that came with the suite."""
    return sorted(file.stem for file in (builtin_folder("protocols") / "recipes").glob("*.yaml"))


def load_protocol(name: str) -> Protocol:
    """A protocol by name, or a path to a YAML file of one's own. Raises UserError in one line."""
    return _load(Protocol, "protocol", name, protocol_names(), builtin_folder("protocols"))


def load_recipe(name: str, overrides: dict[str, str] | None = None, base: dict[str, Any] | None = None) -> Recipe:
    """A recipe by name or path; ``base`` (a method's paper recipe), then ``--set-recipe`` strings on top of it.

    A schedule of the user's own comes without the milestones of the one that it replaces.
    """
    folder = builtin_folder("protocols") / "recipes"
    changes = deepcopy(base or {})
    if "schedule" in (overrides or {}):
        changes |= dict.fromkeys(("milestones", "head_milestones"))
    changes |= {k: _value(k, v) for k, v in (overrides or {}).items()}
    return _load(Recipe, "recipe", name, recipe_names(), folder, changes)


def _load(model: type[M], kind: str, name: str, known: Iterable[str], folder: Path,
          changes: dict[str, Any] | None = None) -> M:
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
        raise UserError(f"{kind} '{path.stem}' ({path.name}): {_first(model, error)}") from None


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


def _value(key: str, text: str) -> Any:
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


def _first(model: type[BaseModel], error: ValidationError) -> str:
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
    inner: dict[str, type[BaseModel]] = {"noise": Noise, "imbalance": Imbalance, "augment": Augment}
    for part in location:
        model = inner.get(str(part), model)
    return [name for name in model.model_fields if name != "name"]
