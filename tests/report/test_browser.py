"""The page of results in a real browser: what a reader sees, clicks and types. Debian's chromium, by playwright."""

from __future__ import annotations

import os
import re
from pathlib import Path
from statistics import fmean

import pytest
from made_page import EVIL, evil, ours

from fer_bench.report.gather import gather
from fer_bench.report.results_page import render
from fer_bench.tables.cells import cells_of

pytestmark = pytest.mark.browser
CHROMIUM = Path(os.environ.get("FER_BENCH_CHROMIUM", "/usr/bin/chromium"))
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]


@pytest.fixture(scope="module")
def chromium():
    lacking = None if CHROMIUM.exists() else f"no {CHROMIUM}: apt-get install chromium"
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        lacking = "no playwright: pip install -e '.[test]'"
    if lacking:
        assert not os.environ.get("FER_BENCH_BROWSER"), lacking
        pytest.skip(lacking)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def records():
    return ours("drawn-faces", "ferplus7-face112")


@pytest.fixture(scope="module")
def files(tmp_path_factory, records):
    folder = tmp_path_factory.mktemp("pages")
    for name, some in (("ours", records), ("evil", evil())):
        (folder / f"{name}.html").write_text(render(gather(some)), encoding="utf-8")
    return folder


@pytest.fixture
def opened(chromium, files):
    """Opens a page; afterwards nothing may have gone wrong in it, and nothing may have been asked of anybody."""
    pages, wrong = [], []

    def show(name="ours", **how):
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, "color_scheme": "light", **how})
        page = context.new_page()
        page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: wrong.append(f"a dialog: {dialog.message}"))
        page.on("request", lambda request: None if request.url.startswith((f"file://{files}", "data:image/", "blob:"))
                else wrong.append(request.url))
        page.goto(f"file://{files / name}.html")
        page.wait_for_selector("html[data-ready]")
        pages.append(page)
        return page

    yield show
    for page in pages:
        page.context.close()
    assert wrong == []


def column(page, head):
    """The texts of one column of the main table, from the top."""
    heads = page.locator("#rows thead th").all_inner_texts()
    place = [text.strip() for text in heads].index(head) + 1
    return page.locator(f"#rows tbody tr > :nth-child({place})").all_inner_texts()


def number(text):
    return float(re.match(r"[+−]?\d+\.\d+", text.strip())[0].replace("−", "-").replace("+", ""))


def runs_of(records, protocol):
    """label -> seed -> record, of the drawn faces."""
    found = {}
    for record in records:
        if (record["spec"]["dataset"]["name"], record["spec"]["protocol"]["name"]) == ("synthetic", protocol):
            found.setdefault(record["label"], {})[record["spec"]["seed"], 0] = record
    return found


def test_the_table_shows_what_tables_say(opened, records):
    page = opened()
    expected = cells_of(runs_of(records, "noise30"), "auto", "overall", "ce")
    names = [text.rstrip("†‡") for text in column(page, "method")]
    assert sorted(names) == sorted(expected)
    for name, overall, gain in zip(names, column(page, "overall accuracy"), column(page, "gain"), strict=True):
        cell = expected[name]
        assert overall.split() == f"{100 * cell.value:.2f} ± {100 * cell.std:.2f}".split()
        if name == "ce":
            assert gain == "--"
        else:
            assert number(gain) == pytest.approx(100 * cell.gain, abs=0.0051)


def test_a_head_sorts_and_says_so_and_keys_do_it_too(opened):
    page = opened()
    button = page.get_by_role("button", name="macro-F1")
    button.click()
    numbers = [number(text) for text in column(page, "macro-F1")]
    assert numbers == sorted(numbers, reverse=True)
    assert page.locator("#rows th[aria-sort]").get_attribute("aria-sort") == "descending"
    page.keyboard.press("Enter")  # the head that was clicked still has the focus
    assert [number(text) for text in column(page, "macro-F1")] == sorted(numbers)
    assert page.locator("#rows th[aria-sort]").get_attribute("aria-sort") == "ascending"
    page.get_by_role("button", name="method", exact=True).click()
    names = column(page, "method")
    assert names[:2] == ["ada-df", "balanced-softmax"] and len(set(names)) == len(names)


def test_rows_are_filtered_by_name_family_and_scope(opened):
    page = opened()
    page.fill("#search", "NLA")
    assert sorted(column(page, "method")) == ["nla", "nla-released"]
    page.select_option("#scope", "setting")
    assert set(column(page, "protocol")) == {"clean", "imb50", "noise30", "noise30-imb50"}
    page.select_option("#scope", "all")
    assert set(column(page, "dataset")) == {"synthetic", "ferplus7"}
    page.fill("#search", "")
    page.select_option("#family", "imbalance")
    assert "family imbalance" in page.locator("#constant").inner_text()
    page.fill("#search", "no such method")
    assert page.locator("#rows tbody tr").count() == 0 and page.locator("#constant").inner_text().startswith("0 rows")


def test_all_rows_can_be_asked_for(opened, records):
    page = opened()
    page.select_option("#scope", "all")
    cells = len({(r["label"], r["spec"]["protocol"]["name"], r["spec"]["dataset"]["name"]) for r in records})
    assert page.locator("#rows tbody tr").count() < cells
    page.get_by_role("button", name=f"show all {cells} rows").click()
    assert page.locator("#rows tbody tr").count() == cells


