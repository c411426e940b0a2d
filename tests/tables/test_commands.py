"""Runs that a table misses, and the commands that fill it."""

from __future__ import annotations

from typing import Any

from made_records import (
    noise,
    runs,
    same_parameters,
)

from fer_bench.tables import (
    fill_commands,
    make_table,
)


def commands(records: list[dict[str, Any]], layout: str = "comparison") -> list[str]:
    return fill_commands(make_table(records, layout))


def test_missing_runs_and_the_command_that_fills_them() -> None:
    table = make_table(same_parameters(), "comparison")
    assert [(m.label, m.dataset, m.protocol, m.seeds) for m in table.missing] == [
        ("nla", "synthetic", "noise30", (1, 2))
    ]
    assert fill_commands(table) == [
        "python run_bench.py --method nla --protocol noise30 --dataset synthetic --seeds 1,2"
    ]
    assert commands(same_parameters()[:6]) == []


def test_commands_are_merged_over_methods_protocols_and_datasets() -> None:
    records = runs("ce", [0.8] * 3) + runs("nla", [0.8] * 3) + runs("eac", [0.8] * 3)
    records += runs("eac", [0.8] * 3, content=noise(0.1)) + runs("eac", [0.8] * 3, content=noise(0.2))
    assert commands(records, "noise") == [
        "python run_bench.py --method ce,nla --protocol noise10,noise20 --dataset synthetic --seeds 0,1,2"
    ]


def test_datasets_share_a_command_only_without_a_data_root() -> None:
    records = []
    for dataset in ("synthetic", "csv:a", "rafdb", "affectnet7"):
        records += runs("ce", [0.8, 0.8], dataset=dataset) + runs("nla", [0.8], dataset=dataset)
    listed = [command.split(" --dataset ")[1] for command in commands(records)]
    assert listed == [
        "affectnet7 --seeds 1, --data-root DIR-affectnet7 --recipe quick",
        "csv:a --seeds 1, --recipe quick",
        "rafdb --seeds 1, --data-root DIR-rafdb --recipe quick",
        "synthetic --seeds 1,",
    ]


def test_commands_carry_overrides_and_the_setting_of_the_other_runs() -> None:
    setting: dict[str, Any] = {"dataset": "rafdb", "weights": "ab" * 32}
    records = runs("ce", [0.8], **setting) + runs("nla", [0.8], content=noise(0.1), **setting)
    records += runs("nla", [0.8], overrides={"jsd": "sum", "tau": 0.5}, content=noise(0.1), **setting)
    common = "--dataset rafdb --seeds 0, --data-root DIR-rafdb --recipe quick --weights FILE-abababababab"
    assert commands(records) == [
        f"python run_bench.py --method nla --protocol clean {common}",
        f"python run_bench.py --method nla --protocol clean {common} --set jsd=sum --set tau=0.5",
        f"python run_bench.py --method ce --protocol noise10 {common}",
    ]
