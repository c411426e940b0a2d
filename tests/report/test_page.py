"""The page of results as bytes: what it holds is what the records say, it escapes what it is given, it is one file."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from statistics import fmean, stdev

import made_records as made
import numpy as np
import pytest
import scipy.stats
from made_page import EVIL, evil, ours, payload_in, with_training
from tinyfolder import call as call_with

from fer_bench.errors import UserError
from fer_bench.report.gather import gather
from fer_bench.report.packing import MOST_POINTS
from fer_bench.report.results_page import SCRIPTS, render
from fer_bench.report.templating import TEMPLATES
from fer_bench.runs.store import Store


def call(*words) -> int:
    return call_with(*map(str, words))


@pytest.fixture(scope="module")
def records():
    return ours("drawn-faces", "ferplus7-face112")


@pytest.fixture(scope="module")
def payload(records):
    return payload_in(render(gather(records)))


def cells_in(payload):
    return [(payload["settings"][block["setting"]], block, cell)
            for block in payload["blocks"] for cell in block["cells"]]


def test_every_run_is_in_its_cell_with_its_numbers(records, payload):
    known = {record["id"]: record for record in records}
    seen = []
    for setting, block, cell in cells_in(payload):
        for run in cell["runs"]:
            record = known[run["id"]]
            seen.append(run["id"])
            spec = record["spec"]
            assert (setting["dataset"], block["protocol"], cell["method"]) == (
                spec["dataset"]["name"], spec["protocol"]["name"], record["label"])
            assert run["seed"] == spec["seed"]
            for rule in ("last", "best", "val"):
                if record["result"][rule] is None:
                    assert rule not in run["epochs"]
                    continue
                theirs = run["results"].get(rule, run["results"]["last"])
                mine = record["result"][rule]
                expected = [mine["overall"], mine["mean"], mine["macro_f1"], mine["ece"], mine["nll"], *mine["recall"]]
                assert len(theirs) == len(expected)
                for number, value in zip(theirs, expected, strict=True):
                    assert number is None if value is None else abs(number - 1e6 * value) <= 0.5
            for i, row in enumerate(record["result"]["curve"]):
                assert run["curve"]["epoch"][i] == row["epoch"]
                for name in set(run["curve"]) - {"epoch"}:
                    value = row.get(name)
                    assert run["curve"][name][i] == (None if value is None else round(1e4 * value))
            assert run["confusion"] == record["result"]["confusion"]
            assert payload["pool"][run["parts"]["recipe"]] == json.loads(json.dumps(spec["recipe"]))
            assert payload["pool"][run["parts"]["environment"]] == record["environment"]
    assert sorted(seen) == sorted(known)


def test_a_cell_of_the_page_is_that_of_the_committed_table(payload):
    """The table that was committed knows nothing of this code."""
    rows = [line.split("|")[1:-1] for line in Path("results/drawn-faces/tables/noise.md").read_text().splitlines()
            if line.startswith("| synthetic")]
    for _, _, method, overall_clean, *_ in (map(str.strip, row) for row in rows):
        runs = next(cell["runs"] for setting, block, cell in cells_in(payload) if cell["method"] == method.rstrip("†‡")
                    and block["protocol"] == "clean" and setting["dataset"] == "synthetic")
        values = [run["results"]["last"][0] / 1e4 for run in runs]
        assert overall_clean.strip("⋆") == f"{fmean(values):.2f} ± {stdev(values):.2f}"


def test_the_order_of_the_records_changes_nothing(records):
    shuffled = list(records)
    random.Random(1).shuffle(shuffled)
    assert gather(shuffled).as_json() == gather(records).as_json()


def test_what_a_record_says_cannot_end_the_data_or_become_markup():
    page = render(gather(evil()))
    held = page.split('id="payload">')[1].split("</script>")[0]
    assert not set("<&") & set(held) and held.isascii()
    payload = payload_in(page)
    assert EVIL in [cell["method"] for _, _, cell in cells_in(payload)]
    assert page.count("<script") == render(gather(made.runs("ce", [0.5]))).count("<script")
    assert "\u202e" not in page and "window.evil" not in page.replace(held, "")


def test_the_page_asks_nobody_for_anything():
    page = render(gather(evil()))
    own = page.split('<script type="text/plain" id="plotly">')[0]
    policy = "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    assert f'content="{policy}"' in own.replace("&#39;", "'")
    for word in ("<link", "<iframe", "@import", "url(", "fetch(", "XMLHttp", ".innerHTML", "insertAdjacent", "eval("):
        assert word not in own, word


def test_versions_are_rows_of_their_own():
    old = made.runs("nla", [0.5, 0.6], code={"method": 1, "engine": 1})
    new = made.runs("nla", [0.7, 0.8], code={"method": 2, "engine": 1})
    payload = payload_in(render(gather([*old, *new, *made.runs("ce", [0.4], code={"method": 1, "engine": 1})])))
    names = {cell["method"]: [run["results"]["last"][0] for run in cell["runs"]] for _, _, cell in cells_in(payload)}
    assert names == {"ce": [400000], "nla (nla=1)": [500000, 600000], "nla (nla=2)": [700000, 800000]}
    assert any("nla=1" in text and "nla=2" in text for text in payload["warnings"])


@pytest.mark.parametrize(("path", "value"), [("weights", "a" * 64), ("track", "paper"), ("recipe.lr", 0.5),
                                             ("code.engine", 2), ("dataset.fingerprint", "f" * 64)])
def test_what_cannot_be_compared_is_another_setting(path, value):
    payload = gather([made.record("ce", 0.5), made.changed(made.record("ce", 0.6), path, value)])
    assert len(payload.settings) == 2 and len({setting.name for setting in payload.settings}) == 2


def test_intervals_are_paired_t_intervals_of_every_pair():
    found = [*made.runs("ce", [0.5, 0.6, 0.7]), *made.runs("nla", [0.55, 0.68, 0.73]), *made.runs("scn", [0.5])]
    (block,) = gather(found).blocks
    gaps = np.array([0.05, 0.08, 0.03])
    low, high = scipy.stats.t.interval(0.95, 2, gaps.mean(), scipy.stats.sem(gaps))
    overall = block.intervals["overall"]
    assert overall["ce"]["nla"] == [round(1e6 * low), round(1e6 * high)]
    assert overall["nla"]["ce"] == [round(-1e6 * high), round(-1e6 * low)]
    assert set(block.intervals) == {"overall", "mean"} and "scn" not in overall["ce"], "one seed has no interval"


def test_ranks_are_over_the_protocols_that_most_methods_have():
    values = {"a": [0.9, 0.8, 0.7], "b": [0.8, 0.7, 0.9], "c": [0.7, 0.6, 0.6], "d": [0.5]}
    found = [made.record(name, value, seed=seed, content=content) for name, column in values.items()
             for content, value in zip((made.protocol(), made.noise(0.1), made.noise(0.2)), column, strict=False)
             for seed in range(2)]
    (ranks,) = [one for one in gather(found).ranks if one.metric == "overall"]
    assert (ranks.setting, ranks.cases, ranks.names) == (0, 3, ["a", "b", "c"])
    assert ranks.ranks == [round(4 / 3, 4), round(5 / 3, 4), 3]
    assert ranks.p == pytest.approx(scipy.stats.friedmanchisquare(*(values[name] for name in "abc")).pvalue, abs=1e-6)
    several = gather([*found, *(made.changed(one, "recipe.lr", 0.9) for one in found)]).ranks
    assert [(one.setting, one.cases) for one in several if one.metric == "mean"] == [(0, 3), (1, 3), (None, 6)]


def test_long_curves_are_thinned_and_keep_their_ends():
    epochs = 7 * MOST_POINTS + 3
    run = gather([with_training(made.record(), epochs)]).blocks[0].cells[0].runs[0]
    assert len(run.curve["epoch"]) == MOST_POINTS
    assert (run.curve["epoch"][0], run.curve["epoch"][-1]) == (1, epochs)
    assert run.curve["loss"] == [round(1e4 * (2 - (epoch - 1) / epochs)) for epoch in run.curve["epoch"]]


def test_what_is_not_finite_is_nothing():
    record = with_training(made.record())
    record["result"]["curve"][1]["loss"] = math.nan
    record["result"]["last"]["nll"] = math.inf
    run = gather([record]).blocks[0].cells[0].runs[0]
    assert run.curve["loss"][1] is None and run.results["last"][4] is None


def test_what_is_missing_is_said_with_the_commands():
    payload = gather(made.small())
    assert any("one seed in 1 of 4 cells" in text for text in payload.warnings)
    hole = [record for record in made.small()
            if (record["label"], record["spec"]["protocol"]["name"]) != ("nla", "clean")]
    assert gather(hole).missing == [
        "python run_bench.py --method nla --protocol clean --dataset synthetic --seeds 0,1,2"]


def test_a_page_of_two_thousand_records_is_small():
    records = [with_training(made.record(f"m{method}", seed=seed, content=made.noise(rate / 100)), 60)
               for method in range(50) for seed in range(5) for rate in range(10, 90, 10)]
    assert len(records) == 2000
    assert len(render(gather(records)).encode()) < 15e6


def test_damaged_and_double_records_are_named():
    broken = made.record()
    del broken["result"]["last"]["recall"]
    with pytest.raises(UserError, match=rf"record {broken['id']} is damaged \(KeyError: 'recall'\)"):
        gather([broken])
    twin = {**made.record(), "id": "0" * 16}
    with pytest.raises(UserError, match="two runs of ce, clean, synthetic · quick, seed 0"):
        gather([made.record(), twin])
    with pytest.raises(UserError, match="no records to show"):
        gather([])


@pytest.fixture
def folder(tmp_path):
    store = Store(tmp_path / "results", tmp_path / "work")
    for record in ours("ferplus7-face112"):
        store.write_record({key: value for key, value in record.items() if key != "further"})
    return tmp_path


def test_the_command_writes_one_whole_file(folder, capsys):
    assert call("report", "-o", folder / "page", "--results", folder / "results") == 0
    assert [path.name for path in (folder / "page").iterdir()] == ["index.html"]
    first = (folder / "page" / "index.html").read_bytes()
    assert call("report", "-o", folder / "page", "--results", folder / "results", "--results", folder / "results") == 0
    assert (folder / "page" / "index.html").read_bytes() == first
    assert call("report", "-o", folder / "few", "--results", folder / "results", "--method", "ce,nla") == 0
    few = payload_in((folder / "few" / "index.html").read_text())
    assert {method["name"] for method in few["methods"]} == {"ce", "nla", "nla-released"}


def test_a_damaged_file_is_named_and_said_on_the_page(folder, capsys):
    path = next((folder / "results" / "records").glob("*/*.json"))
    path.write_text(path.read_text()[:-30])
    assert call("report", "-o", folder / "page", "--results", folder / "results") == 0
    assert path.name in capsys.readouterr().err
    payload = payload_in((folder / "page" / "index.html").read_text())
    assert "1 file of" in payload["warnings"][0] and str(folder) not in json.dumps(payload)


@pytest.mark.parametrize(("words", "said"), [
    (("--results", "nowhere"), "no records to show"),
    (("--method", "nlaa"), "unknown method among the records 'nlaa': did you mean nla"),
    (("-o", "results/records/x.txt/page"), "-o results/records/x.txt/page: cannot be written"),
])
def test_bad_input_is_one_line(folder, monkeypatch, capsys, words, said):
    monkeypatch.chdir(folder)
    (folder / "results" / "records" / "x.txt").write_text("")
    assert call("report", *words) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and said in error and error.count("\n") == 1
    assert not (folder / "report").exists()


def test_without_plotly_it_says_how_to_install_it(folder, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "plotly.offline", None)
    assert call("report", "-o", folder / "page", "--results", folder / "results") == 2
    assert "pip install 'fer-bench[report]'" in capsys.readouterr().err and not (folder / "page").exists()


def test_each_script_is_in_the_page_once():
    found = {path.name for path in (TEMPLATES / "results").glob("*.js")}
    assert found == set(SCRIPTS) and len(SCRIPTS) == len(found)
