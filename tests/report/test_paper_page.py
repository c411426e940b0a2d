"""docs/paper-recipes.md is what the methods state."""

from __future__ import annotations

from pathlib import Path

from tinyfolder import call

from fer_bench.cli.commands import paper_in_markdown
from fer_bench.library.paper import entries
from fer_bench.registry import methods
from fer_bench.report.paper_page import COLUMNS, overview, page, section

ROOT = Path(__file__).resolve().parents[2]
INFOS = methods()[0]


def test_the_page_in_the_repository_is_up_to_date():
    assert (ROOT / "docs" / "paper-recipes.md").read_text() == paper_in_markdown((), print), (
        "run: python run_bench.py list methods --paper --markdown > docs/paper-recipes.md")


STATED = {"ada-df", "cct", "dacl", "dan", "dare-loss", "dmue", "eac", "la-net", "man", "mek", "nla", "resup", "rul",
          "scn", "smec", "soft", "votes-ce"}


def test_every_method_is_on_the_page_once_with_its_values_and_sources():
    made = page(list(INFOS.values()))
    for info in INFOS.values():
        for entry in entries(info):
            key = "--set " * (entry.option == "--set") + entry.key
            assert f"| `{key}` | {entry.value}{'*' if entry.ours else ''} | {entry.source} |" in made
        assert made.count(f"\n## {info.name}\n") == (info.name in STATED)
    alone = made.partition("## By the recipe alone")[2]
    assert "ce, " in alone and "co-teaching" in alone and "nla" not in alone


def test_what_is_ours_has_a_star_and_what_is_not_there_a_dash():
    row = overview(INFOS["dacl"]).split(" | ")
    cells = dict(zip(COLUMNS, (cell.strip(" |") for cell in row[1:]), strict=True))
    assert cells == {"optimiser": "sgd; momentum 0.9", "rate": "0.01", "heads": "--", "decay": "0.0005", "batch": "64",
                     "schedule": "step; x0.1 after 20, x0.01 after 40 epochs", "epochs": "60", "clip": "--",
                     "augmentation": "crop 0.0714*; flip 0.5"}
    assert "1000" not in overview(INFOS["dmue"]), "its own gamma is none of the schedule"
    assert "Also center-loss." in "\n".join(section([INFOS["dacl"], INFOS["center-loss"]]))


def test_the_command_prints_both(capsys):
    assert call("list", "methods", "--paper", "--markdown") == 0
    assert capsys.readouterr().out == (ROOT / "docs" / "paper-recipes.md").read_text()
    assert call("list", "methods", "--paper") == 0
    told = capsys.readouterr()
    assert "main_rafdb.py:84" in told.out and "resnet18_msceleb.pth" in told.out and "ours:" in told.out
    assert "by the recipe alone" in told.err and "co-teaching" in told.err
    assert call("list", "recipes", "--paper") == 2
    assert "list --paper recipes" in capsys.readouterr().err
