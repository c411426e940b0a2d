"""The rows as horizontal bars: images/s, spread, ratio to the usual pipeline, and the floor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

TITLES = {"ce": "cross-entropy, one view", "nla": "NLA, two views"}
COLOURS = {"usual": "#8c8c8c", "kornia": "#c9a86a", "engine": "#3b75af", "packed": "#1d3f66"}


def plot(found: dict[str, Any], path: Path) -> None:
    """Write the figure of a benchmark's JSON to ``path`` (.png). Raises ImportError without matplotlib."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    groups = {method: [row for row in found["rows"] if row["method"] == method] for method in TITLES}
    groups = {method: rows for method, rows in groups.items() if rows}
    heights = [len(rows) + 1.5 for rows in groups.values()]
    figure, axes = pyplot.subplots(len(groups), 1, figsize=(10, 1.2 + 0.36 * sum(heights)), sharex=True, squeeze=False,
                                   height_ratios=heights, layout="constrained")
    floors = {method: found["floors"].get(method) for method in groups}
    widest = max([max(row["windows"], default=0) for row in found["rows"]]
                 + [floor["images_per_second"] for floor in floors.values() if floor] + [1])
    axes[0, 0].set_xlim(0, 1.2 * widest)
    for axis, (method, rows) in zip(axes[:, 0], groups.items(), strict=True):
        draw(axis, rows, floors[method])
        axis.set_title(TITLES[method], loc="left", fontsize=10)
    axes[-1, 0].set_xlabel("images/s, median of the windows; error bars: slowest and fastest window")
    settings, machine = found["settings"], found["machine"]
    figure.suptitle(f"ResNet-18, {settings['size']} px, batch {settings['batch']}: training on {machine['device']} "
                    f"({machine['cores']} cores)", fontsize=11)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)


def draw(axis: Any, rows: list[dict[str, Any]], floor: dict[str, Any] | None) -> None:
    """One method's bars, the first row on top."""
    rates = [row["images_per_second"] or 0.0 for row in rows]
    below = [rate - min(row["windows"], default=rate) for row, rate in zip(rows, rates, strict=True)]
    above = [max(row["windows"], default=rate) - rate for row, rate in zip(rows, rates, strict=True)]
    colours = [COLOURS["packed" if row["job"]["lanes"] > 1 or row["processes"] > 1 else row["job"]["kind"]]
               for row in rows]
    places = range(len(rows))
    axis.barh(places, rates, xerr=[below, above], color=colours, error_kw={"capsize": 3, "elinewidth": 1})
    for place, row, rate, up in zip(places, rows, rates, above, strict=True):
        axis.annotate(caption(row), (rate + up, place), xytext=(6, 0), textcoords="offset points", va="center",
                      fontsize=8)
    if floor:
        axis.axvline(floor["images_per_second"], color="#b03030", linestyle="--", linewidth=1)
        axis.annotate(f"floor of this device ({floor['precision']}): {floor['images_per_second']:,.0f}",
                      (floor["images_per_second"], 1), xycoords=("data", "axes fraction"), xytext=(0, 4),
                      textcoords="offset points", ha="center", fontsize=8, color="#b03030")
    axis.set_yticks(places, [row["name"] for row in rows], fontsize=9)
    axis.invert_yaxis()
    axis.spines[["top", "right"]].set_visible(False)


def caption(row: dict[str, Any]) -> str:
    """What stands at the end of a bar."""
    if row["images_per_second"] is None:
        return f"{row['status']}: {(row['reason'] or '')[:70]}"
    ratio = f"   {row['ratio']:.2f}x" if row["ratio"] else ""
    marks = [row["status"]] * (row["status"] != "ok") + ["disturbed"] * row["disturbed"]
    return "  ".join([f"{row['images_per_second']:,.0f}{ratio}", *marks])