def test_a_row_opens_its_runs(opened, records):
    page = opened()
    page.fill("#search", "nla")
    page.get_by_role("button", name="nla", exact=True).press("Enter")
    dialog = page.locator("dialog[open]")
    text = dialog.inner_text()
    runs = runs_of(records, "noise30")["nla"]
    assert "--method nla --protocol noise30 --dataset synthetic --seeds 0,1,2" in text
    assert f"verify {runs[0, 0]['id']}" in text and "mu_false_rival" in text and "augment.flip" in text
    mean = f"{100 * fmean(run['result']['last']['mean'] for run in runs.values()):.2f}"
    assert mean in dialog.locator("tr", has_text="mean accuracy").inner_text()
    dialog.get_by_role("button", name="seed 1").click()
    assert f"verify {runs[1, 0]['id']}" in dialog.inner_text()
    ece = 100 * runs[1, 0]["result"]["last"]["ece"]
    assert f"{ece:.2f}" in dialog.locator("tr", has_text="calibration error").inner_text()
    confusion = runs[1, 0]["result"]["confusion"]
    shown = [cell.get_attribute("title") for cell in dialog.locator(".matrix tbody td").all()]
    assert [int(re.search(r": (\d+) of", title)[1]) for title in shown] == [count for row in confusion for count in row]
    assert dialog.locator("#run-curve .scatterlayer path.js-line").count() == 2
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0


def test_another_baseline_changes_every_gain(opened, records):
    page = opened()
    page.select_option("#baseline", "scn")
    expected = cells_of(runs_of(records, "noise30"), "auto", "overall", "scn")
    for name, gain in zip(column(page, "method"), column(page, "gain"), strict=True):
        name = name.rstrip("†‡")
        assert gain == "--" if name == "scn" else number(gain) == pytest.approx(100 * expected[name].gain, abs=0.0051)
    assert "above scn" in page.locator("#gains .note").inner_text()


def test_another_measure_and_another_epoch_change_the_numbers(opened, records):
    page = opened()
    page.select_option("#metric", "macro_f1")
    page.select_option("#rule", "best")
    runs = runs_of(records, "noise30")
    shown = dict(zip(column(page, "method"), column(page, "macro-F1"), strict=True))
    for name in ("ce", "nla", "mixup"):
        best = 100 * fmean(run["result"]["best"]["macro_f1"] for run in runs[name].values())
        assert number(shown[name]) == pytest.approx(best, abs=0.0051)


def test_every_chart_is_drawn_for_every_setting(opened):
    page = opened()
    for setting in ("0", "1"):
        page.select_option("#setting", setting)
        page.evaluate("drawAll()")
        assert page.locator(".plot").count() == 8 and page.locator(".plot.empty").count() == 0
        for place in page.locator(".plot:not(.empty)").all():
            assert place.locator("svg.main-svg").count() >= 1
            assert place.locator(".trace path, .trace .point").count() > 0
    assert page.locator("#published tbody tr").count() > 3 and page.locator("#further tbody tr").count() == 8


def test_dark_and_light(opened):
    page = opened()
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.get_by_role("button", name="dark").click()
    dark = page.evaluate(background)
    assert light != dark
    page.get_by_role("button", name="light").click()
    assert page.evaluate(background) == light
    assert opened(color_scheme="dark").evaluate(background) == dark


@pytest.mark.parametrize("name", ["ours", "evil"])
def test_a_phone_scrolls_down_only(opened, name):
    page = opened(name, viewport={"width": 390, "height": 844}, has_touch=True)
    page.evaluate("drawAll()")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator("#rows tbody button").first.click()
    assert page.evaluate("document.querySelector('dialog').scrollWidth <= document.querySelector('dialog').clientWidth")


def test_a_printed_page_has_all_charts(opened):
    page = opened(color_scheme="dark")
    assert page.locator("#classes svg.main-svg").count() == 0  # not yet in view
    assert page.pdf()[:5] == b"%PDF-"
    assert page.locator("#classes svg.main-svg").count() >= 1
    assert not page.evaluate("document.documentElement.dataset.theme")  # as it was


def test_names_that_mean_harm_are_shown(opened):
    page = opened("evil")
    for setting in range(page.locator("#setting option").count()):
        page.select_option("#setting", str(setting))
        page.evaluate("drawAll()")
    assert page.evaluate("window.evil") is None
    assert page.locator("main img, main a, main script, main b").count() == 0
    beside = page.locator("#gains .yaxislayer-above text").all_text_contents()
    assert any(text.startswith("<script>") for text in beside)  # Plotly reads some tags in its texts, and drops others
    assert "<b>y</b>" in page.locator("#classes .xaxislayer-above text").all_text_contents()
    names = column(page, "method")
    assert any(name.startswith("<script>window.evil=1") for name in names)
    page.locator("#rows tbody th button", has_text="<script>").first.click()
    dialog = page.locator("dialog[open]")
    dialog.get_by_text("the whole name").click()
    assert EVIL in dialog.locator("p.long").first.text_content()
    assert dialog.locator("img, a, script").count() == 0
    page.keyboard.press("Escape")
    page.locator("#rows tbody th button", has_text="xxxx").first.click()
    page.locator("dialog[open]").get_by_text("the whole name").click()
    assert len(page.locator("dialog[open] p.long").first.text_content()) == 10_000
