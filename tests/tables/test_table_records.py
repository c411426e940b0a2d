"""Which records may stand in one table: filters, and every mixture that is refused."""

from __future__ import annotations

from typing import Any

import pytest
from made_records import (
    changed,
    noise,
    record,
    small,
)

from fer_bench.errors import UserError
from fer_bench.tables import (
    check_versions,
    make_table,
    select_records,
)

MIXTURES = [
    ("code.engine", "f0f0f0f0f0f0", ": e0e0e0e0e0e0 (2 runs), f0f0f0f0f0f0 (1 run); choose one with --code"),
    ("code.method", "abcabcabcabc", "versions of method 'ce': "),
    ("method.parameters", {"alpha": 2}, "hyper-parameters of method 'ce'"),
    ("protocol.validation", 0.1, "they differ in validation (0.0, 0.1); choose one with --code HASH"),
    ("dataset.fingerprint", "ab" * 32, "fingerprint of dataset 'synthetic'"),
    ("recipe.epochs", 24, "they differ in epochs (12, 24); choose one with --code HASH"),
    ("recipe.name", "paper", "choose one with --recipe NAME"),
    (
        "weights",
        "cd" * 32,
        "weights on dataset 'synthetic': cdcdcdcdcdcd (1 run), none (2 runs); choose one with --weights",
    ),
    ("track", "paper", "fair (2 runs), paper (1 run); choose one with --track NAME"),
]


@pytest.mark.parametrize(("path", "value", "message"), MIXTURES, ids=[mixture[0] for mixture in MIXTURES])
def test_mixed_versions_are_refused_in_one_line(path: str, value: Any, message: str) -> None:
    records = [record(seed=0), record(seed=1), changed(record(seed=2), path, value)]
    check_versions(records[:2])
    with pytest.raises(UserError) as caught:
        make_table(records, "comparison")
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_changed_title_is_no_other_protocol() -> None:
    check_versions([record(), changed(record(seed=1), "protocol.title", "another title")])


def test_on_track_paper_each_method_may_have_its_own_recipe() -> None:
    records = [record("ce", track="paper"), changed(record("nla", track="paper"), "recipe.lr", 0.1)]
    check_versions(records)
    with pytest.raises(UserError, match="differ in lr"):
        check_versions([changed(r, "track", "fair") for r in records])


def test_tracks_are_told_apart_before_what_follows_from_them() -> None:
    fair = record("ada-df", parameters={"freeze": False})
    paper = record("ada-df", parameters={"freeze": True}, track="paper")
    with pytest.raises(UserError, match="track on dataset .* choose one with --track NAME"):
        check_versions([fair, changed(paper, "recipe.epochs", 75)])


def test_code_picks_a_version_and_leaves_other_methods_alone() -> None:
    old, new = record("nla"), changed(record("nla", seed=1), "code.method", "abcabcabcabc")
    kept = select_records([record("ce"), old, new], code="abcabc")
    assert [(r["label"], r["spec"]["seed"]) for r in kept] == [("ce", 0), ("nla", 1)]
    ours = new["spec"]["code"]["engine"]
    assert select_records([old, new], code=f"abcabc,{ours}") == [new]
    with pytest.raises(UserError, match="unknown version '777'"):
        select_records([old], code="777")


def test_declared_versions_are_told_apart_by_a_number_and_a_sentence(monkeypatch) -> None:
    from fer_bench.tables import records as module

    one, two = (changed(record(seed=seed), "code.engine", seed + 1) for seed in (0, 1))
    monkeypatch.setattr(module, "ENGINE_HISTORY", ("sums in float64",))
    with pytest.raises(UserError) as caught:
        check_versions([one, two])
    assert str(caught.value) == ("the table would mix versions of the engine: engine=1 (1 run), engine=2 "
                                 "(1 run; sums in float64); choose one with --code engine=2")
    assert select_records([one, two], code="engine=2") == [two]
    method = changed(one, "code.method", 12)
    assert select_records([method, changed(one, "code.method", 1)], code="ce=1") == [changed(one, "code.method", 1)]
    with pytest.raises(UserError, match="unknown version 'engine=3': did you mean engine="):
        select_records([one, two], code="engine=3")


def test_select_records_filters() -> None:
    records = [*small(), record("nla", overrides={"jsd": "sum"})]
    records.append(record("ce", dataset="rafdb", weights="ab" * 32))
    assert len(select_records(records)) == len(records)
    assert {r["label"] for r in select_records(records, methods=["nla"])} == {"nla", "nla jsd=sum"}
    assert {r["label"] for r in select_records(records, methods=["nla jsd=sum"])} == {"nla jsd=sum"}
    assert len(select_records(records, protocols=["noise30"], seeds=[0])) == 2
    assert len(select_records(records, weights="abab", datasets=["rafdb"], track="fair", recipe="quick")) == 1
    with pytest.raises(UserError, match="did you mean noise30"):
        select_records(records, protocols=["noise3"])
    assert select_records([], methods=["nla"]) == []


def test_two_runs_for_one_place_are_refused() -> None:
    with pytest.raises(UserError, match="two runs of ce, clean, synthetic, seed 0: .* and "):
        make_table([record(), {**record(), "id": "f" * 16}], "comparison")
    with pytest.raises(UserError, match="protocols noise30 and other share the column '30 %'"):
        make_table([record(content=noise(0.3)), record(content=noise(0.3) | {"name": "other"})], "noise")
