"""A record stays readable for ever: one file of each form that was ever written, and what is made of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from fer_bench.runs.explain import explain
from fer_bench.runs.spec import run_id
from fer_bench.runs.store import Store, read_heads, read_records
from fer_bench.tables import make_table, render, select_records
from fer_bench.tables.frame import to_frame

FILES = sorted(Path(__file__).with_name("records").glob("*.json"))


@pytest.fixture
def results(tmp_path):
    """A results folder with all of them."""
    for path in FILES:
        run = json.loads(path.read_text())["id"]
        (tmp_path / "records" / run[:2]).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / "records" / run[:2] / f"{run}.json")
    return tmp_path


def test_every_schema_is_there():
    assert {json.loads(path.read_text())["schema"] for path in FILES} == {1, 2} and len(FILES) >= 5


def test_all_are_read_whole(results):
    said: list[str] = []
    records = read_records(results, said.append)
    assert len(records) == len(read_heads(results, said.append)) == len(FILES) and not said
    assert all(record["spec"]["recipe"]["threads"] == 1 for record in records), "a key that came later is filled in"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_makes_a_table_a_frame_and_an_explanation(path, results):
    run = json.loads(path.read_text())["id"]
    record = next(record for record in read_records(results) if record["id"] == run)
    assert record["label"] in render(make_table([record], "comparison"))
    assert to_frame([record]).loc[0, "method"] == record["label"]
    lines = explain(Store(results, results / "work"), run)
    old = not isinstance(record["spec"]["code"]["engine"], int)
    assert any("its engine is code" in line for line in lines) == old


def test_what_a_run_was_trained_on_is_told_of_those_that_count_it(results):
    records = read_records(results)
    counted = [record for record in records if "trained_on" in record]
    assert [record["trained_on"]["faces"] for record in counted] == [2408], "one form counts its training faces"
    for record in records:
        asked = record["spec"]["protocol"]
        words = f"{asked['name']} ({100 * asked['noise']['rate']:g} % wrong labels)"
        expected = f"Older records of synthetic do not count their training faces; asked was: {words}."
        if record in counted:
            expected = ("Training faces of synthetic (wrong labels; largest class / smallest): noise30-imb50 2,408 "
                        "(29.98 %; 50.7).")
        assert [note for note in make_table([record], "comparison").footnotes if "raining faces" in note] == [expected]
    frame = to_frame(records).set_index("run")
    assert frame["faces"].notna().sum() == 1 and frame.loc[counted[0]["id"], "imbalance_factor"] > 50


def test_keys_of_protocols_that_came_later_are_filled_in(results):
    for record in read_records(results):
        assert record["spec"]["protocol"]["noise"]["seed"] is None and run_id(record["spec"]) == record["id"] or (
            record["schema"] == 1)


def test_records_without_declared_versions_can_be_chosen(results):
    records = [r for r in read_records(results) if r["schema"] == 1]
    engine = records[0]["spec"]["code"]["engine"]
    assert {r["spec"]["code"]["engine"] for r in select_records(records, code=engine)} == {engine}
