"""A comparison, and needed seeds, as text: for the terminal, markdown, CSV, JSON. Numbers are in percent."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from fer_bench.errors import printable, unknown
from fer_bench.statistics.compare import METRICS, Compared, Comparison, Gain
from fer_bench.statistics.power import MOST, SURE, Needed, Range

FORMATS = ("text", "markdown", "csv", "json")
Grid = list[list[str]]


def render(found: Comparison, format: str = "text") -> str:
    """The comparison as text that ends in a newline."""
    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    if format == "csv":
        return as_csv(rows_of(found))
    if format == "json":
        about = {"one": found.one, "other": found.other, "interval": found.kind, "unit": "percent"}
        return json.dumps({**about, "rows": rows_of(found), "notes": found.notes}, indent=1, allow_nan=False) + "\n"
    title = f"{found.one} minus {found.other}, points of accuracy with 95 % intervals; *: without 0"
    tables = [(title, gains_grid(found)), *(("recall of each class", grid) for grid in class_grids(found))]
    return (as_markdown if format == "markdown" else as_text)(tables, found.notes)


def rows_of(found: Comparison) -> list[dict[str, Any]]:
    """A row for each number of each case; None where there is no such number."""
    rows = []
    for case in found.cases:
        for gain in case.gains:
            ends = gain.interval
            pair = case.faces if gain.metric == "overall" else None
            rows.append({
                "dataset": case.dataset, "protocol": case.protocol, "one": found.one, "other": found.other,
                "metric": gain.metric, "n": len(case.seeds), "faces": ends.faces if ends else None,
                "one_value": _percent(gain.one), "other_value": _percent(gain.other),
                "gain": _percent(shown(gain)), "low": _percent(ends.low) if ends else None,
                "high": _percent(ends.high) if ends else None, "p": gain.p,
                "only_one_right": pair and pair.only_one, "only_other_right": pair and pair.only_other,
                "mcnemar_p": pair and pair.p})
    return rows


def _percent(value: float) -> float:
    return round(100 * value, 6)


def shown(gain: Gain) -> float:
    """The gain as a fraction."""
    return gain.interval.gain if gain.interval else gain.one - gain.other


def gains_grid(found: Comparison) -> Grid:
    """Heads and a line for each case: overall and mean accuracy."""
    single = any(case.faces for case in found.cases)
    tested = [metric for metric in METRICS if any(case.of(metric).p is not None for case in found.cases)]
    heads = [head for metric in METRICS for head in ([metric, "p"] if metric in tested else [metric])]
    grid = [["dataset", "protocol", "n", *heads, *(["only one right", "McNemar p"] if single else [])]]
    for case in found.cases:
        words = [case.dataset, case.protocol, str(len(case.seeds))]
        for metric in METRICS:
            words += [gain_text(case.of(metric)), *([p_text(case.of(metric).p)] if metric in tested else [])]
        if single:
            words += [f"{case.faces.only_one} : {case.faces.only_other}" if case.faces else "",
                      p_text(case.faces.p) if case.faces else ""]
        grid.append(words)
    return grid


def gain_text(gain: Gain) -> str:
    """"+1.23 [0.10, 2.36]*"."""
    text, ends = f"{100 * shown(gain):+.2f}", gain.interval
    if ends is None:
        return text
    return f"{text} [{100 * ends.low:.2f}, {100 * ends.high:.2f}]{'' if ends.faces else ' seeds'}{_star(gain)}"


def _star(gain: Gain) -> str:
    return "*" if gain.interval and gain.interval.excludes_zero() else ""


def p_text(p: float | None) -> str:
    """".031", "<.001"; empty for none."""
    if p is None:
        return ""
    return "<.001" if p < 0.001 else f"{p:.3f}".removeprefix("0") if p < 1 else "1"


def class_grids(found: Comparison) -> list[Grid]:
    """Gains in the recall of each class, a grid for each list of classes; a star where the interval is without 0."""
    grids: dict[tuple[str, ...], Grid] = {}
    for case in found.cases:
        classes = _classes(case)
        grid = grids.setdefault(classes, [["dataset", "protocol", *classes]])
        gains = [case.of(f"recall:{name}") for name in classes]
        grid.append([case.dataset, case.protocol,
                     *(f"{round(100 * shown(gain), 1) + 0:+.1f}{_star(gain)}" for gain in gains)])
    return list(grids.values())


def _classes(case: Compared) -> tuple[str, ...]:
    return tuple(gain.metric.removeprefix("recall:") for gain in case.gains if gain.metric not in METRICS)


def as_csv(rows: Sequence[dict[str, Any]]) -> str:
    """One line for each row; empty where there is no number."""
    text = io.StringIO()
    lines = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    lines.writeheader()
    lines.writerows({key: printable(value) if isinstance(value, str) else value for key, value in row.items()}
                    for row in rows)
    return text.getvalue()


def as_markdown(tables: Sequence[tuple[str, Grid]], notes: Sequence[str]) -> str:
    """Tables of GitHub's kind under headings, and the notes as a list."""
    from tabulate import tabulate

    parts = []
    for title, grid in tables:
        cells = [[_escaped(word) for word in line] for line in grid]
        body = tabulate(cells[1:], headers=cells[0], tablefmt="pipe", disable_numparse=True,
                        colalign=["left", "left", *["right"] * (len(grid[0]) - 2)])
        parts.append(f"### {_escaped(title)}\n\n{body}\n")
    return "\n".join([*parts, *(f"- {note}" for note in notes)]) + "\n"


