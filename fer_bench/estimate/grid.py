"""The time and memory of a grid: what a step and an evaluation are counted to do, times the steps of its runs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fer_bench.data.selection import Selection
from fer_bench.estimate.counting import Question, evaluation_batch
from fer_bench.fake.counts import Counts, Work
from fer_bench.fake.drive import TAIL
from fer_bench.protocols.prepare import Prepared
from fer_bench.protocols.protocol import Recipe
from fer_bench.runs.faces import prepared
from fer_bench.runs.plan import Plan
from fer_bench.runs.request import Part

OF_A_FACE = 64  # bytes beside a stored face: its label, place and augmentation
OF_CUDA = 0.6e9  # bytes that the driver, cuDNN and cuBLAS take for themselves; a guess until a card tells
Seconds = Callable[[Work], float]


@dataclass(frozen=True)
class Sizes:
    """The data of a run. predicted: faces predicted after each epoch: test, validation, wrongly labelled.

    stored: bytes of all stored faces.
    """

    train: int
    predicted: int
    pixels: int
    classes: int
    stored: int


def sizes_of(data: Prepared) -> Sizes:
    """The sizes of prepared data."""
    sets = [faces for faces in (data.train, data.validation, data.test) if faces is not None]
    arrays = [faces.images.stored if isinstance(faces.images, Selection) else faces.images for faces in sets]
    stored = sum({id(array): array.nbytes for array in arrays}.values())
    wrong = int(np.count_nonzero(data.train.given != data.train.true))
    predicted = len(data.test) + wrong + (len(data.validation) if data.validation else 0)
    return Sizes(len(data.train), predicted, int(arrays[0].shape[1]), len(data.classes), stored)


@dataclass(frozen=True)
class Group:
    """Runs of a grid that take equally long: of one method under one recipe, protocol and dataset."""

    label: str
    protocol: str
    question: Question
    sizes: Sizes
    runs: int


def groups_of(plans: Iterable[Plan]) -> list[Group]:
    """The groups of some plans, in their order."""
    found: dict[tuple[Any, ...], list[Plan]] = {}
    for plan in plans:
        found.setdefault((plan.label, plan.protocol.name, plan.part), []).append(plan)
    sizes: dict[tuple[str, Part], Sizes] = {}
    groups = []
    for (label, protocol, part), those in found.items():
        if (protocol, part) not in sizes:
            first = those[0]
            data = prepared(first.request, part, first.protocol, first.spec.content["seed"])
            sizes[protocol, part] = sizes_of(data)
        size = sizes[protocol, part]
        parameters = those[0].spec.content["method"]["parameters"]
        question = Question(those[0].method, parameters, those[0].recipe, size.pixels, size.classes)
        groups.append(Group(label, protocol, question, size, len(those)))
    return groups


def run_seconds(counts: Counts, sizes: Sizes, recipe: Recipe, seconds: Seconds, called: Seconds, batch: int) -> float:
    """How long one run takes. seconds: of work as steps are run; called: of what is called around a step, whatever
    the way steps are run. batch: faces in a batch of evaluation."""
    inside = sum((work for part, work in counts.step.items() if part != "rest"), Work())
    step = (seconds(inside) + called(counts.step["rest"])) * sizes.train / recipe.batch_size
    evaluation = seconds(at_size(counts.evaluation, counts.evaluation_faces, sizes.predicted, batch))
    driven = recipe.batch_size + TAIL  # faces of the run that was counted
    sweep = seconds(at_size(counts.sweep, driven, sizes.train, batch)) if counts.swept_faces else 0.0
    return recipe.epochs * (step + evaluation + sweep)


def at_size(work: Work, faces: int, wanted: int, batch: int) -> Work:
    """Work on some faces, in batches, from what was counted for ``faces`` in one batch."""
    scaled = work * (wanted / faces)
    return Work(work.launches * math.ceil(wanted / batch), scaled.flops, scaled.bytes)


def fixed_bytes(counts: Counts, sizes: Sizes, recipe: Recipe) -> float:
    """What a run holds on a GPU between two steps: faces, weights, gradients, moments, CUDA's own."""
    driven = recipe.batch_size + TAIL + 8 + evaluation_batch(recipe)  # faces of the run that was counted
    faces = sizes.stored + OF_A_FACE * sizes.train - 3 * sizes.pixels**2 * driven
    return counts.resident_bytes + faces + OF_CUDA


def step_bytes(counts: Counts) -> tuple[int, int]:
    """What a step takes beside that: feature maps, which a recorded step keeps and a called one takes once more while
    the recording is tried; and the four copies of weights and moments of that trial."""
    return 2 * (counts.step_peak_bytes - counts.resident_bytes), 4 * 12 * counts.parameters


def predicted_bytes(counts: Counts) -> int:
    """What an evaluation or a sweep takes beside that."""
    return max(counts.evaluation_peak_bytes, counts.sweep_peak_bytes, counts.resident_bytes) - counts.resident_bytes


def peak_bytes(counts: Counts, sizes: Sizes, recipe: Recipe) -> int:
    """The most memory that a run takes on a GPU."""
    return int(fixed_bytes(counts, sizes, recipe) + max(sum(step_bytes(counts)), predicted_bytes(counts)))


def passes(counts: Counts, recipe: Recipe) -> float:
    """Arithmetic of a step's forward pass in those of one prediction of its faces."""
    one = counts.evaluation.flops / counts.evaluation_faces * recipe.batch_size
    return counts.step["forward"].flops / one if one else math.nan


def lanes_that_fit(memory: float, counts: Counts, sizes: Sizes, recipe: Recipe) -> int:
    """Runs that one process can hold on a card at a time; they share the faces and CUDA's own memory."""
    shared = OF_CUDA + sizes.stored
    return max(0, int((0.95 * memory - shared) // max(1.0, peak_bytes(counts, sizes, recipe) - shared)))


def batch_that_fits(memory: float, counts: Counts, sizes: Sizes, recipe: Recipe) -> int:
    """A batch size with which one run fits: feature maps grow with it, all else stays. 0 if none does."""
    room = 0.95 * memory - fixed_bytes(counts, sizes, recipe)
    maps, copies = step_bytes(counts)
    return 0 if room < predicted_bytes(counts) else max(0, int(recipe.batch_size * (room - copies) // max(1, maps)))
