"""The reference results in the repository: records are whole, and the tables are made of them and nothing else."""

from pathlib import Path

import numpy as np
import pytest

from fer_bench.data.drawn.synthetic import load
from fer_bench.engine.metrics import confusion_matrix
from fer_bench.registry import methods
from fer_bench.runs.spec import run_id
from fer_bench.runs.store import read_records
from fer_bench.tables import write_tables

RESULTS = Path(__file__).resolve().parents[2] / "results"
METHODS = ("ce", "focal", "scn", "nla")
PROTOCOLS = ("clean", "noise10", "noise20", "noise30", "imb20", "imb50", "imb100")


TABLES = {"reference": RESULTS / "tables", "methods": RESULTS / "methods" / "tables"}


@pytest.fixture(scope="module", params=TABLES)
def folder(request):
    return request.param


@pytest.fixture(scope="module")
def records(folder):
    problems = []
    found = read_records(RESULTS / folder, problems.append)
    assert found and not problems
    return found


def test_ids_are_hashes_of_the_specs(records):
    every = [*records, *read_records(RESULTS / "nla-options")]
    assert len(every) > len(records) and [r["id"] for r in every] == [run_id(r["spec"]) for r in every]


def test_reference_grid_is_complete():
    have = {(r["label"], r["spec"]["protocol"]["name"], r["spec"]["seed"]) for r in read_records(RESULTS / "reference")
            if r["spec"]["dataset"]["name"] == "synthetic"}
    assert {(m, p, s) for m in METHODS for p in PROTOCOLS for s in range(5)} <= have


def test_every_method_of_the_library_has_three_seeds():
    have = {(r["label"], r["spec"]["protocol"]["name"], r["spec"]["seed"]) for r in read_records(RESULTS / "methods")}
    grid = ("clean", "noise30", "imb50", "noise30-imb50")
    missing = {(m, p, s) for m in methods()[0] for p in grid for s in range(3)} - have
    command = f"--results results/methods --method all --protocol {','.join(grid)} --seeds 3"
    assert not missing, f"run: python run_bench.py {command}"


def test_numbers_follow_from_the_stored_predictions(records):
    labels = load()
    test = labels.labels[labels.split == "test"]
    for record in records:
        if record["spec"]["dataset"]["name"] != "synthetic":
            continue
        confusion = confusion_matrix(test, np.array(record["result"]["predictions"]), 7)
        assert confusion.tolist() == record["result"]["confusion"]
        assert record["result"]["last"]["overall"] == confusion.trace() / len(test)
        assert record["result"]["last"]["mean"] == pytest.approx((confusion.diagonal() / confusion.sum(1)).mean())


def test_the_embedded_faces_tell_methods_apart(records):
    ce = [r for r in records if r["label"] == "ce" and r["spec"]["dataset"]["name"] == "synthetic"]
    mean = {p: np.mean([r["result"]["last"]["mean"] for r in ce if r["spec"]["protocol"]["name"] == p])
            for p in ("clean", "noise30")}
    assert 0.80 <= mean["clean"] <= 0.93
    assert mean["clean"] - mean["noise30"] >= 0.05


def test_tables_are_made_from_the_records(folder, records, tmp_path):
    written = {path.name: path.read_bytes() for path in write_tables(records, tmp_path)}
    committed = {path.name: path.read_bytes() for path in TABLES[folder].iterdir()}
    assert written == committed