def _escaped(text: str) -> str:
    """Text from a file as a markdown table may hold it."""
    return printable(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


def as_text(tables: Sequence[tuple[str, Grid]], notes: Sequence[str]) -> str:
    """The same for a terminal, as wide as it is; 200 columns where there is none."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    out = io.StringIO()
    width = Console().width if Console().is_terminal else 200
    console = Console(file=out, width=width, force_terminal=False)
    for title, grid in tables:
        table = Table(title=Text(printable(title)), title_justify="left", box=None, pad_edge=False)
        for place, head in enumerate(grid[0]):
            table.add_column(Text(printable(head)), justify="left" if place < 2 else "right", overflow="fold")
        for line in grid[1:]:
            table.add_row(*(Text(printable(word)) for word in line))
        console.print(table, end="\n\n")
    for note in notes:
        console.print(Text(note))
    return out.getvalue()


def render_needed(found: Sequence[Needed], title: str, format: str = "text") -> str:
    """Needed seeds as text that ends in a newline."""
    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    if format in ("csv", "json"):
        rows = [{"dataset": one.dataset, "protocol": one.protocol, "metric": one.metric, "methods": one.methods,
                 "n": one.seeds, "spread": _percent(one.spread),
                 **{f"{name}_{end}": getattr(part, end, None) for name, part in
                    (("sign_flip", one.sign_flip), ("interval", one.interval)) for end in ("likely", "least", "most")}}
                for one in found]
        return as_csv(rows) if format == "csv" else json.dumps({"title": title, "rows": rows}, indent=1) + "\n"
    grid = [["dataset", "protocol", "metric", "methods", "n", "spread", "sign-flip", "interval"]]
    grid += [[one.dataset, one.protocol, one.metric, str(one.methods), str(one.seeds), f"{100 * one.spread:.2f}",
              _range(one.sign_flip), _range(one.interval)] for one in found]
    return (as_markdown if format == "markdown" else as_text)([(title, grid)], needed_notes(found))


def _range(part: Range | None) -> str:
    """"9 (5 to 40)"."""
    if part is None:
        return "--"
    likely, least, most = (str(seeds or f">{MOST}") for seeds in (part.likely, part.least, part.most))
    return likely if least == likely == most else f"{likely} ({least} to {most})"


def needed_notes(found: Sequence[Needed]) -> list[str]:
    """What to know of needed seeds."""
    fewest = min(one.seeds for one in found)
    notes = ["spread: standard deviation over seeds of the difference to the baseline, in points. In brackets: seeds "
             f"for the {100 * SURE:.0f} % range in which the records leave the true spread."]
    if fewest < 6:
        notes.append(f"The spread is known from {fewest} seeds only: run some more before you trust these numbers.")
    if any(one.interval and one.interval.most is None for one in found):
        notes.append(f">{MOST} seeds for an interval: the spread is too large, or the test faces are too few to see "
                     "such a gain, whatever the seeds.")
    return notes
