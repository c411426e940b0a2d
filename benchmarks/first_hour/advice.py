"""What to do next, derived from the figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Figures = dict[str, Any]
GAIN = 1.05  # ratios nearer to 1 than this are noise


def advice(parts: dict[str, dict[str, Any]], rehearsal: bool) -> list[str]:
    """Lines to act on, defects first."""
    lines = [*defects(parts), *slow(parts), *choices(parts), *unfinished(parts, rehearsal)]
    if not lines:
        lines = ["Nothing to mend was found."]
    if not rehearsal:
        lines.append("Put these figures into docs/speed.md, beside those of other cards.")
    return lines


def figures(parts: dict[str, dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """The rows of a part; none if it found none."""
    return list(parts.get(name, {}).get("figures", {}).get("rows", []))


def names(found: list[str], most: int = 12) -> str:
    """A list in words, cut where it grows long."""
    return ", ".join(found[:most]) + (f" and {len(found) - most} more" if len(found) > most else "")


def defects(parts: dict[str, dict[str, Any]]) -> Iterator[str]:
    """What is wrong: broken tests, other bits."""
    tests = parts.get("gpu tests", {}).get("figures", {}).get("failures", [])
    if tests:
        yield f"Mend {len(tests)} failed GPU test(s): {names(['`' + row['test'] + '`' for row in tests])}."
    for line in parts.get("doctor", {}).get("figures", {}).get("broken", []):
        yield f"doctor: {line}"
    rows = figures(parts, "graph against eager")
    if apart := [row["method"] for row in rows if row["equal"] is False]:
        yield (f"A replayed step trains otherwise than the called one for {names(apart)}: a defect that the trial of "
               "recordings did not see. Until it is mended use `--engine eager` for them.")
    for row in rows:
        for way in ("eager", "graph"):
            if "failed" in row[way]:
                yield f"{row['method']} does not train here with the engine {way}: {row[way]['failed']}"
    for row in figures(parts, "repeatability"):
        if "failed" in row:
            yield f"Repeatability, {row['way']}: could not be compared ({row['failed']})."
        elif not row["equal"]:
            yield f"Repeatability, {row['way']}: other bits than the undisturbed run; {'; '.join(row['differs'])}."


def slow(parts: dict[str, dict[str, Any]]) -> Iterator[str]:
    """What is slower than it should be."""
    reasons: dict[str, list[str]] = {}
    for row in figures(parts, "graph against eager"):
        if row["graph"].get("engine") != "graph" and row["graph"].get("why_not"):
            reasons.setdefault(row["graph"]["why_not"], []).append(row["method"])
    for reason, methods in reasons.items():
        yield f"Ran eager, not as a graph: {names(methods)} ({reason})."
    rates = {row["method"]: row["speedup"] for row in figures(parts, "graph against eager") if "speedup" in row}
    if below := [f"{method} ({rate:.2f})" for method, rate in rates.items() if rate < 1 / GAIN]:
        yield f"A graph is slower than called steps for {names(below)}: profile one with `--profile`."
    rows = figures(parts, "speed")
    for row in rows:
        if row["status"] == "failed":
            yield f"speed.py, {row['method']}, {row['name']}: failed ({row['reason']})."
    if slower := [f"{row['name']} ({row['method']}, {row['ratio']:.2f})" for row in rows
                  if row["name"].startswith("ours") and (row["ratio"] or 1) < 1]:
        yield f"Slower than the usual pipeline: {names(slower)}."


def choices(parts: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Which --pack is worth it."""
    rows = [row for row in figures(parts, "packing") if row.get("images_per_second")]
    for method, engine in dict.fromkeys((row["method"], row["engine"]) for row in rows):
        rates = {row["lanes"]: row["images_per_second"] for row in rows
                 if (row["method"], row["engine"]) == (method, engine)}
        best = max(rates, key=lambda lanes: rates[lanes])
        gain = rates[best] / rates.get(1, rates[best])
        yield f"{method}, {engine}: " + (f"`--pack {best}` trains {gain:.2f} times as many images/s as one run."
                                         if gain > GAIN else "packing gains nothing.")


def unfinished(parts: dict[str, dict[str, Any]], rehearsal: bool) -> Iterator[str]:
    """Parts that another call could go on with."""
    late = [name for name, part in parts.items() if part["status"] in ("out of time", "not done")]
    if late:
        only = ",".join(name.replace(" ", "-") for name in late) + " --rehearse" * rehearsal
        yield f"Not finished: {', '.join(late)}. To go on there: `python benchmarks/first_gpu_hour.py --only {only}`."
    for name, part in parts.items():
        if part["status"] == "failed":
            yield f"The part {name} failed ({part['reason']}); see raw/{name.replace(' ', '-')}/log.txt in --work."
        if part["status"] == "left out":
            yield f"Left out: {name} ({part['reason']})."
