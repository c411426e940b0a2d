"""Protocols and recipes: what is asked of every method, read from YAML and checked before anything runs.

A protocol says what happens to the training labels and to the class balance; a recipe says how to train. Both are
plain data: their resolved content, not their file, is part of a run's identity.
"""

from __future__ import annotations

from copy import deepcopy
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from fer_bench.errors import UserError, unknown
from fer_bench.paths import builtin_folder
from fer_bench.protocols.reading import load, parse_value

Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Seed = Annotated[int, Field(ge=0)] | None  # of a draw; None: the run's
Milestones = tuple[tuple[Annotated[int, Field(ge=1)], Positive], ...]  # (epoch, share of the first rate from there on)


class Model(BaseModel):
    """Strict, frozen data: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


KINDS = {  # of noise: the keys that each needs, and those that it may have
    "symmetric": (("rate",), ("seed",)),
    "confusion": (("rate", "confusion"), ("seed",)),
    "list": (("file",), ("base", "rate")),
    "column": (("column",), ()),
    "instance": (("rate",), ()),
    "annotator": ((), ("seed",)),
}
OF_A_DATASET = ("list", "column", "instance", "annotator")  # kinds that need more of a dataset than faces and labels


class Noise(Model):
    """Label noise of the training set. See corrupt.py and instance_noise.py for what each kind does."""

    kind: Literal["symmetric", "confusion", "list", "column", "instance", "annotator"]
    rate: Annotated[float, Field(ge=0, lt=1)] | None = None  # of a list: what its own must be, within a point
    confusion: dict[str, str] | None = None  # class -> the class it is mistaken for
    file: str | None = None  # a list, see noise_list.py
    base: Literal[0, 1] = 1  # the list's smallest label
    column: str | None = None  # another annotation of the same faces
    seed: Seed = None

    @model_validator(mode="after")
    def _complete(self) -> Noise:
        needed, more = KINDS[self.kind]
        for key in needed:
            if getattr(self, key) is None:
                raise ValueError(f"noise of kind {self.kind} needs '{key}'")
        for key in sorted(self.model_fields_set - {"kind", *needed, *more}):
            if getattr(self, key) is not None:
                raise ValueError(f"noise of kind {self.kind} takes no '{key}'")
        return self


class Imbalance(Model):
    """Class imbalance of the training set; factor = largest class / smallest class."""

    profile: Literal["exponential", "step"] = "exponential"
    factor: Annotated[float, Field(ge=1)]
    seed: Seed = None


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
    crop: Probability = 0.0  # pad by this share of the side, reflected, and crop back at random
    flip: Probability = 0.0
    randaugment: Annotated[int, Field(ge=0, le=14)] = 0  # operations of engine/randaugment.py, each done by even chance
    magnitude: Annotated[float, Field(gt=0, le=10)] = 10.0  # of each operation
    cutout: Probability = 0.0  # a grey square of this share of the side, before normalisation
    shift: Annotated[int, Field(ge=0)] = 0  # zero-pad by this many pixels and crop back at random
    erase: Probability = 0.0  # a rectangle set to zero after normalisation (torchvision's RandomErasing)
    erase_scale: tuple[Probability, Probability] = (0.02, 0.33)

    @model_validator(mode="after")
    def _effective(self) -> Augment:
        if self.erase_scale[0] > self.erase_scale[1]:
            raise ValueError(f"erase_scale: found {self.erase_scale[0]:g} to {self.erase_scale[1]:g}, expected the "
                             "smaller one first")
        if self.magnitude != 10.0 and not self.randaugment:
            raise ValueError("a magnitude has no effect without randaugment operations")
        return self


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
    """A protocol by name, by name and seed of its draws ("imb20_256"), or a path to a YAML file of one's own. Raises
    UserError in one line."""
    folder, known = builtin_folder("protocols"), protocol_names()
    stem, _, seed = name.rpartition("_")
    if name in known or not (stem and seed.isascii() and seed.isdigit() and len(seed) < 19):
        return load(Protocol, "protocol", name, known, folder)
    if stem not in known:
        drawn = [one for one in known if drawn_parts(load_protocol(one))]
        raise unknown("protocol", name, [*known, *(f"{one}_{int(seed)}" for one in drawn)])
    return drawn_with(load_protocol(stem), int(seed))


def drawn_parts(protocol: Protocol) -> dict[str, Noise | Imbalance]:
    """The parts of a protocol that are drawn with a seed, by their key."""
    parts = {"imbalance": protocol.imbalance, "noise": protocol.noise}
    return {key: part for key, part in parts.items()
            if part and (isinstance(part, Imbalance) or "seed" in KINDS[part.kind][1])}


def drawn_with(protocol: Protocol, seed: int) -> Protocol:
    """The protocol NAME_SEED: its imbalance and noise are drawn with this seed, whatever the run's, as NLA's code names
    its lists ("20_256": imbalance factor 20, seed 256). Raises UserError for a protocol that draws nothing."""
    parts = drawn_parts(protocol)
    if not parts:
        raise UserError(f"protocol '{protocol.name}_{seed}': '{protocol.name}' draws neither imbalance nor noise, so a "
                        f"seed changes nothing; name it '{protocol.name}'")
    changes = {key: part.model_copy(update={"seed": seed}) for key, part in parts.items()}
    return protocol.model_copy(update={"name": f"{protocol.name}_{seed}", **changes,
                                       "title": f"{protocol.title}, drawn with seed {seed}"})


def load_recipe(name: str, overrides: dict[str, str] | None = None, base: dict[str, Any] | None = None) -> Recipe:
    """A recipe by name or path; ``base`` (a method's paper recipe), then ``--set-recipe`` strings on top of it.

    A schedule of the user's own comes without the milestones of the one that it replaces.
    """
    folder = builtin_folder("protocols") / "recipes"
    changes = deepcopy(base or {})
    own = overrides or {}
    if own.get("schedule", changes.get("schedule")) != changes.get("schedule") or "milestones" in own:
        changes |= dict.fromkeys(("milestones", "head_milestones"))
    changes |= {k: parse_value(k, v) for k, v in own.items()}
    return load(Recipe, "recipe", name, recipe_names(), folder, changes)
