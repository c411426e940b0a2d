"""What every method would take on a CUDA device, counted on a pretended one: launches, arithmetic, bytes, memory.

    python benchmarks/fake_device.py   # a few minutes; writes results/fake-device.json, prints a table

Nothing is measured, so the figures are the same on every machine: they belong to the methods, the engine and torch.
Faces are those of RAF-DB in number (12,271 for training, 3,068 for testing), stored at 100 px.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import timm  # noqa: F401  here, once for all children: the paper's recipe asks for it
from common.tools import about, parser, say, write

from fer_bench.fake.children import apart
from fer_bench.fake.counts import Report
from fer_bench.fake.drive import drive
from fer_bench.protocols.protocol import load_recipe
from fer_bench.registry import load_class, methods

RECIPES = ("quick", "fer48", "paper")
COLUMNS = ("method", "recipe", "passed", "launches", "GFLOP", "GB moved", "training MB", "evaluation MB")


def count(method: str) -> dict[str, Report]:
    """A method under each recipe, in a child."""
    info = methods()[0][method]
    defaults = {name: parameter.default for name, parameter in info.parameters.items()}
    return {recipe: drive(load_class(info), defaults, load_recipe(recipe), faces=12271, test_faces=3068)
            for recipe in RECIPES}


def ready() -> None:
    """Let torch remember what most operations give, for all children."""
    count("ce")


def row(method: str, recipe: str, report: Report) -> list[str]:
    """A line of the table."""
    if report.counts is None:
        return [method, recipe, "no", *["" for _ in COLUMNS[3:]]]
    step, counts = report.counts.whole_step, report.counts
    return [method, recipe, "yes" if report.passed else "no", str(step.launches), f"{step.flops / 1e9:.1f}",
            f"{step.bytes / 1e9:.2f}",
            *(f"{peak / 1e6:.0f}" for peak in (counts.step_peak_bytes, counts.evaluation_peak_bytes))]


def plain(found: Any) -> dict[str, Any]:
    """Reports by recipe, or what ended a child, as JSON has them."""
    if isinstance(found, Exception):
        return {"error": str(found)}
    return {recipe: {"passed": report.passed, **asdict(report)} for recipe, report in found.items()}


def main() -> None:
    """Count everything, write the JSON, print the table."""
    options = parser(__doc__, "fake-device").parse_args()
    names, found = list(methods()[0]), {}
    for place, reports in apart(count, [(name,) for name in names], 2, ready):
        found[names[place]] = reports
        say(f"{len(found)} of {len(names)}: {names[place]} {reports if isinstance(reports, Exception) else ''}")
    write({"versions": about()["versions"], "methods": {name: plain(found[name]) for name in names}}, options.out)
    print("| " + " | ".join(COLUMNS) + " |\n|---|---|---" + "|--:" * (len(COLUMNS) - 3) + "|")
    for name in names:
        if not isinstance(found[name], Exception):
            for recipe, report in found[name].items():
                print("| " + " | ".join(row(name, recipe, report)) + " |")


if __name__ == "__main__":
    main()
