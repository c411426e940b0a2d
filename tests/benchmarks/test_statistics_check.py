"""A quick version of the simulation: the truth of what is made, coverage and false positives within chance."""

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from statistics_check import COUNTS, SEEDS, TRAININGS, covered, false_positives, made, truth  # noqa: E402

SMALL = (60, 30, 12)
FOUND = json.loads((Path(__file__).resolve().parents[2] / "benchmarks/results/statistics.json").read_text())
CHANCE = 3.5  # standard errors
DOC = (Path(__file__).resolve().parents[2] / "docs/statistics.md").read_text()
SEEN = {  # what a test sees rightly although the methods are equal: these networks, or these faces, differ
    *(f"McNemar, trainings vary: {name}" for name in ("alike", "much more")),
    *(f"sign-flip, {seeds} seeds, methods equal on average over all faces" for seeds in (6, 10))}


def error(share: float, draws: int) -> float:
    return math.sqrt(share * (1 - share) / draws)


def test_the_truth_of_what_is_made():
    """Many faces and trainings have the true gain, and so have two given trainings on many faces."""
    random, many = np.random.default_rng(0), (40_000, 20_000, 4_000)
    found = []
    for _ in range(20):
        one, other, labels, trainings = made(random, many, 1, 0.3)
        gaps = one[0].astype(float) - other[0]
        assert gaps.mean() == pytest.approx(truth(many, "overall", 0.3, trainings[:, 0]), abs=0.011)
        found.append(truth(many, "overall", 0.3, trainings[:, 0]))
    random = np.random.default_rng(1)
    found = [truth(many, "overall", 0.3, random.normal(0, 0.3, 2)) for _ in range(4000)]
    assert np.mean(found) == pytest.approx(truth(many, "overall", 0.3), abs=CHANCE * np.std(found) / math.sqrt(4000))


@pytest.mark.parametrize("seeds, training", [(1, 0.0), (3, 0.3), (5, 0.1), (5, 0.3)])
def test_intervals_hold_the_truth(seeds, training):
    found = covered(SMALL, training, seeds, 200, False)["coverage"]
    for metric in ("overall", "mean"):
        assert found[f"shown, {metric}"] > 0.95 - CHANCE * error(0.95, 200)


def test_one_seed_says_nothing_of_another_training():
    found = covered(SMALL, 0.6, 1, 200, False)["coverage"]
    assert found["these two networks, overall"] > 0.89 and found["shown, overall"] < 0.7


def test_tests_are_wrong_as_often_as_they_say():
    found, most = false_positives(150), 0.05 + CHANCE * error(0.05, 150)
    assert all(share < most for name, share in found.items() if name not in SEEN), found
    assert found["McNemar, trainings vary: much more"] > 0.3, "networks do differ where trainings do"


@pytest.mark.parametrize("cell", FOUND["intervals"], ids=lambda c: f"{c['classes']}-{c['trainings vary']}-{c['seeds']}")
def test_what_was_measured(cell):
    """The committed figures: never too narrow, of one seed for these two networks; from five seeds on not too wide."""
    chance = CHANCE * error(0.95, FOUND["draws"])
    for name, share in cell["coverage"].items():
        if name.startswith("these two" if cell["seeds"] == 1 else "shown"):
            assert share > 0.95 - chance, name
            assert share < 0.97 + chance or 1 < cell["seeds"] < 5, name


def test_what_was_measured_is_whole():
    cells = {(c["classes"], c["trainings vary"], c["seeds"]) for c in FOUND["intervals"]}
    assert cells == {(a, b, c) for a in COUNTS for b in TRAININGS for c in SEEDS}
    false = {name: share for name, share in FOUND["false positives"].items() if name not in SEEN}
    assert all(share < 0.05 + CHANCE * error(0.05, FOUND["draws"]) for share in false.values()), false
    assert FOUND["seconds"]["table"]["records"] == 2000 and FOUND["seconds"]["table"]["processor"] < 3
    assert max(FOUND["seconds"]["interval"].values()) < 1


def test_the_page_says_what_was_measured():
    for classes in COUNTS:
        for name in TRAININGS:
            own = [cell for cell in FOUND["intervals"] if (cell["classes"], cell["trainings vary"]) == (classes, name)]
            assert coverage_line(classes, name, own) in DOC
    for name, share in FOUND["false positives"].items():
        assert f"| {name} | {100 * share:.1f} |" in DOC


def coverage_line(classes, name, cells):
    """A line of the table in docs/statistics.md: overall, and mean where it is another number."""
    shares = []
    for cell in cells:
        kind = "these two networks" if cell["seeds"] == 1 else "shown"
        found = [cell["coverage"].get(f"{kind}, {metric}") for metric in ("overall", "mean")]
        shares.append(", ".join(f"{100 * share:.1f}" for share in found if share is not None))
    return f"| {classes} | {name} | {' | '.join(shares)} |"
