"""The plot of what methods gain: differences are paired by seed, and it says what it lacks."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fer_bench.errors import UserError
from fer_bench.runs.store import read_records

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "benchmarks" / "methods_plot.py"
sys.path.insert(0, str(SCRIPT.parent))

from methods_plot import paired_gains  # noqa: E402


def test_gains_are_differences_of_the_same_seed():
    gains = paired_gains(ROOT / "results" / "methods", ["noise30", "imb100"], "ce")
    accuracy = {(r["label"], r["spec"]["protocol"]["name"], r["spec"]["seed"]): r["result"]["last"]["mean"]
                for r in read_records(ROOT / "results" / "methods")}
    expected = {key: 100 * (value - accuracy[("ce", *key[1:])]) for key, value in accuracy.items()
                if key[0] != "ce" and key[1] in ("noise30", "imb100")}
    found = {(row.method, row.protocol, row.seed): row.gain for row in gains.itertuples()}
    assert found == pytest.approx(expected) and len(gains) == len(expected) > 100


@pytest.mark.parametrize(("words", "said"), [
    (["--results", "nowhere"], "nowhere: no records"),
    (["--results", "results/reference", "--protocols", "clean"], "ferplus7, synthetic; the plot takes one dataset"),
    (["--protocols", "clean,noise3"], "unknown protocol among the records 'noise3': did you mean noise30"),
    (["--base", "cee"], "no method of clean has a seed in common with cee"),
    (["--out", "nowhere/gains.png"], "--out nowhere/gains.png: expected a name"),
    (["--out", "gains.xyz"], "--out gains.xyz: expected a name that ends in .png"),
])
def test_what_cannot_be_plotted_is_said_in_one_line(words, said, tmp_path):
    out = tmp_path / "gains.png"
    done = subprocess.run([sys.executable, str(SCRIPT), "--out", str(out), *words], capture_output=True, text=True,
                          cwd=ROOT)
    assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1 and not out.exists()


def test_versions_are_not_mixed(tmp_path):
    for folder in ("methods", "before-review"):
        shutil.copytree(ROOT / "results" / folder, tmp_path, dirs_exist_ok=True)
    with pytest.raises(UserError, match="would mix versions of"):
        paired_gains(tmp_path, ["noise30"], "ce")


def test_the_plot_is_a_png(tmp_path):
    out = tmp_path / "gains.png"
    subprocess.run([sys.executable, str(SCRIPT), "--protocols", "noise30", "--out", str(out)], check=True, cwd=ROOT)
    assert out.read_bytes().startswith(b"\x89PNG")
