"""The command table, and the table that a run ends with: twins, published numbers, options that would do nothing."""

from __future__ import annotations

from pathlib import Path

import fakedata
import pytest
from tinyfolder import call, refused, write_recipe

RESULTS = Path(__file__).resolve().parents[2] / "results" / "ferplus7-face112"


@pytest.mark.parametrize(("words", "expected"), [
    (("--out", "DIR", "--sort", "mean"), "--sort with --out: --out writes every layout"),
    (("--out", "DIR", "--layout", "noise"), "--layout with --out"),
    (("--out", "DIR", "--top", "3"), "--top with --out"),
    (("--out", "DIR", "--published"), "--published with --out"),
    (("--out", "DIR", "--format", "csv"), "--format with --out"),
    (("--layout", "subsets", "--published"), "layout subsets with --published: no published number is of its kind"),
    (("--sort", "gain", "--method", "nla"), "--sort gain: the baseline ce has no run here"),
    (("--sort", "family"), "unknown order for --sort 'family': known: gain"), (("--top", "0"), "--top"),
])
def test_options_that_would_do_nothing_are_refused(capsys, tmp_path, words, expected):
    words = [str(tmp_path / "out") if word == "DIR" else word for word in words]
    assert expected in refused(capsys, "table", "--results", str(RESULTS), *words)
    assert not (tmp_path / "out").exists()


def test_who_asks_for_nla_sees_what_its_code_does_too(capsys):
    assert call("table", "--results", str(RESULTS), "--method", "nla", "--protocol", "clean", "--published") == 0
    shown = capsys.readouterr().out
    assert [line.split("|")[4].strip() for line in shown.splitlines() if line.startswith("| ferplus7")][:2] == [
        "nla", "nla-released"]
    assert "- nla: our reading of its paper; nla-released: as its authors' public code has it" in shown
    assert "- Of nla, nla-released no published number could be read in a primary source; docs/tables.md says" in shown
    assert "Ours: network dlib-face, pre-training dlib-face, one seed." in shown


def test_rows_are_ranked_and_left_out_as_asked(capsys):
    assert call("table", "--results", str(RESULTS), "--protocol", "clean", "--top", "2", "--sort", "mean") == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ferplus7")]
    assert [line.split("|")[3:5] for line in lines] == [["      2 ", " ce       "], ["      1 ", " scn      "]]


def test_a_run_ends_beside_the_published_numbers_of_its_method_and_its_twin(capsys, tmp_path):
    words = ["--dataset", "rafdb", "--data-root", str(fakedata.rafdb(tmp_path / "raf")), "--recipe",
             str(write_recipe(tmp_path / "tiny.yaml", 1)), "--cache", str(tmp_path / "cache"), "--results",
             str(tmp_path / "results"), "--work", str(tmp_path / "work"), "--device", "cpu"]
    assert call("--method", "scn", "--protocol", "clean", *words) == 0
    shown = capsys.readouterr().out
    methods = {line.split("|")[3].split("[")[0].strip() for line in shown.splitlines() if line.startswith("| rafdb")}
    assert methods == {"scn", "published:", "CE", "SCN"}
    assert "SCN README (RAF-DB only) (RAF-DB, network ResNet-18, pre-training MS-Celeb-1M, best epoch" in shown
    assert call("--method", "nla", "--protocol", "clean", *words) == 0
    shown = capsys.readouterr()
    assert "nla-released: not run here" in shown.err and "Of nla no published number could be read" in shown.out
    assert call("--method", "nla-released", "--protocol", "clean", *words) == 0
    capsys.readouterr()
    assert call("--method", "nla", "--protocol", "clean", *words) == 0
    shown = capsys.readouterr()
    assert "not run here" not in shown.err and "| nla-released |" in shown.out and "1 record(s)" in shown.err
