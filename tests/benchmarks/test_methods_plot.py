"""The plot of what methods gain: differences are paired by seed, and it says what it lacks."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fer_bench.errors import UserError
from fer_bench.runs.store import read_records

ROOT = Path(__file__).resolve().parents[2]
RECORDS = ROOT / "results" / "drawn-faces"
SCRIPT = ROOT / "benchmarks" / "methods_plot.py"
sys.path.insert(0, str(SCRIPT.parent))

from methods_plot import PROTOCOLS, paired_gains  # noqa: E402


def test_gains_are_differences_of_the_same_seed():
    gains = paired_gains(RECORDS, ["clean", "noise30"], "ce")
    accuracy = {(r["label"], r["spec"]["protocol"]["name"], r["spec"]["seed"]): r["result"]["last"]["mean"]
                for r in read_records(RECORDS)}
    expected = {key: 100 * (value - accuracy[("ce", *key[1:])]) for key, value in accuracy.items()
                if key[0] != "ce" and key[1] in ("clean", "noise30")}
    found = {(row.method, row.protocol, row.seed): row.gain for row in gains.itertuples()}
    assert found == pytest.approx(expected) and len(gains) == len(expected) > 100


@pytest.mark.parametrize(("words", "said"), [
    (["--results", "nowhere"], "nowhere: no records"),
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


def changed_record(folder: Path, part: str, key: str, value: object) -> None:
    """Put our records into a folder, and one more that differs from the first in one value."""
    shutil.copytree(RECORDS, folder, dirs_exist_ok=True)
    paths = sorted(folder.glob("records/*/*.json"))
    record = next(r for path in paths if (r := json.loads(path.read_text()))["spec"]["protocol"]["name"] == "clean")
    record["spec"][part][key], record["id"] = value, "f" * 16
    (folder / "records" / "ff").mkdir(exist_ok=True)
    (folder / "records" / "ff" / f"{record['id']}.json").write_text(json.dumps(record))


def test_versions_are_not_mixed(tmp_path):
    changed_record(tmp_path, "code", "engine", 2)
    with pytest.raises(UserError, match="would mix versions of the engine: engine=1 .* engine=2"):
        paired_gains(tmp_path, PROTOCOLS.split(","), "ce")


def test_one_dataset_at_a_time(tmp_path):
    changed_record(tmp_path, "dataset", "name", "ferplus7")
    with pytest.raises(UserError, match="ferplus7, synthetic; the plot takes one dataset"):
        paired_gains(tmp_path, PROTOCOLS.split(","), "ce")


def test_the_plot_is_a_png(tmp_path):
    out = tmp_path / "gains.png"
    subprocess.run([sys.executable, str(SCRIPT), "--protocols", "noise30", "--out", str(out)], check=True, cwd=ROOT)
    assert out.read_bytes().startswith(b"\x89PNG")
