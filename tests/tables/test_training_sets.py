"""What the runs of a table were trained on stands under it; draws and shrunk heads are told apart."""

from __future__ import annotations

from typing import Any

import pytest
from made_records import changed, imbalance, noise, protocol, record, runs

from fer_bench.errors import UserError
from fer_bench.tables import make_table, render, select_records
from fer_bench.tables.training_sets import asked_of


def counted(records: list[dict[str, Any]], *sets: tuple[int, float, float]) -> list[dict[str, Any]]:
    """The records with what they were trained on: faces, noise rate, factor; in turn."""
    for place, one in enumerate(records):
        faces, rate, factor = sets[place % len(sets)]
        one["trained_on"] = {"faces": faces, "noise_rate": rate, "imbalance_factor": factor}
    return records


def notes_of(records: list[dict[str, Any]], layout: str = "comparison") -> list[str]:
    return [note for note in make_table(records, layout).footnotes if "raining faces" in note]


def test_faces_noise_and_factor_stand_under_a_table() -> None:
    records = counted(runs("ce", [0.8, 0.9], content=noise(0.3)), (12271, 0.29998, 16.98))
    records += counted(runs("ce", [0.8, 0.9]), (12271, 0.0, 16.98))
    assert notes_of(records) == ["Training faces of synthetic (wrong labels; largest class / smallest): "
                                 "clean 12,271 (none; 17.0), noise30 12,271 (30.00 %; 17.0)."]


@pytest.mark.parametrize("format", ["markdown", "latex"])
@pytest.mark.parametrize("layout", ["comparison", "noise", "imbalance", "per-class"])
def test_they_stand_under_every_layout_and_format(layout, format) -> None:
    content = imbalance(20) if layout == "imbalance" else noise(0.3)
    records = counted(runs("ce", [0.8], content=content), (999, 0.25, 20.1))
    text = render(make_table(records, layout), format).replace("\\", "")
    assert f"{content['name']} 999 (25.00 %; 20.1)" in text


def test_seeds_that_differ_give_a_range_of_numbers_not_of_texts() -> None:
    records = counted(runs("ce", [0.8, 0.9, 0.7]), (90, 0.0, 9.0), (1000, 0.1, 10.0), (200, 0.02, 9.96))
    assert notes_of(records) == ["Training faces of synthetic (wrong labels; largest class / smallest): "
                                 "clean 90 to 1,000 (none to 10.00 %; 9.0 to 10.0)."]


def test_older_records_say_what_was_asked_unless_a_newer_one_counted_it() -> None:
    old = runs("ce", [0.8], content=noise(0.3)) + runs("ce", [0.8], content=imbalance(50)) + runs("ce", [0.9])
    new = counted(runs("nla", [0.8], content=noise(0.3)), (3000, 0.3, 16.9))
    assert notes_of(old + new) == [
        "Training faces of synthetic (wrong labels; largest class / smallest): noise30 3,000 (30.00 %; 16.9).",
        "Older records of synthetic do not count their training faces; asked was: clean (labels as published), "
        "imb50 (factor 50)."]


def test_each_dataset_has_its_own_note() -> None:
    records = counted(runs("ce", [0.8], dataset="rafdb"), (12271, 0.0, 16.98))
    records += counted(runs("ce", [0.8], dataset="ferplus7"), (24941, 0.0, 73.4))
    assert [note.split(" (")[0] for note in notes_of(records)] == ["Training faces of ferplus7",
                                                                   "Training faces of rafdb"]


@pytest.mark.parametrize(("content", "words"), [
    (protocol(), "(labels as published)"),
    (noise(0.3) | {"imbalance": {"factor": 50}}, "(30 % wrong labels, factor 50)"),
    (protocol() | {"noise": {"kind": "list", "file": "sha256:0", "rate": None}}, "(labels of a list)"),
    (protocol() | {"noise": {"kind": "column", "column": "fer2013"}}, "(labels of fer2013)")])
def test_what_was_asked_in_words(content, words) -> None:
    assert asked_of(content) == words


def headed(factor: float, head: int | None, seed: int | None = None) -> dict[str, Any]:
    content = imbalance(factor)
    more = {key: value for key, value in (("head", head), ("seed", seed)) if value is not None}
    return content | {"imbalance": content["imbalance"] | more}


def test_a_head_belongs_to_its_dataset() -> None:
    """One protocol shrinks the head of one dataset and not of another: both may stand in a table."""
    records = runs("ce", [0.8], content=headed(20, 2399), dataset="ferplus7")
    records += runs("ce", [0.8], content=headed(20, None), dataset="rafdb") + runs("ce", [0.9], dataset="rafdb")
    assert [column.group for column in make_table(records, "imbalance").columns] == ["clean"] * 2 + ["IF 20"] * 2


def test_runs_of_before_heads_shrank_do_not_mix_with_those_since() -> None:
    old, new = record(content=headed(20, None)), record(content=headed(20, 2399), seed=1)
    with pytest.raises(UserError) as caught:
        make_table([old, new], "comparison")
    line = str(caught.value)
    assert "imbalance of protocol on dataset 'imb20, synthetic'" in line and "differ in head (null, 2399)" in line
    digest = line.partition(" (1 run)")[0].rsplit(" ", 1)[1]
    assert len(select_records([old, new], code=digest)) == 1


def test_a_draw_with_a_seed_of_its_own_has_a_column_of_its_own() -> None:
    own = noise(0.1) | {"name": "noise10_1", "noise": noise(0.1)["noise"] | {"seed": 1}}
    records = runs("ce", [0.8], content=noise(0.1)) + runs("ce", [0.8], content=own) + runs("ce", [0.9])
    groups = [column.group for column in make_table(records, "noise").columns[::2]]
    assert groups == ["clean", "10 %", "10 % drawn 1"]
    records = [changed(one, "protocol.name", "imb20_256") for one in runs("ce", [0.8], content=headed(20, None, 256))]
    assert make_table(records, "imbalance").columns[0].group == "IF 20 drawn 256"


def test_recalls_of_a_protocol_that_keeps_some_classes_have_their_names() -> None:
    content = protocol("two", classes=["neutral", "fear"])
    table = make_table([record(content=content, recall=(0.9, 0.2))], "per-class")
    cells = {column.head: cell.value for column, cell in zip(table.columns, table.sections[0].rows[0].cells,
                                                            strict=True) if cell}
    assert (cells["neutral"], cells["fear"]) == (0.9, 0.2) and len(cells) == 3
