"""The runs in the repository: whole records of one version, and the tables are made of them and nothing else."""

import csv
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from fer_bench.data.drawn.synthetic import load
from fer_bench.engine.metrics import confusion_matrix
from fer_bench.library.versions import ENGINE_VERSION
from fer_bench.registry import methods
from fer_bench.runs.outcomes import with_outcomes
from fer_bench.runs.spec import run_id
from fer_bench.runs.store import read_records
from fer_bench.tables import write_tables

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "results"
FOLDERS = ("drawn-faces", "face112-choice", "ferplus7-face112", "ferplus7-further")
KINDS = {"clean": "clean", "noise30": "noise", "noise40": "noise", "imb50": "imbalance", "imb100": "imbalance",
         "noise30-imb50": "both"}
GRID = ("clean", "noise30", "imb50", "noise30-imb50")
VOTES = ("clean", "imb50")  # of a method that needs votes: the others would show it what labels they change


@pytest.fixture(scope="module")
def records():
    return read("drawn-faces")


@cache
def read(folder: str):
    problems = []
    found = read_records(RESULTS / folder, problems.append)
    found = with_outcomes(found, RESULTS / folder, problems.append)
    assert found and not problems
    return found


def test_folders_of_records():
    assert sorted(path.parent.name for path in RESULTS.glob("*/records")) == list(FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_ids_are_hashes_of_the_specs(folder):
    assert [r["id"] for r in read(folder)] == [run_id(r["spec"]) for r in read(folder)]


@pytest.mark.parametrize("folder", FOLDERS)
def test_all_are_of_the_declared_versions(folder):
    found = methods()[0]
    for record in read(folder):
        name = record["spec"]["method"]["name"]
        assert record["spec"]["code"] == {"method": found[name].version, "engine": ENGINE_VERSION}, name


@pytest.fixture(scope="module")
def carried():
    """What became of each record of before declared versions."""
    with (RESULTS / "drawn-faces" / "carried.csv").open() as file:
        return list(csv.DictReader(file))


def test_what_was_carried_over_says_what_it_was_and_was_repeated(records, carried):
    """Its own kind of protocol was repeated bit for bit for its method, with at least one seed."""
    rows = {row["id"]: row for row in carried if row["id"]}
    found = {r["id"]: r for r in records if "was" in r}
    assert found.keys() == rows.keys()
    repeated = {(row["method"], KINDS[row["protocol"]]) for row in carried if row["repeated_bit_for_bit"] == "yes"}
    for run, record in found.items():
        assert record["was"]["id"] == rows[run]["id_before"] and len(record["was"]["code"]["engine"]) == 12
        assert (record["label"], KINDS[record["spec"]["protocol"]["name"]]) in repeated


def test_every_method_of_the_library_has_three_seeds(records):
    have = {(r["label"], r["spec"]["protocol"]["name"], r["spec"]["seed"]) for r in records}
    wanted = {(name, p, s) for name, info in methods()[0].items() for p in (VOTES if info.needs_votes else GRID)
              for s in range(3)}
    missing = wanted - have
    command = f"--results results/drawn-faces --method all --protocol {','.join(GRID)} --seeds 3"
    assert not missing, f"run: python run_bench.py {command}"


def test_numbers_follow_from_the_stored_predictions(records):
    labels = load()
    test = labels.labels[labels.split == "test"]
    for record in records:
        confusion = confusion_matrix(test, np.array(record["result"]["predictions"]), 7)
        assert confusion.tolist() == record["result"]["confusion"]
        assert record["result"]["last"]["overall"] == confusion.trace() / len(test)
        assert record["result"]["last"]["mean"] == pytest.approx((confusion.diagonal() / confusion.sum(1)).mean())


def test_the_embedded_faces_tell_methods_apart(records):
    mean = {p: np.mean([r["result"]["last"]["mean"] for r in records
                        if r["label"] == "ce" and r["spec"]["protocol"]["name"] == p]) for p in ("clean", "noise30")}
    assert 0.80 <= mean["clean"] <= 0.93
    assert mean["clean"] - mean["noise30"] >= 0.05


@pytest.mark.parametrize("folder", [name for name in FOLDERS if (RESULTS / name / "tables").is_dir()])
def test_tables_are_made_from_the_records(folder, tmp_path):
    written = {path.name: path.read_bytes() for path in write_tables(read(folder), tmp_path)}
    committed = {path.name: path.read_bytes() for path in (RESULTS / folder / "tables").iterdir()}
    assert written == committed


def shown(text: str) -> list[dict[str, str]]:
    """The rows of the markdown tables of a text, as {header: cell}."""
    rows, heads = [], []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            heads = []
        elif not heads:
            heads = cells
        elif not set(line) <= set("|:- "):
            rows.append(dict(zip(heads, cells, strict=True)))
    return rows


def test_the_tables_of_the_readme_are_rows_of_the_tables():
    readme = (ROOT / "README.md").read_text().split("<!-- tables -->")[1].split("<!-- end of tables -->")[0]
    committed = [row for folder in FOLDERS for kind in ("noise", "imbalance")
                 if (path := RESULTS / folder / "tables" / f"{kind}.md").is_file() for row in shown(path.read_text())]
    rows = shown(readme)
    assert {"synthetic", "ferplus7"} <= {row["dataset"] for row in rows}
    for row in rows:
        assert any(row.items() <= other.items() for other in committed), row
