"""Records as a pandas DataFrame, one row a run, for those who want to compute or plot something of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fer_bench.tables.records import classes_of, unit_of

if TYPE_CHECKING:
    import pandas as pd

TRAINED_ON = ("faces", "noise_rate", "imbalance_factor")


def to_frame(records: Sequence[dict[str, Any]], select: str = "last") -> pd.DataFrame:
    """Columns: run, method, protocol, dataset, recipe, track, seed, fold (0: none), what it was trained on (faces,
    noise_rate, imbalance_factor; empty in records of before these were counted), the metrics as fractions, all
    diagnosis and cost numbers. ``select``: last, best or val; runs without it are left out."""
    import pandas as pd

    rows = []
    for record in records:
        spec, metrics, trained_on = record["spec"], record["result"][select], record.get("trained_on", {})
        if metrics is None:
            continue
        rows.append({"run": record["id"], "method": record["label"], "protocol": spec["protocol"]["name"],
                     "dataset": spec["dataset"]["name"], "recipe": spec["recipe"]["name"], "track": spec["track"],
                     "seed": spec["seed"], "fold": unit_of(record)[1],
                     **{name: trained_on.get(name) for name in TRAINED_ON},
                     **{k: v for k, v in metrics.items() if k != "recall"},
                     **record["diagnosis"], **record["cost"]})
    return pd.DataFrame(rows)


def curves_frame(records: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """One row for each epoch of each run: run, method, protocol, dataset, recipe, track, seed, fold, epoch, loss, lr,
    the metrics on the test set as fractions, recall:<class>, and what else the curve holds."""
    import pandas as pd

    rows = []
    for record in records:
        spec = record["spec"]
        about = {"run": record["id"], "method": record["label"], "protocol": spec["protocol"]["name"],
                 "dataset": spec["dataset"]["name"], "recipe": spec["recipe"]["name"], "track": spec["track"],
                 "seed": spec["seed"], "fold": unit_of(record)[1]}
        for row in record["result"]["curve"]:
            recalls = {f"recall:{name}": value for name, value in zip(classes_of(record), row["recall"], strict=True)}
            rows.append({**about, **{key: value for key, value in row.items() if key != "recall"}, **recalls})
    return pd.DataFrame(rows)
