"""Expressions of the synthetic faces as facial action units (AUs). Read it for prototypes, blends and votes.

The prototypes follow EMFACS (Friesen & Ekman 1983; Ekman, Friesen & Hager, FACS Investigator's Guide, 2002).
An intensity of 0 is "not there", 1 is the strongest that is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

CLASSES = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
UNIT_NAMES: dict[int, str] = {
    1: "inner brow raise", 2: "outer brow raise", 4: "brow lower", 5: "upper lid raise", 6: "cheek raise",
    7: "lid tighten", 9: "nose wrinkle", 10: "upper lip raise", 12: "lip corner pull",
    15: "lip corner depress", 17: "chin raise", 20: "lip stretch", 23: "lip tighten", 24: "lip press",
    25: "lips part", 26: "jaw drop", 27: "mouth stretch",
}
UNITS = tuple(UNIT_NAMES)
# Probability that a face of the class shows the unit at all.
PROTOTYPES: dict[str, dict[int, float]] = {
    "surprise": {1: .95, 2: .95, 5: .9, 25: .9, 26: .8, 27: .55},
    "fear": {1: .97, 2: .75, 4: .97, 5: .98, 7: .2, 20: 1., 25: 1., 26: .25},
    "disgust": {4: .4, 7: .3, 9: .95, 10: .75, 15: .3, 17: .45, 25: .3},
    "happiness": {6: .9, 12: .98, 25: .65, 26: .15},
    "sadness": {1: .95, 4: .8, 15: .95, 17: .55},
    "anger": {4: .98, 5: .6, 7: .9, 10: .12, 17: .25, 23: .85, 24: .5},
    "neutral": {},
}
# The weakest that a class is shown, against 1 for the strongest; rare classes are shown plainly, so that a
# few dozen faces are enough to learn them.
WEAKEST = {"surprise": .7, "fear": .92, "disgust": .7, "happiness": .55, "sadness": .65, "anger": .85}
SPREAD = (.75, 1.2)  # each unit's own factor on it
STRAY_CHANCE, STRAY_STRENGTH = .06, .35  # activity of units that have nothing to do with the class
TALK_CHANCE = .1  # lips part without an expression
BLEND_CHANCE, BLEND_SHARE = .15, (.5, .8)  # the second expression's strength relative to the first's
JUDGES, SHARPNESS = 10, 11.  # annotators; how sure they are
VISIBLE = .8  # norm of the units from which on a face is nowhere near neutral


@dataclass(frozen=True)
class Expression:
    """What a face shows. units: AU number -> intensity 0..1. label, second: class numbers; second is -1
    unless the face is a blend."""

    units: Mapping[int, float]
    label: int
    second: int


def vector(units: Mapping[int, float]) -> np.ndarray:
    """Intensities as a vector, float64 [17], in the order of ``UNITS``."""
    return np.array([units.get(unit, 0.) for unit in UNITS])


def draw_expression(label: int, rng: np.random.Generator) -> Expression:
    """Draw the units of one face of class ``label``; some also show a second expression."""
    units = _draw_units(CLASSES[label], rng)
    second = -1
    partner, is_blend = int(rng.integers(5)), rng.random() < BLEND_CHANCE
    if is_blend and CLASSES[label] != "neutral":
        emotions = [i for i, name in enumerate(CLASSES) if name != "neutral" and i != label]
        second = emotions[partner]
        share = rng.uniform(*BLEND_SHARE)
        for unit, value in _draw_units(CLASSES[second], rng).items():
            units[unit] = max(units[unit], share * value)
    return Expression(_stray(units, rng), label, second)


def _draw_units(name: str, rng: np.random.Generator) -> dict[int, float]:
    """Intensities of all units for a pure expression of class ``name``."""
    strength = rng.uniform(WEAKEST.get(name, 1.), 1.)
    chances = PROTOTYPES[name]
    draws = rng.random(len(UNITS)), rng.uniform(*SPREAD, len(UNITS))
    return {unit: min(1., strength * own) if shown < chances.get(unit, 0.) else 0.
            for unit, shown, own in zip(UNITS, *draws, strict=True)}


def _stray(units: dict[int, float], rng: np.random.Generator) -> dict[int, float]:
    """Add small activity of any unit, and make the mouth consistent: a dropped jaw parts the lips."""
    shown, value = rng.random(len(UNITS)), rng.uniform(.1, STRAY_STRENGTH, len(UNITS))
    result = {unit: max(units[unit], float(v) if s < STRAY_CHANCE and unit not in (24, 27) else 0.)
              for unit, s, v in zip(UNITS, shown, value, strict=True)}
    if rng.random() < TALK_CHANCE:
        result[25] = max(result[25], float(rng.uniform(.2, .7)))
    result[25] = max(result[25], .7 * result[26], .9 * result[27])
    tightened = max(result[23], result[24])
    result[25] *= 1 - .6 * tightened  # pressed lips cannot be wide apart
    return result


def draw_votes(units: Mapping[int, float], rng: np.random.Generator) -> np.ndarray:
    """Votes of ten simulated annotators, uint8 [7].

    Each annotator draws a class from a softmax over the closeness (cosine) of the face's AU vector to the
    classes' prototypes; the less there is to see, the closer the face is to neutral.
    """
    shown = vector(units)
    norm = float(np.sqrt(np.sum(shown**2)))
    seen = min(1., norm / VISIBLE)
    closeness = np.zeros(len(CLASSES))
    for i, name in enumerate(CLASSES):
        prototype = vector(PROTOTYPES[name])
        length = float(np.sqrt(np.sum(prototype**2)))
        cosine = float(np.sum(shown * prototype)) / (norm * length + 1e-9)
        closeness[i] = seen * cosine if length else 1 - seen
    weights = np.exp(SHARPNESS * (closeness - closeness.max()))
    steps = np.cumsum(weights / weights.sum())
    choices = np.minimum(np.searchsorted(steps, rng.random(JUDGES)), len(CLASSES) - 1)
    return np.bincount(choices, minlength=len(CLASSES)).astype(np.uint8)
