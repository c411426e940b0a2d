"""Do the statistics keep their word? Coverage of intervals and false positives of tests, on made runs with known truth.

    python benchmarks/statistics_check.py               # about ten minutes; writes benchmarks/results/statistics.json
    python benchmarks/statistics_check.py --draws 50    # a rough look

A made network has a face right if a score is above 0: the face's own (how hard it is), what the method adds, what it
adds on this face, what this training adds (the same for all faces: how well it went), and chance. All are normal, so
the true gain is known. Trainings are made to vary the gain less than faces do, about alike, or much more.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import ROOT
from common.tools import about, parser, say, write
from scipy.stats import norm, t

from fer_bench.statistics.bootstrap import bootstrap_interval
from fer_bench.statistics.intervals import Interval, Metric, differences, face_weights, gain_interval, parts_of
from fer_bench.statistics.pairs import mcnemar
from fer_bench.statistics.ranks import rank_methods
from fer_bench.tables.stats import sign_flip

COUNTS = {"balanced": (100,) * 7, "as FERPlus": (1090, 893, 396, 384, 273, 18, 83)}
TRAININGS = {"none": 0.0, "less": 0.7, "alike": 1.4, "much more": 7.0}  # spread of a training's score * sqrt(faces)
HARD, ON_FACE, CHANCE, SHIFT = 1.0, 0.5, 0.7, 0.12  # of faces, of a method on a face, of the rest; what the method adds
SEEDS = (1, 2, 3, 5, 10)


def level_of(count: int) -> np.ndarray:
    """How easy each class is, float64 [C]: the last are hard."""
    return 1.2 - 0.2 * np.arange(count)


def made(random: np.random.Generator, counts: tuple[int, ...], seeds: int, training: float,
         shift: float = SHIFT, on_face: float = ON_FACE) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What two methods have right, bool [S, N] each, true classes, and what each training added, float64 [2, S]."""
    labels = np.repeat(np.arange(len(counts)), counts)
    own, hard = random.normal(0, on_face / 2, len(labels)), random.normal(0, HARD, len(labels))
    face = level_of(len(counts))[labels] + hard
    trainings = random.normal(0, training, (2, seeds))
    one, other = (face + sign * (shift / 2 + own) + added[:, None] + random.normal(0, CHANCE, (seeds, len(labels)))
                  for sign, added in zip((1, -1), trainings, strict=True))
    return one > 0, other > 0, labels, trainings


def spread_of(name: str, counts: tuple[int, ...]) -> float:
    """The standard deviation of what a training adds to the score, so that the name says what it does to the gain."""
    return TRAININGS[name] / float(np.sqrt(sum(counts)))


def truth(counts: tuple[int, ...], metric: Metric, training: float, given: np.ndarray | None = None,
          shift: float = SHIFT) -> float:
    """The true gain over all trainings and faces; of two given trainings (float64 [2]) over all faces."""
    spread = np.sqrt(HARD**2 + ON_FACE**2 / 4 + CHANCE**2 + (0 if given is not None else training**2))
    added = np.zeros(2) if given is None else given
    gains = (norm.cdf((level_of(len(counts)) + shift / 2 + added[0]) / spread)
             - norm.cdf((level_of(len(counts)) - shift / 2 + added[1]) / spread))
    return float(gains.mean() if metric == "mean" else gains @ np.array(counts) / sum(counts))


def one_t(one: np.ndarray, other: np.ndarray, labels: np.ndarray, metric: Metric) -> Interval:
    """What one would do first: the variances added, one t with Satterthwaite's degrees of freedom."""
    gaps = differences(one, other)
    parts = parts_of(gaps, labels, metric)
    seeds, faces, rest = parts.seeds, parts.faces.sum(), parts.rest.sum()
    variance = faces + max(seeds - rest, 0)
    free = variance**2 / (seeds**2 / (len(gaps) - 1)) if seeds > rest else len(labels) - 1
    gain, half = float((gaps @ face_weights(labels, metric)).mean()), float(t.isf(0.025, free) * np.sqrt(variance))
    return Interval(gain, gain - half, gain + half, len(gaps), len(labels))


def covered(counts: tuple[int, ...], training: float, seeds: int, draws: int, others: bool) -> dict[str, Any]:
    """How often each interval holds the truth. others: those that are not shown to anybody, too."""
    random = np.random.default_rng(seeds)
    metrics: tuple[Metric, ...] = ("overall", "mean") if len(set(counts)) > 1 else ("overall",)  # else they are one
    kinds: dict[str, Callable[..., Interval]] = {"shown": gain_interval}
    if others and seeds > 1:
        kinds |= {"one t": one_t, "bootstrap": lambda *found: bootstrap_interval(*found, count=400)}
    hits: dict[str, list[bool]] = {}
    widths: dict[str, list[float]] = {metric: [] for metric in metrics}
    ratios = []
    for _ in range(draws):
        one, other, labels, trainings = made(random, counts, seeds, training)
        for metric in metrics:
            true = truth(counts, metric, training)
            for kind, interval in kinds.items():
                found = interval(one, other, labels, metric)
                hits.setdefault(f"{kind}, {metric}", []).append(found.low <= true <= found.high)
                if kind == "shown":
                    widths[metric].append(found.high - found.low)
                if seeds == 1:
                    these = truth(counts, metric, training, trainings[:, 0])
                    hits.setdefault(f"these two networks, {metric}", []).append(found.low <= these <= found.high)
        parts = parts_of(differences(one, other), labels, "overall")
        rest = parts.rest.sum()
        ratios.append(((parts.seeds - rest) * seeds, parts.faces.sum() + (seeds - 1) * rest))
    return {"coverage": {name: float(np.mean(found)) for name, found in hits.items()},
            "width": {metric: float(np.mean(found)) for metric, found in widths.items()},
            **({"trainings over faces": float(np.divide(*np.sum(ratios, 0)))} if seeds > 1 else {})}


