"""Figures for papers: what they draw is what records say, and how the files are made."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from made_records import CLASSES, changed, imbalance, noise, record, runs

from fer_bench.errors import UserError
from fer_bench.report.figures import drawn, write_figures
from fer_bench.report.figures.classes import confusion, shortened
from fer_bench.report.figures.lines import course, rates
from fer_bench.report.figures.style import COLOURS, paper, saved
from fer_bench.report.figures.subject import Subject, subjects
from fer_bench.report.figures.tradeoffs import accuracies, costs_of
from fer_bench.report.ranking import complete as complete_cases
from fer_bench.report.ranking import critical_difference, groups, mean_ranks
from fer_bench.runs.store import read_records

RECORDS = Path(__file__).resolve().parents[2] / "results" / "drawn-faces"
Records = list[dict[str, Any]]


def complete(records: Records) -> Records:
    """With the curves, confusions, diagnosis and cost that figures draw."""
    for place, one in enumerate(records):
        last = one["result"]["last"]
        one["result"]["curve"] = [
            {"epoch": epoch, "overall": last["overall"] * epoch / 3, "mean": last["mean"] * epoch / 3,
             **({"memorised": 0.1 * epoch, "corrected": 0.5} if one["spec"]["protocol"]["noise"] else {})}
            for epoch in (1, 2, 3)]
        one["result"]["confusion"] = [[8 if row == column else 1 for column in range(7)] for row in range(7)]
        one["cost"]["forward_passes"] = 1.0 + place % 3
    return records


def some(*more: str) -> Records:
    found = []
    for content, drop in ((None, 0.0), (noise(0.1), 0.1), (noise(0.3), 0.2), (imbalance(50), 0.15)):
        for place, name in enumerate(("ce", "nla", "eac", *more)):
            found += runs(name, [0.8 + 0.01 * place - drop, 0.82 + 0.01 * place - drop], content=content)
    return complete(found)


def subject(records: Records) -> Subject:
    return next(iter(subjects(records, "ce")))


def test_gains_are_differences_of_the_same_seed() -> None:
    records = read_records(RECORDS)
    found = subject(records)
    accuracy = {(r["label"], r["spec"]["protocol"]["name"], r["spec"]["seed"]): r["result"]["last"]["mean"]
                for r in records}
    for protocol in found.protocols:
        expected: dict[str, list[float]] = {}
        for (label, where, seed), value in sorted(accuracy.items()):
            if where == protocol and label != "ce":
                expected.setdefault(label, []).append(100 * (value - accuracy["ce", protocol, seed]))
        assert {label: pytest.approx(own) for label, own in expected.items()} == found.gains(protocol)


def test_gains_leave_out_seeds_that_the_baseline_lacks() -> None:
    records = runs("ce", [0.7]) + runs("nla", [0.75, 0.9]) + runs("eac", [0.9], first_seed=5)
    assert subject(records).gains("clean", "overall") == {"nla": [pytest.approx(5.0)]}


def test_rates_and_factors_come_from_content() -> None:
    found = rates(subject(some()), "noise", "symmetric", "overall")
    assert {x: pytest.approx(fmean(own)) for x, own in found["ce"].items()} == {0.0: 81.0, 10.0: 71.0, 30.0: 61.0}
    assert list(rates(subject(some()), "imbalance", "exponential", "mean")["nla"]) == [1.0, 50.0]


def test_courses_leave_out_what_a_run_does_not_have() -> None:
    found = subject(some())
    assert course(found, "clean", "memorised") == {}
    assert course(found, "noise10", "memorised")["eac"] == {1: [10.0] * 2, 2: [20.0] * 2, 3: [pytest.approx(30.0)] * 2}
    assert [pytest.approx(own) for own in course(found, "clean", "overall")["ce"].values()] == [
        [80 / 3, 82 / 3], [160 / 3, 164 / 3], [80.0, 82.0]]


def test_points_of_the_trade_offs() -> None:
    found = subject(some())
    assert accuracies(found, "clean")["nla"] == (pytest.approx(82.0), pytest.approx(72.0))
    assert costs_of(found, "clean")["ce"] == (pytest.approx(1.5), pytest.approx(71.0))


def test_confusions_are_shares_of_the_true_class() -> None:
    records = complete(runs("ce", [0.7]))
    records[0]["result"]["confusion"] = [[3, 1], [0, 0]]
    shares = confusion(subject(records), "clean", "ce")
    assert shares is not None and shares[0].tolist() == [75.0, 25.0] and (shares[1] != shares[1]).all()
    records[0]["result"]["confusion"] = []
    assert confusion(subject(records), "clean", "ce") is None


@pytest.mark.parametrize(("classes", "expected"), [
    (CLASSES, ["sur", "fea", "dis", "hap", "sad", "ang", "neu"]),
    (["sadly-surprised", "sadly-angry", "fear"], ["sadly-s", "sadly-a", "fear"]),
])
def test_class_names_are_as_short_as_they_can_be(classes: list[str], expected: list[str]) -> None:
    assert shortened(classes) == expected


def test_mean_ranks_and_what_they_do_not_part() -> None:
    cases = complete_cases([{"a": 9.0, "b": 8.0, "c": 8.0}, {"a": 7.0, "b": 8.0, "c": 6.0, "d": 5.0}, {"a": 1.0}])
    assert cases == [{"a": 9.0, "b": 8.0, "c": 8.0}, {"a": 7.0, "b": 8.0, "c": 6.0}]
    assert mean_ranks(cases) == {"a": 1.5, "b": 1.75, "c": 2.75}
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.005), "the example of Demsar 2006"
    assert groups({"a": 1.0, "b": 2.0, "c": 2.4, "d": 4.0}, 1.5) == [(0, 2)]
    assert groups({"a": 1.0, "b": 2.0, "c": 3.0, "d": 9.0}, 1.5) == [(0, 1), (1, 2)]
    assert groups({"a": 1.0, "b": 3.0}, 2.0) == [], "a critical difference parts"


def test_who_stands_out() -> None:
    found = subject(some("nla-released", *(f"m{place:02}" for place in range(20)))).looks
    assert list(found)[:3] == ["ce", "nla", "nla-released"] and len(found) == len(COLOURS)
    assert list(found)[3:] == ["m19", "m18", "m17", "m16", "m15"], "then the best"
    assert found["ce"].colour == "#000000" and len(set(found.values())) == len(found)
    without = subject([one for one in some() if one["label"] != "ce"]).looks
    assert "#000000" not in {look.colour for look in without.values()}, "black is the baseline's"


def test_a_method_with_holes_does_not_stand_out_before_others() -> None:
    records = some(*(f"m{place}" for place in range(9))) + complete(runs("lucky", [0.99, 0.99]))
    assert "lucky" not in subject(records).looks


def bounds(pdf: bytes) -> list[float]:
    found = re.search(rb"/MediaBox \[([0-9. ]+)\]", pdf)
    assert found is not None
    return [float(number) for number in found[1].split()]


def small() -> Records:
    return complete([one for content in (None, noise(0.3)) for name in ("ce", "nla")
                     for one in runs(name, [0.7, 0.8], content=content)])


def test_all_figures_are_files_of_two_widths_with_their_fonts(tmp_path: Path) -> None:
    paths = write_figures(small(), tmp_path)
    names = {path.stem for path in paths}
    assert sorted(paths) == sorted(tmp_path.iterdir()) and len(paths) == 2 * len(names)
    assert {"gain-double", "gain-clean-single", "against-noise-single", "curves-double", "diagnosis-memorised-single",
            "overall-against-mean-double", "accuracy-against-passes-single", "confusion-clean-double",
            "recall-noise30-single"} <= names
    assert not {name for name in names if "imbalance" in name or "weight" in name}, "nothing to draw, no file"
    for path in paths:
        data = path.read_bytes()
        if path.suffix == ".png":
            assert data.startswith(b"\x89PNG") and b"Software" not in data
        else:
            assert bounds(data)[2] == pytest.approx(72 * (3.3 if "single" in path.name else 6.9)), path.name
            assert b"/FontFile2" in data and b"/Type3" not in data and b"CreationDate" not in data


def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    files: list[dict[str, bytes]] = []
    for number, records in enumerate((small(), small()[::-1])):
        with paper():
            paths = [path for name, figure in drawn(records, "ce") if name.endswith("-single")
                     for path in saved(figure, tmp_path / f"{number}-{name}")]
        files.append({path.name.partition("-")[2]: path.read_bytes() for path in paths})
    assert files[0] == files[1] and len(files[0]) > 10


def test_several_datasets_have_names_of_their_own() -> None:
    records = complete(runs("ce", [0.7]) + runs("nla", [0.8]) + runs("ce", [0.6], dataset="csv:a b"))
    names = {name for name, _ in drawn(records, "ce")}
    assert {"synthetic-gain-double", "csv-a-b-recall-clean-single"} <= names


def test_hostile_names_are_text(tmp_path: Path) -> None:
    names = ["<script>", "$x_1^{", "a" * 10_000, "\u202egnp.exe", "a\nb\x1b[31m", "_private", "../../up"]
    content = noise(0.3) | {"name": "../$up"}
    records = complete([one for name in ["ce", *names] for one in runs(name, [0.7, 0.8], content=content)])
    texts = set()
    with paper():
        for name, figure in drawn(records, "ce"):
            assert "/" not in name and len(name) < 60
            texts |= {text.get_text() for legend in figure.legends for text in legend.get_texts()}
            if name.startswith(("recall", "gain")):
                assert len(saved(figure, tmp_path / name)) == 2
    assert {"_private", "$x_1^{", "\\u202egnp.exe", "<script>"} <= texts
    assert all(text.isprintable() and len(text) <= 40 for text in texts)


def test_nothing_covers_anything_else() -> None:
    records = some(*(f"a-rather-long-name-{place:02}" for place in range(9)))
    with paper():
        for name, figure in drawn(records, "ce"):
            figure.draw_without_rendering()
            panels = [axis.get_tightbbox() for axis in figure.axes if axis.get_visible()]
            page = figure.bbox
            for box in [*panels, *(text.get_window_extent() for text in figure.texts)]:
                assert box.x0 >= page.x0 - 1 and box.x1 <= page.x1 + 1 and box.y0 >= page.y0 - 1, name
            for legend in figure.legends:
                frame = legend.get_window_extent()
                assert frame.x0 >= page.x0 - 1 and frame.x1 <= page.x1 + 1, f"{name}: legend beyond the page"
                assert not any(frame.overlaps(box) for box in panels), f"{name}: legend over a panel"
            for axis in figure.axes:
                for ticks in (axis.get_xticklabels(), axis.get_yticklabels()):
                    boxes = [tick.get_window_extent() for tick in ticks if tick.get_text() and tick.get_visible()]
                    assert not any(one.overlaps(other) for one, other in zip(boxes, boxes[1:], strict=False)), name


def test_what_cannot_be_drawn_is_said_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no records to draw: look at the folder of --results"):
        write_figures([], tmp_path / "out")
    mixed = [record("ce"), changed(record("ce", seed=1), "code.engine", "f" * 12)]
    with pytest.raises(UserError, match="would mix versions of the engine"):
        write_figures(complete(mixed), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_without_matplotlib_one_line_says_how_to_install_it() -> None:
    code = ("import sys; sys.modules['matplotlib'] = None\nfrom pathlib import Path\n"
            "from fer_bench.report.figures import write_figures\nwrite_figures([], Path('out'))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "UserError: figures need matplotlib, which is not installed: pip install -e '.[report]'" in done.stderr


def test_nothing_of_matplotlib_is_imported_before_it_is_needed() -> None:
    code = "import sys, fer_bench.report.figures, fer_bench.cli; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
