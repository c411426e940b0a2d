"""What a page of results holds: plain data, numbers rounded, whatever repeats kept once. Read it with templates/report.

Fractions are whole numbers of a millionth (results) or of a ten-thousandth (curves), None where there is none.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

Numbers = list[int | None]
Interval = list[int]  # low, high of a gain, in millionths


@dataclass(frozen=True)
class Setting:
    """What two runs must share to be compared, whatever the protocol: data, recipe, weights, track, engine."""

    name: str
    dataset: str
    recipe: str
    weights: str
    track: str
    engine: str
    fingerprint: str
    folds: int


@dataclass(frozen=True)
class MethodFacts:
    """What is known of a method whatever the run. mark: † is told the noise rate, ‡ has views of its own."""

    name: str
    family: str
    paper: str
    mark: str
    notes: list[str]


@dataclass(frozen=True)
class Run:
    """One record. epochs: those of the rules that it has, of last, best and val. results: by rule the numbers of
    `packing.METRICS`, then the recalls; best and val are left out where their numbers are those of the last epoch.
    parts: places in the pool. further: kind, name, overall, mean of each further test."""

    id: str
    seed: int
    fold: int
    epochs: dict[str, int]
    results: dict[str, Numbers]
    curve: dict[str, Numbers]
    confusion: list[list[int]]
    passes: float | None
    seconds: float | None
    parts: dict[str, int]
    further: list[list[Any]]


@dataclass(frozen=True)
class Cell:
    """The runs of one method under one protocol in one setting. command: what repeats them."""

    method: str
    version: str
    rule: str
    trained: str
    command: str
    runs: list[Run]


@dataclass(frozen=True)
class Published:
    """A number of the literature for a block, and what makes it incomparable."""

    method: str
    metric: str
    value: int
    std: int | None
    source: str
    setting: list[str]


@dataclass(frozen=True)
class Block:
    """One protocol in one setting: the cells that may be compared. noise, rate, factor: what it does to the labels.

    intervals: metric, baseline, method -> interval of the gain.
    """

    setting: int
    protocol: str
    asks: str
    noise: str
    rate: float
    factor: float
    classes: list[str]
    cells: list[Cell]
    published: list[Published]
    intervals: dict[str, dict[str, dict[str, Interval]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Ranks:
    """A critical-difference diagram, of one setting or (None) of all. groups: neighbours by rank that are not told
    apart, as first and last place."""

    setting: int | None
    metric: str
    cases: int
    names: list[str]
    ranks: list[float]
    difference: float
    p: float
    groups: list[tuple[int, int]]


@dataclass(frozen=True)
class Face:
    """A face that says something. uri: its PNG; name: its id; lines: what is known of it."""

    uri: str
    name: str
    lines: list[str]


@dataclass(frozen=True)
class FaceSheet:
    """Faces of one kind in one block."""

    setting: int
    protocol: str
    title: str
    about: str
    faces: list[Face]


@dataclass
class Payload:
    """A whole page. facts: number and what it counts; versions: of what made the
    records; warnings: what a reader should know before reading."""

    facts: list[tuple[str, str]]
    versions: list[str]
    warnings: list[str]
    missing: list[str]  # commands that fill the gaps
    metrics: list[str]
    interval: str  # what intervals are
    settings: list[Setting]
    methods: list[MethodFacts]
    blocks: list[Block]
    pool: list[Any]  # parts of specs and environments
    unpublished: list[str]  # methods of which no number could be read
    ranks: list[Ranks]
    sheets: list[FaceSheet]

    def as_json(self) -> str:
        """JSON in ASCII that can stand inside a <script>: no `<` in it, so nothing in it ends the element."""
        text = json.dumps(self, default=vars, separators=(",", ":"), allow_nan=False)
        return text.replace("<", "\\u003c").replace("&", "\\u0026")


@dataclass
class Pool:
    """Keeps equal parts once; gives the place of each."""

    parts: list[Any] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)

    def place(self, part: Any) -> int:
        """Where a JSON value is kept."""
        key = json.dumps(part, sort_keys=True)
        if key not in self.places:
            self.places[key] = len(self.parts)
            self.parts.append(part)
        return self.places[key]