def false_positives(draws: int) -> dict[str, float]:
    """How often a test of two or more equal methods gives a p below .05. Methods that are equal over all faces are not
    on the few of a test set, unless they are on each of them; the sign-flip test sees the former, as it should."""
    random, counts = np.random.default_rng(0), COUNTS["balanced"]
    found: dict[str, list[bool]] = {}

    def note(name: str, seen: bool) -> None:
        found.setdefault(name, []).append(seen)

    for _ in range(draws):
        for seeds in (6, 10):
            for name, on_face in (("each face", 0.0), ("average over all faces", ON_FACE)):
                one, other, _, _ = made(random, counts, seeds, spread_of("alike", counts), 0.0, on_face)
                p = sign_flip((one.mean(1) - other.mean(1)).tolist())
                note(f"sign-flip, {seeds} seeds, methods equal on {name}", p < 0.05)
        for name in ("none", "alike", "much more"):
            one, other, _, _ = made(random, counts, 1, spread_of(name, counts), 0.0)
            note(f"McNemar, trainings vary: {name}", mcnemar(one[0], other[0]).p < 0.05)
        cases = [{f"m{k}": float(value) for k, value in enumerate(random.normal(0.8, 0.01, 6))} for _ in range(10)]
        ranking = rank_methods(cases)
        places = list(ranking.ranks.values())
        note("Friedman, 6 methods in 10 cases", ranking.p < 0.05)
        note("Nemenyi, any pair of 6 methods in 10 cases", places[-1] - places[0] >= ranking.critical)
    return {name: float(np.mean(seen)) for name, seen in found.items()}


def table_seconds(records: int = 2000) -> dict[str, float]:
    """Seconds of `table` over so many records, copies of those of the drawn faces with other seeds: best of three, wall
    and processor."""
    texts = [path.read_text() for path in sorted((ROOT / "results/drawn-faces/records").glob("??/*.json"))]
    with tempfile.TemporaryDirectory() as place:
        for number in range(records):
            record = json.loads(texts[number % len(texts)])
            record["spec"]["seed"] += 3 * (number // len(texts))
            record["id"] = f"{number:016x}"
            path = Path(place) / "records" / f"{number % 256:02x}" / f"{record['id']}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(record))
        runs = []
        for _ in range(3):
            start, before = time.perf_counter(), os.times()
            subprocess.run([sys.executable, str(ROOT / "run_bench.py"), "table", "--results", place], check=True,
                           capture_output=True, cwd=ROOT)
            after = os.times()
            runs.append((time.perf_counter() - start, after.children_user - before.children_user
                         + after.children_system - before.children_system))
    return {"records": records, "wall": min(run[0] for run in runs), "processor": min(run[1] for run in runs)}


def interval_seconds() -> dict[str, float]:
    """Seconds of one interval of ten seeds and 3,137 faces: best of five."""
    one, other, labels, _ = made(np.random.default_rng(0), COUNTS["as FERPlus"], 10, 0.02)
    found = {}
    for name, interval in {"shown": gain_interval, "bootstrap of 2,000 draws": bootstrap_interval}.items():
        times = []
        for _ in range(5):
            start = time.perf_counter()
            interval(one, other, labels, "mean")
            times.append(time.perf_counter() - start)
        found[name] = min(times)
    return found


def main() -> None:
    """Measure everything and write the JSON."""
    options = parser(__doc__, "statistics")
    options.add_argument("--draws", type=int, default=1000, help="made comparisons for each number")
    given = options.parse_args()
    cells = []
    for classes, counts in COUNTS.items():
        for name in TRAININGS:
            for seeds in SEEDS:
                found = covered(counts, spread_of(name, counts), seeds, given.draws, classes == "balanced")
                cells.append({"classes": classes, "trainings vary": name, "seeds": seeds, **found})
                say(f"{classes}, trainings vary {name}, {seeds} seeds: {found['coverage']}")
    found = {**about(), "draws": given.draws, "counts": COUNTS, "trainings": TRAININGS, "intervals": cells,
             "false positives": false_positives(given.draws), "seconds": {"table": table_seconds(),
                                                                          "interval": interval_seconds()}}
    print(write(found, given.out))


if __name__ == "__main__":
    main()
