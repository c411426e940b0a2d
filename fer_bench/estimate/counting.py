"""What each method's step is counted to do: on a pretended GPU, in processes of their own, kept in the cache."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from fer_bench.engine.pixels import MOST, MOST_PIXELS
from fer_bench.fake.children import apart
from fer_bench.fake.counts import Counts, Report, Work
from fer_bench.fake.drive import drive
from fer_bench.library.fingerprint import engine_hash
from fer_bench.library.methods import load_class
from fer_bench.library.source import MethodInfo
from fer_bench.protocols.protocol import Recipe
from fer_bench.runs.store import write_whole

EDITION = 1  # of what is counted and how: another one counts anew


@dataclass(frozen=True)
class Question:
    """A method under a recipe, on faces of ``size`` stored pixels in so many classes."""

    method: MethodInfo
    parameters: dict[str, Any]
    recipe: Recipe
    size: int
    classes: int

    def key(self) -> str:
        """What the counts depend on."""
        what = [EDITION, torch.__version__, engine_hash(), self.method.name, self.method.code, self.parameters,
                self.recipe.model_dump(mode="json", exclude={"title", "lr"}), self.size, self.classes]
        return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]


def counts_of(questions: Iterable[Question], cache: Path, say: Callable[[str], None],
              progress: Callable[[int, int], None] = lambda done, of: None) -> dict[str, Counts | str]:
    """The counts of each question by its key, or why there are none. ``progress`` hears how many of how many are
    done."""
    wanted = {question.key(): question for question in questions}
    found: dict[str, Counts | str] = {key: kept for key in wanted if (kept := read(cache, key)) is not None}
    missing = [key for key in wanted if key not in found]
    if missing:
        say(f"counting {len(missing)} method(s) on a pretended GPU, once ...")
    for done, (place, answer) in enumerate(apart(count, [(wanted[key],) for key in missing])):
        key = missing[place]
        if isinstance(answer, Report) and answer.counts is not None:
            found[key] = answer.counts
            with contextlib.suppress(OSError):  # a cache that cannot be written: they are counted again next time
                write_whole(path(cache, key), json.dumps(asdict(answer.counts)))
        else:
            found[key] = (answer.error or " ".join(answer.problems)) if isinstance(answer, Report) else str(answer)
        progress(done + 1, len(missing))
    return found


def count(question: Question) -> Report:
    """Count one; called in a process of its own."""
    recipe = question.recipe
    return drive(load_class(question.method), question.parameters, recipe, test_faces=evaluation_batch(recipe),
                 stored_size=question.size, classes=question.classes, check=False)


def evaluation_batch(recipe: Recipe) -> int:
    """Faces that a GPU with memory enough evaluates at a time."""
    return max(1, min(MOST, MOST_PIXELS // recipe.image_size**2))


def path(cache: Path, key: str) -> Path:
    """Where counts are kept."""
    return cache / "counts" / f"{key}.json"


def read(cache: Path, key: str) -> Counts | None:
    """Counts that were kept; None if there are none or they cannot be read."""
    try:
        values: dict[str, Any] = json.loads(path(cache, key).read_text())
        values |= {name: Work(**values[name]) for name in ("evaluation", "sweep")}
        values["step"] = {part: Work(**work) for part, work in values["step"].items()}
        return Counts(**values)
    except (OSError, ValueError, KeyError, TypeError):
        return None
