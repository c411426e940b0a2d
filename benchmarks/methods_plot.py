"""What each method gains over cross-entropy: mean accuracy, protocol beside protocol, with every seed to be seen.

    python benchmarks/methods_plot.py --results results/drawn-faces --out docs/images/methods.png
    python benchmarks/methods_plot.py --protocols noise30,noise40 --out noise.png

Differences are paired: a run minus the run of cross-entropy with the same seed. Needs matplotlib (in .[test]).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.tools import parser

from fer_bench.errors import UserError
from fer_bench.runs.store import read_records
from fer_bench.tables.frame import to_frame
from fer_bench.tables.records import check_versions, dataset_of, select_records

if TYPE_CHECKING:
    import pandas as pd

PROTOCOLS = "clean,noise30,imb50,noise30-imb50"
BETTER, SAME, WORSE, SEEDS = "#1d5f8f", "#5a5a5a", "#b0482f", "#9a9a9a"


def paired_gains(results: Path, protocols: list[str], base: str) -> pd.DataFrame:
    """Columns method, protocol, seed, gain: points of mean accuracy above ``base`` with the same seed.

    Raises UserError for no records, unknown names, mixed versions or datasets, and a protocol without a pair.
    """
    records = select_records(read_records(results), protocols=protocols)
    if not records:
        raise UserError(f"{results}: no records; expected the folder that run_bench.py --results wrote")
    check_versions(records)
    if len(datasets := {dataset_of(record) for record in records}) > 1:
        raise UserError(f"{results}: records of {', '.join(sorted(datasets))}; the plot takes one dataset")
    runs = to_frame(records)[["method", "protocol", "seed", "mean"]]
    below = runs[runs["method"] == base].drop(columns="method")
    pairs = runs[runs["method"] != base].merge(below, on=["protocol", "seed"], suffixes=("", "_base"))
    for protocol in protocols:
        if protocol not in set(pairs["protocol"]):
            raise UserError(f"{results}: no method of {protocol} has a seed in common with {base}; run both there")
    return pairs.assign(gain=100 * (pairs["mean"] - pairs["mean_base"]))


def plot(gains: pd.DataFrame, protocols: list[str], base: str, path: Path) -> None:
    """Write one panel a protocol to ``path``; methods are sorted by their mean gain over the panels."""
    from matplotlib.figure import Figure

    means = gains.groupby(["method", "protocol"])["gain"].mean().unstack()
    names = list(means.mean(axis=1).sort_values(ascending=False).index)
    figure = Figure(figsize=(2 + 2.6 * len(protocols), 1.4 + 0.2 * len(names)), layout="constrained")
    axes = figure.subplots(1, len(protocols), sharey=True, squeeze=False)
    for axis, protocol in zip(axes[0], protocols, strict=True):
        draw(axis, gains[gains["protocol"] == protocol], names)
        axis.set_title(protocol, fontsize=10)
    axes[0, 0].set_yticks(range(len(names)), names, fontsize=8)
    axes[0, 0].set_ylim(len(names) - 0.5, -0.5)
    figure.supxlabel(f"points of mean accuracy above {base} with the same seed (mean; grey: each seed; "
                     "arrows: further left)", fontsize=9)
    figure.savefig(path, dpi=120)


def draw(axis: Any, gains: pd.DataFrame, names: list[str], lowest: float = -15.0) -> None:
    """One panel; what lies below ``lowest`` points is an arrow at the edge, so that the others can be told apart."""
    places = {name: place for place, name in enumerate(names)}
    axis.axvline(0, color="black", linewidth=0.8)
    for place in range(0, len(names), 2):
        axis.axhspan(place - 0.5, place + 0.5, color="#f3f3f3", zorder=0)

    def mark(gain: float, place: int, marker: str, colour: str, size: float) -> None:
        axis.plot(max(gain, lowest - 0.7), place, "<" if gain < lowest else marker, color=colour, markersize=size)

    for name, seeds in gains.groupby("method")["gain"]:
        for gain in seeds:
            mark(gain, places[name], "o", SEEDS, 2.5)
        mean = seeds.mean()
        mark(mean, places[name], "D", BETTER if mean > 0 else WORSE if mean < 0 else SAME, 4.5)
    axis.set_xlim(left=lowest - 1)
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(labelsize=8)


def main() -> None:
    """Draw what the command line says."""
    made = parser(__doc__)
    made.add_argument("--results", type=Path, default=Path("results/drawn-faces"), help="folder of records")
    made.add_argument("--protocols", default=PROTOCOLS, help="panels, with commas")
    made.add_argument("--base", default="ce", help="the method that the others are compared with")
    made.add_argument("--out", type=Path, required=True, help="the PNG to write")
    given = made.parse_args()
    protocols = given.protocols.split(",")
    try:
        if given.out.suffix != ".png" or not given.out.parent.is_dir():
            raise UserError(f"--out {given.out}: expected a name that ends in .png, in a folder that exists")
        plot(paired_gains(given.results, protocols, given.base), protocols, given.base, given.out)
    except UserError as error:
        made.exit(2, f"error: {error}\n")
    print(given.out)


if __name__ == "__main__":
    main()
