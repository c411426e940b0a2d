"""What methods are for, shown on the synthetic faces with the quick recipe: minutes of training, so slow.

The committed records (results/drawn-faces) hold more seeds and every method; docs/methods.md says who does not help.
"""

from __future__ import annotations

import pytest
from tinyfolder import call

from fer_bench.runs.store import read_records
from fer_bench.tables.stats import mean

SEEDS = 2


def last(folder, metric: str) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for record in read_records(folder):
        found.setdefault(record["label"], []).append(record["result"]["last"][metric])
    assert all(len(values) == SEEDS for values in found.values())
    return {label: mean(values) for label, values in found.items()}


def trained(tmp_path, names: str, protocol: str, metric: str) -> dict[str, float]:
    folders = ["--results", str(tmp_path / "r"), "--work", str(tmp_path / "w"), "--cache", str(tmp_path / "c")]
    assert call("--method", names, "--protocol", protocol, "--seeds", str(SEEDS), "--jobs", "2", *folders) == 0
    return last(tmp_path / "r", metric)


@pytest.mark.slow
def test_robust_losses_end_above_cross_entropy_under_40_percent_noise(tmp_path):
    found = trained(tmp_path, "ce,gce,sce,mixup", "noise40", "overall")
    assert all(found[name] > found["ce"] for name in ("gce", "sce", "mixup")), found


@pytest.mark.slow
def test_rebalancing_raises_mean_accuracy_under_imbalance(tmp_path):
    found = trained(tmp_path, "ce,balanced-softmax,ldam-drw,crt", "imb100", "mean")
    assert all(found[name] > found["ce"] for name in ("balanced-softmax", "ldam-drw", "crt")), found
