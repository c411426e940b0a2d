"""The order of rows: what ranks are by, the baseline, families, --top, and orders that cannot be had."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest
from made_records import noise, record, runs

from fer_bench.errors import UserError
from fer_bench.tables import Order, Table, make_table, render

Rows = list[tuple[int | None, str]]


def rows(table: Table, section: int = 0) -> Rows:
    return [(row.rank, row.label) for row in table.sections[section].rows]


def some() -> list[dict[str, Any]]:
    """By overall accuracy: scn .84, nla .82, ce and focal .80, eac .75; by mean accuracy eac leads."""
    found = runs("ce", [0.80, 0.80]) + runs("nla", [0.82, 0.82]) + runs("focal", [0.80, 0.80])
    found += [record("eac", 0.75, 0.76, seed=seed) for seed in range(2)]
    found += [record("scn", 0.84, 0.60, seed=seed) for seed in range(2)]
    for one, passes in zip(found, [1, 1, 2, 2, 1, 1, 2.5, 2.5, 1, 1], strict=True):
        one["cost"] = {**one["cost"], "forward_passes": float(passes)}
    return found


BY_GAIN: Rows = [(3, "ce"), (1, "scn"), (2, "nla"), (3, "focal"), (5, "eac")]


@pytest.mark.parametrize(("sort", "expected"), [
    ("", BY_GAIN), ("gain", BY_GAIN), ("overall", BY_GAIN),
    ("mean", [(3, "ce"), (1, "eac"), (2, "nla"), (3, "focal"), (5, "scn")]),
    ("method", [(3, "ce"), (5, "eac"), (3, "focal"), (2, "nla"), (1, "scn")]),
    ("passes", [(3, "ce"), (1, "scn"), (3, "focal"), (2, "nla"), (5, "eac")]),
])
def test_the_baseline_stands_first_and_the_others_as_asked(sort: str, expected: Rows) -> None:
    assert rows(make_table(some(), "comparison", order=Order(sort))) == expected
    assert rows(make_table(some()[::-1], "comparison", order=Order(sort))) == expected, "whatever the records' order"


def test_without_the_baseline_ranks_are_by_accuracy() -> None:
    table = make_table(some()[2:], "comparison")
    assert rows(table) == [(1, "scn"), (2, "nla"), (3, "focal"), (4, "eac")]
    assert "Rank: by overall accuracy." in table.footnotes
    with pytest.raises(UserError, match="--sort gain: the baseline ce has no run here; run it, or use --sort overall"):
        make_table(some()[2:], "comparison", order=Order("gain"))


def test_gains_rank_by_the_seeds_that_both_have_not_by_means() -> None:
    records = runs("ce", [0.70, 0.90]) + runs("nla", [0.91], first_seed=1) + runs("eac", [0.75, 0.95])
    assert rows(make_table(records, "comparison")) == [(3, "ce"), (1, "eac"), (2, "nla")]
    assert rows(make_table(records, "comparison", order=Order("overall")))[1] == (1, "nla")


def test_a_row_with_holes_has_no_rank_and_rare_columns_do_not_count() -> None:
    contents = (None, noise(0.3))
    records = [r for content in contents for name, value in (("ce", 0.7), ("eac", 0.71), ("nla", 0.72))
               for r in runs(name, [value], content=content)]
    records += runs("scn", [0.9]) + runs("ce", [0.5], content=noise(0.4))
    table = make_table(records, "noise")
    assert rows(table) == [(3, "ce"), (1, "nla"), (2, "eac"), (None, "scn")]
    assert any("averaged over the columns that at least half" in note for note in table.footnotes)


def test_per_class_ranks_by_what_it_shows() -> None:
    table = make_table(some(), "per-class")
    assert rows(table)[:2] == [(3, "ce"), (1, "eac")]
    assert any(note.startswith("Rank: by gain over ce in mean accuracy") for note in table.footnotes)


def test_top_keeps_the_best_and_the_baseline_and_says_what_is_gone() -> None:
    records = some() + runs("ce", [0.5, 0.5], content=noise(0.3)) + runs("eac", [0.6, 0.6], content=noise(0.3))
    table = make_table(records, "comparison", order=Order(top=2))
    assert rows(table) == [(3, "ce"), (1, "scn"), (2, "nla")]
    assert rows(table, 1) == [(2, "ce"), (1, "eac")]
    note = "Of each block the 2 best are shown, and the baseline; left out: 2 of 5 (synthetic, clean)."
    assert note in table.footnotes
    assert not any("left out" in note for note in make_table(records, "comparison", order=Order(top=5)).footnotes)
    assert "eac" not in {gap.label for gap in make_table(some(), "comparison", order=Order(top=1)).missing}


def test_top_says_nothing_of_rows_that_it_left_out() -> None:
    records = some() + runs("man", [0.1, 0.1])
    assert any("man 8.3-fold" in note for note in make_table(records, "comparison").footnotes)
    assert not any("man 8" in note for note in make_table(records, "comparison", order=Order(top=3)).footnotes)


def test_families_stand_together() -> None:
    table = make_table(some() + runs("mine", [0.83, 0.83]), "comparison", order=Order(by_family=True))
    assert table.lead == ("dataset", "protocol", "family")
    assert {section.lead[2]: [row.label for row in section.rows] for section in table.sections} == {
        "baseline": ["ce"], "fer": ["scn", "nla", "eac"], "imbalance": ["focal"], "other": ["mine"]}
    assert [section.rows[0].rank for section in table.sections] == [4, 1, 4, 2], "ranks are of the whole block"
    assert re.search(r"\| synthetic +\| clean +\| imbalance +\| +4 \| focal", render(table))


def test_csv_has_rank_and_family() -> None:
    lines = list(csv.DictReader(io.StringIO(render(make_table(some(), "comparison"), "csv"))))
    assert {(line["method"], line["rank"], line["family"]) for line in lines} == {
        ("ce", "3", "baseline"), ("scn", "1", "fer"), ("nla", "2", "fer"), ("focal", "3", "imbalance"),
        ("eac", "5", "fer")}


def test_orders_that_cannot_be_had() -> None:
    with pytest.raises(UserError, match="unknown order for --sort 'gian': did you mean gain"):
        make_table(some(), "comparison", order=Order("gian"))
    with pytest.raises(UserError, match="--sort passes: none of these records counts forward passes"):
        make_table(runs("ce", [0.8]), "comparison", order=Order("passes"))


def test_one_method_has_no_rank_to_show() -> None:
    assert "rank" not in render(make_table(runs("ce", [0.8, 0.9]), "comparison")).splitlines()[2]
