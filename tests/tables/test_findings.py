"""The tables of docs/findings.md that no command makes are those of the records that they name."""

import csv
import re
import statistics
from pathlib import Path

import pytest

from fer_bench.runs.outcomes import with_outcomes
from fer_bench.runs.spec import run_id
from fer_bench.runs.store import read_records

ROOT = Path(__file__).resolve().parents[2]
FINDINGS = (ROOT / "docs" / "findings.md").read_text()
FEAR = 1
RARE = (5, 6)  # disgust and fear in FERPlus's order


def records(name: str):
    found = read_records(ROOT / "results" / "h200" / name)
    assert found and all(record["id"] == run_id(record["spec"]) for record in found)
    assert {record["environment"]["device"] for record in found} == {"NVIDIA H200"}
    return found


def rows(title: str) -> list[list[str]]:
    """The cells of the first table of a section."""
    section = FINDINGS.split(f"## {title}")[1].split("\n## ")[0]
    lines = re.findall(r"^\|(.*)\|$", section, re.M)
    return [[cell.strip() for cell in line.split("|")] for line in (lines[0], *lines[2:])]


def mean(values) -> float:
    values = list(values)
    return sum(values) / len(values)


def spread(values) -> str:
    values = [100 * value for value in values]
    return f"{mean(values):.2f} ± {statistics.stdev(values):.2f}"


def short(value: float) -> str:
    return f"{value:.2f}".removeprefix("0")


def test_nla_s_options():
    found, shown = records("nla-options"), rows("What NLA's options do")[1:]
    assert len(found) == 46 and len(shown) == 8
    for flow, jsd, middle, *cells in shown:
        chosen = {"detach_weight": flow == "detached", "jsd": jsd, "middle": middle}
        expected = []
        for protocol in ("noise30", "imb50"):
            own = [r for r in found if r["spec"]["protocol"]["name"] == protocol
                   and chosen.items() <= r["spec"]["method"]["parameters"].items()]
            last, diagnosis = [r["result"]["last"] for r in own], [r["diagnosis"] for r in own]
            expected += [spread(m["overall"] for m in last), short(mean(m["recall"][FEAR] for m in last))]
            if protocol == "noise30":
                expected += [short(mean(d[key] for d in diagnosis)) for key in ("memorised", "weight_auroc")]
        assert cells == expected


def test_dmue_s_gamma():
    head, values = rows("What DMUE's similarity does from scratch")
    for name, value in zip(head[1:], values[1:], strict=True):
        gamma = float(name.split()[0])
        own = [r for r in records("dmue-gamma") if r["spec"]["method"]["parameters"]["gamma"] == gamma]
        assert [f"{100 * r['result']['last']['overall']:.2f}" for r in own] == [value]


@pytest.mark.parametrize(("method", "key"), [("nla", "weight_auroc"), ("nla-released", "weight_auroc"),
                                             ("nla", "memorised"), ("nla-released", "memorised"), ("ce", "memorised")])
def test_the_course_of_weights_and_memory(method, key):
    found = [r for r in read_records(ROOT / "results" / "drawn-faces")
             if r["label"] == method and r["spec"]["protocol"]["name"] == "noise30"]
    expected = [short(mean(column)) for column in zip(*([row[key] for row in r["result"]["curve"]] for r in found),
                                                      strict=True)]
    shown = [cells[1:] for cells in rows("What NLA's weight does")[1:]]
    assert len(found) == 3 and expected in shown


def test_what_was_mended():
    with (ROOT / "results" / "earlier.csv").open() as file:
        earlier = {(row["method"], row["protocol"]): row["overall"] for row in csv.DictReader(file)
                   if row["set"] == "version 1"}
    now = {}
    for record in read_records(ROOT / "results" / "drawn-faces"):
        key = record["label"], record["spec"]["protocol"]["name"]
        now.setdefault(key, []).append(100 * record["result"]["last"]["overall"])
    was = {"dmue-released": "dmue"}
    for method, _, *cells in rows("What the mended methods do")[1:]:
        expected = []
        for protocol in ("noise30", "imb50"):
            assert len(now[method, protocol]) == 3
            before = (f"{mean(now['mek-swin', protocol]):.2f}" if method == "mek"
                      else earlier[was.get(method, method), protocol])
            expected += [before, f"{mean(now[method, protocol]):.2f}"]
        assert cells == expected


