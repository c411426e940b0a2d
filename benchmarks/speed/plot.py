"""The rows as horizontal bars: images/s, spread, ratio to the usual pipeline, and the floor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

TITLES = {"ce": "cross-entropy, one view", "nla": "NLA, two views"}
COLOURS = {"usual": "#8c8c8c", "kornia": "#c9a86a", "engine": "#3b75af", "several": "#1d3f66"}


def plot(found: dict[str, Any], path: Path) -> None:
    """Write the figure of a benchmark's JSON to ``path`` (.png); needs matplotlib (in .[test])."""
    from matplotlib.figure import Figure

    groups = {method: [row for row in found["rows"] if row["method"] == method] for method in TITLES}
    groups = {method: rows for method, rows in groups.items() if rows}
    heights = [len(rows) + 1.5 for rows in groups.values()]
    figure = Figure(figsize=(10, 1.2 + 0.36 * sum(heights)), layout="constrained")
    axes = figure.subplots(len(groups), 1, sharex=True, squeeze=False, height_ratios=heights)
    for axis, (method, rows) in zip(axes[:, 0], groups.items(), strict=True):
        draw(axis, rows, found["floors"].get(method))
        axis.set_title(TITLES[method], loc="left", fontsize=10)
    axes[-1, 0].set_xlabel("images/s, median of the windows; error bars: slowest and fastest window")
    settings, machine = found["settings"], found["machine"]
    figure.suptitle(f"ResNet-18, {settings['size']} px, batch {settings['batch']}: training on {machine['device']} "
                    f"({machine['cores']} cores)", fontsize=11)
    figure.savefig(path, dpi=130)


def draw(axis: Any, rows: list[dict[str, Any]], floor: dict[str, Any] | None) -> None:
    """One method's bars, the first row on top."""
    rates = [row["images_per_second"] or 0.0 for row in rows]
    below = [rate - min(row["windows"], default=rate) for row, rate in zip(rows, rates, strict=True)]
    above = [max(row["windows"], default=rate) - rate for row, rate in zip(rows, rates, strict=True)]
    kinds = ["several" if row["job"]["lanes"] * row["processes"] > 1 else row["job"]["kind"] for row in rows]
    places = range(len(rows))
    axis.barh(places, rates, xerr=[below, above], color=[COLOURS[kind] for kind in kinds], error_kw={"capsize": 3})
    for place, row, rate, up in zip(places, rows, rates, above, strict=True):
        axis.annotate(caption(row), (rate + up, place), (6, 0), textcoords="offset points", va="center", fontsize=8)
    if floor:
        axis.axvline(floor["images_per_second"], color="#b03030", linestyle="--", linewidth=1)
        axis.annotate(f"floor of this device ({floor['precision']}): {floor['images_per_second']:,.0f}",
                      (floor["images_per_second"], 1), (0, 4), ("data", "axes fraction"), "offset points",
                      ha="center", fontsize=8, color="#b03030")
    axis.set_yticks(places, [row["name"] for row in rows], fontsize=9)
    axis.invert_yaxis()
    axis.margins(x=0.2)  # room for the captions
    axis.spines[["top", "right"]].set_visible(False)


def caption(row: dict[str, Any]) -> str:
    """What stands at the end of a bar, and for a row in the table."""
    if row["images_per_second"] is None:
        return f"{row['status']}: {(row['reason'] or '')[:70]}"
    ratio = f"   {row['ratio']:.2f}x" if row["ratio"] else ""
    marks = [row["status"]] * (row["status"] != "ok") + ["disturbed"] * row["disturbed"]
    return "  ".join([f"{row['images_per_second']:,.0f}{ratio}", *marks])
