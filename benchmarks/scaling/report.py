"""What the benchmark shows: a line for each point, the table, the log-log panels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

AXES = {"images": "training images", "classes": "classes", "size": "pixels a side (axis: their square)",
        "pack": "lanes", "records": "records"}
UNITS = {"seconds": "processor seconds", "megabytes": "MB of RssAnon"}


def line(found: dict[str, Any]) -> str:
    """One point, for the eye."""
    if "failed" in found:
        return f"{found['part']} {found['n']:,}: failed: {found['failed']}"
    numbers = [f"{name} {value:.4g} s" for name, value in found["seconds"].items()]
    numbers += [f"{name} {value:.1f} MB" for name, value in found["megabytes"].items()]
    return f"{found['part']} {found['n']:,}: {', '.join(numbers)}"


def table(found: dict[str, Any]) -> str:
    """Parts as markdown tables, a line for each quantity; AffectNet's figures under them."""
    from tabulate import tabulate

    texts = []
    for part in AXES:
        lines = [{part: f"{row['name']}, {'s' if row['unit'] == 'seconds' else 'MB'}",
                  **{f"{n:,}": f"{value:.0f}" if value >= 100 else f"{value:.3g}"
                     for n, value in zip(row["n"], row["values"], strict=True)},
                  "exponent": slope(row), "at most": f"{row['limit']:g}",
                  "": {True: "ok", False: "GROWS TOO FAST", None: ""}[row["ok"]]}
                 for row in found["exponents"] if row["part"] == part]
        if lines:
            texts.append(tabulate(lines, "keys", tablefmt="github", disable_numparse=True))
    texts += [line(p) for p in found["points"] if "failed" in p]
    if found["affectnet"] is not None:
        texts.append("AffectNet's size\n" + json.dumps(found["affectnet"], indent=1))
    return "\n\n".join([*texts, f"{found['seconds']:.0f} s in all"])


def slope(row: dict[str, Any]) -> str:
    """An exponent, if there is one."""
    return "" if row["exponent"] is None else f"{row['exponent']:.2f}"


def plot(found: dict[str, Any], path: Path) -> None:
    """Write the panels; needs matplotlib (in .[test])."""
    from matplotlib.figure import Figure

    panels = [(part, unit, rows) for part in AXES for unit in UNITS
              if (rows := [row for row in found["exponents"] if (row["part"], row["unit"]) == (part, unit)])]
    if not panels:
        return
    wide, high = min(len(panels), 4), -(-len(panels) // 4)
    figure = Figure(figsize=(4.6 * wide, 4.2 * high), layout="constrained")
    axes = list(figure.subplots(high, wide, squeeze=False).flat)
    for axis, (part, unit, rows) in zip(axes, panels, strict=False):
        draw(axis, part, unit, rows, {p["n"]: p["x"] for p in found["points"] if p["part"] == part})
    for axis in axes[len(panels):]:
        axis.set_axis_off()
    figure.suptitle(f"Scaling on {found['machine']['device']}, one thread; [exponent over the upper half]")
    figure.savefig(path, dpi=110)


def draw(axis: Any, part: str, unit: str, rows: list[dict[str, Any]], x: dict[int, int]) -> None:
    """One panel: a line for each quantity, and a dashed one for linear growth."""
    for row in rows:
        label = f"{row['name']} [{slope(row)}]{' !' * (row['ok'] is False)}"
        axis.plot([x[n] for n in row["n"]], row["values"], marker="o", markersize=3, label=label)
    values = [value for row in rows for value in row["values"] if value > 0] or [1.0]
    axis.set(xscale="log", yscale="log", xlabel=AXES[part], ylabel=UNITS[unit], title=part,
             ylim=(min(values) / 3, 3 * max(values)))
    places = sorted(x.values())
    axis.plot(places, [2 * max(values) * place / places[-1] for place in places], "--", color="#999999", linewidth=1,
              label="linear")
    axis.set_xticks(places, [f"{n:,}" for n in sorted(x)], fontsize=8)
    axis.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
    axis.grid(alpha=0.25)
    axis.legend(fontsize=7, framealpha=0.6)
