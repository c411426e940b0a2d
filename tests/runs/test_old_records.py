"""A record stays readable for ever: one file of each form that was ever written, and what is made of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from fer_bench.runs.explain import explain
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


def test_records_without_declared_versions_can_be_chosen(results):
    records = [r for r in read_records(results) if r["schema"] == 1]
    engine = records[0]["spec"]["code"]["engine"]
    assert {r["spec"]["code"]["engine"] for r in select_records(records, code=engine)} == {engine}