def test_real_faces_with_a_network_that_knows_faces():
    records = read_records(ROOT / "results" / "ferplus7-face112")
    found = {(r["label"], r["spec"]["protocol"]["name"]): r for r in records}
    shown = rows("Real faces with a network that knows faces")[1:]
    assert {(name.strip("`"), p) for name, *_ in shown for p in ("clean", "noise30")} == found.keys()
    for name, *cells in shown:
        clean, noisy = (found[name.strip("`"), protocol] for protocol in ("clean", "noise30"))
        last, told = clean["result"]["last"], noisy["diagnosis"]
        expected = [f"{100 * last[key]:.2f}" for key in ("overall", "mean")] + [short(last["recall"][c]) for c in RARE]
        expected += [f"{100 * noisy['result']['last'][key]:.2f}" for key in ("overall", "mean")]
        expected += [short(told["memorised"]), short(told["weight_auroc"]) if "weight_auroc" in told else ""]
        assert cells == expected, name


def test_what_is_said_of_real_faces():
    """The gains that the text names."""
    found = {(r["label"], r["spec"]["protocol"]["name"]): 100 * r["result"]["last"]["overall"]
             for r in read_records(ROOT / "results" / "ferplus7-face112")}
    behind = {p: [f"{found['ce', p] - found[m, p]:.2f}" for m in ("soft", "ada-df", "eac")]
              for p in ("clean", "noise30")}
    assert behind == {"clean": ["3.67", "0.83", "5.58"], "noise30": ["3.79", "1.34", "4.40"]}
    assert f"{found['ce', 'clean'] - found['ce', 'noise30']:.2f}" == "3.38"
    assert f"{found['mek', 'noise30'] - found['mek', 'clean']:.2f}" == "6.28"
    assert max(found[m, "noise30"] for m, p in found if p == "noise30") - found["ce", "noise30"] < 0.5
    section = FINDINGS.split("## Real faces with a network that knows faces")[1]
    assert all(number in section for numbers in behind.values() for number in numbers)


def test_what_is_said_of_copies():
    folder, section = ROOT / "results" / "ferplus7-face112", FINDINGS.split("**Copies flatter.**")[1]
    found = {(r["label"], r["spec"]["protocol"]["name"]): (r["result"]["last"], r["further"][0]["result"])
             for r in with_outcomes(read_records(folder), folder, print)}
    for name in ("ce", "nla"):
        for numbers in found[name, "clean"]:
            assert f"{100 * numbers['overall']:.2f} / {100 * numbers['mean']:.2f}" in section
    last, unique = found["ce", "noise30"]
    assert " / ".join(f"{100 * (last[key] - unique[key]):.2f}".lstrip("0") for key in ("overall", "mean")) in section
    assert unique["faces"] == 2879 and sum(map(sum, found["ce", "clean"][1]["confusion"])) == 2879


def test_what_is_said_of_corrupted_faces_and_votes():
    folder, section = ROOT / "results" / "ferplus7-further", FINDINGS.split("**Corrupted faces and votes.**")[1]
    (record,) = with_outcomes(read_records(folder), folder, print)
    there = read_records(ROOT / "results" / "ferplus7-face112")
    (known,) = (r for r in there if r["id"] == record["id"])
    here, before = record["result"]["last"], known["result"]["last"]
    assert record["environment"]["device"] != known["environment"]["device"]
    moved = [f"{100 * (before[key] - here[key]):.2f}".lstrip("0") for key in ("overall", "mean")]
    assert " / ".join(moved) in section and f"{100 * here['overall']:.2f} / {100 * here['mean']:.2f}" in section
    found = {test["kind"]: test["result"] for test in record["further"]}
    said = {name: f"{100 * mean(one['overall'] for one in found['corruptions'][name]):.2f}"
            for name in ("blur", "jpeg", "brightness", "occlusion", "noise")}
    places = [section.index(number) for number in said.values()]
    assert places == sorted(places), "each beside its corruption"
    for part in found["votes"]["by_agreement"].values():
        assert f"{100 * part['accuracy']:.2f} %" in section
