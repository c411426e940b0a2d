"""What the benchmark writes: the JSON, the table, the log-log panels."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

AXES = {"images": "training images", "classes": "classes", "size": "pixels a side (axis: their square)",
        "pack": "lanes", "records": "records"}
UNITS = {"seconds": "processor seconds", "megabytes": "MB of RssAnon"}


def write(found: dict[str, Any], out: Path) -> None:
    """The JSON, whole or not at all."""
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_suffix(".part")
    temporary.write_text(json.dumps(found, indent=1) + "\n")
    os.replace(temporary, out)


def table(found: dict[str, Any]) -> str:
    """Parts as markdown tables, a line for each quantity; AffectNet's figures under them."""
    from tabulate import tabulate

    texts = []
    for part in AXES:
        rows = [row for row in found["exponents"] if row["part"] == part]
        if rows:
            heads = [part, *(f"{n:,}" for n in max((row["n"] for row in rows), key=len)), "exponent", "at most", ""]
            lines = [[f"{row['name']}, {'s' if row['unit'] == 'seconds' else 'MB'}", *map(number, row["values"]),
                      "" if row["exponent"] is None else f"{row['exponent']:.2f}", f"{row['limit']:g}",
                      {True: "ok", False: "GROWS TOO FAST", None: ""}[row["ok"]]] for row in rows]
            rates = [p["images_per_second"] for p in found["points"] if p["part"] == part and "images_per_second" in p]
            lines += [["images/s of the steps", *map(number, rates)]] if rates else []
            texts.append(tabulate(lines, heads, tablefmt="github", disable_numparse=True))
    texts += [f"{p['part']} {p['n']:,}: failed: {p['failed']}" for p in found["points"] if "failed" in p]
    if found["affectnet"] is not None:
        shown = {key: value for key, value in found["affectnet"].items() if key != "samples"}
        texts.append("AffectNet's size\n" + json.dumps(shown, indent=1))
    return "\n\n".join([*texts, f"{found['seconds']:.0f} s in all"])


def number(value: float) -> str:
    """Three digits that matter."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def plot(found: dict[str, Any], path: Path) -> None:
    """Write the panels. Raises ImportError without matplotlib."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    panels = []
    for part in AXES:
        for unit in UNITS:
            rows = [row for row in found["exponents"] if (row["part"], row["unit"]) == (part, unit)]
            panels += [(part, unit, rows)] if rows else []
    samples = (found["affectnet"] or {}).get("samples")
    count = len(panels) + bool(samples)
    if not count:
        return
    wide = min(count, 4)
    high = -(-count // wide)
    figure, axes = pyplot.subplots(high, wide, figsize=(4.6 * wide, 4.2 * high), squeeze=False, layout="constrained")
    for axis, (part, unit, rows) in zip(axes.flat, panels, strict=False):
        draw(axis, part, unit, rows, found["points"])
    if samples:
        draw_memory(axes.flat[len(panels)], found["affectnet"])
    for axis in axes.flat[count:]:
        axis.set_axis_off()
    figure.suptitle(f"Scaling on {found['machine']['device']}, one thread; [exponent over the upper half]")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def draw(axis: Any, part: str, unit: str, rows: list[dict[str, Any]], points: list[dict[str, Any]]) -> None:
    """One panel: a line for each quantity, and a dashed one for linear growth."""
    x = {p["n"]: p["x"] for p in points if p["part"] == part}
    for row in rows:
        slope = "" if row["exponent"] is None else f" [{row['exponent']:.2f}]{' !' if row['ok'] is False else ''}"
        axis.plot([x[n] for n in row["n"]], row["values"], marker="o", markersize=3, label=row["name"] + slope)
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


def draw_memory(axis: Any, affectnet: dict[str, Any]) -> None:
    """AffectNet's memory over time."""
    seconds, anonymous, used = zip(*affectnet["samples"], strict=True)
    axis.plot(seconds, [value / 1e9 for value in anonymous], label="RssAnon of the process")
    if any(used):
        axis.plot(seconds, [value / 1e9 for value in used], label="its cgroup, page cache included")
    for name, value in (("limit", affectnet["bytes allowed"]), ("the faces", affectnet["bytes of faces"])):
        if value:
            axis.axhline(value / 1e9, linestyle="--", linewidth=1, color="#b03030" if name == "limit" else "#999999")
            axis.annotate(name, (0, value / 1e9), xytext=(4, 3), textcoords="offset points", fontsize=8)
    axis.set(xlabel="seconds", ylabel="GB", title="AffectNet's size", ylim=(0, None))
    axis.grid(alpha=0.25)
    axis.legend(fontsize=7)
