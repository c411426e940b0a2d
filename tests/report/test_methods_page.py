"""docs/methods.md is what the sources, the published numbers and the committed records say."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_records import noise, protocol, runs

from fer_bench.cli.commands import methods_in_markdown
from fer_bench.registry import methods
from fer_bench.report.methods_page import PURPOSES, numbers_here, page, section
from fer_bench.runs.store import read_records
from fer_bench.tables.published import Published, read_published

ROOT = Path(__file__).resolve().parents[2]
INFOS = methods()[0]


def test_the_page_in_the_repository_is_up_to_date():
    made = methods_in_markdown((), ROOT / "results" / "drawn-faces", print)
    assert (ROOT / "docs" / "methods.md").read_text() == made, (
        "run: python run_bench.py list methods --markdown --results results/drawn-faces > docs/methods.md")


def test_every_method_has_its_row_with_formula_cost_and_defaults():
    text = page(list(INFOS.values()), [], [])
    for name, info in INFOS.items():
        assert f"\n| {name} | " in text and info.doc.strip() in text
    assert "| sce | -- | 1 | `alpha=1.0`, `beta=1.0` |" in text
    assert "| co-teaching | 2 networks, noise rate | 2 | `oracle_rate=True`, `forget_rate=0.2`, `ramp=1/6` |" in text
    assert "| center-loss | -- | 1 | as dacl, but `attention=False` |" in text and "**LDLVA**" in text


TWO = '''"""Two classes."""
from fer_bench.method import Method
from fer_bench.registry import register

@register("one", family="own")
@register("one-wide", family="own", preset={"x": 2.0})
class One(Method):
    paper_recipe = {"lr": 0.5}

    def __init__(self, context, *, x: float = 1.0) -> None:
        super().__init__(context)

@register("two", family="own")
@register("two-tall", family="own", preset={"y": 7})
class Two(Method):
    paper_recipe = {"epochs": 9}

    def __init__(self, context, *, y: int = 3, x: float = 8.0) -> None:
        super().__init__(context)
'''


def test_variants_are_compared_with_their_own_class(tmp_path):
    (tmp_path / "pair.py").write_text(TWO)
    text = methods_in_markdown((tmp_path / "pair.py",), tmp_path / "none", print)
    assert "\n## one, one-wide, two, two-tall\n" in text.replace("one-wide, one", "one, one-wide")
    for row in ("one | -- | 1 | `x=1.0`", "one-wide | -- | 1 | as one, but `x=2.0`",
                "two | -- | 1 | `y=3`, `x=8.0`", "two-tall | -- | 1 | as two, but `y=7`"):
        assert f"\n| {row} |\n" in text
    assert all(f"(`--track paper`, {name}): [paper-recipes.md](paper-recipes.md#{name})." in text
               for name in ("one", "two"))


def test_published_numbers_stand_under_their_method_with_their_source():
    rows = [Published("Center loss", "RAF-DB", "clean", "overall", 0.8706, "ResNet-18", "MS-Celeb-1M", "a README")]
    text = section([INFOS["dacl"], INFOS["center-loss"]], rows, [])
    assert "Published, center-loss: RAF-DB clean overall 87.06 (ResNet-18). Read in: a README." in text
    assert "Published, dacl" not in text
    assert all(row.value <= 1 for row in read_published())


@pytest.mark.parametrize(("own", "verdict"), [([0.7, 0.5], ""), ([0.5, 0.58], " **It does not help here.**")])
def test_a_method_that_does_not_help_is_said_not_to(own, verdict):
    content = noise(0.4) | {"name": "noise40"}
    records = runs("ce", [0.55, 0.6], content=content) + runs("gce", own, content=content)
    records += runs("gce", [0.9], content=protocol())
    line = numbers_here(INFOS["gce"], [{**r, "spec": {**r["spec"], "dataset": {"name": "synthetic"}}} for r in records])
    wins = sum(a > b for a, b in zip(own, [0.55, 0.6], strict=True))
    assert line[1].endswith(f"against 57.50 of ce, better in {wins} of 2 seeds.{verdict}")


def test_records_show_what_each_method_is_for():
    """Every method was tried on what it is for; the page tells where that does not help."""
    records = read_records(ROOT / "results" / "drawn-faces")
    for name, info in INFOS.items():
        if info.family != "baseline":
            assert numbers_here(info, records), f"{name}: no records under {PURPOSES.get(name, PURPOSES[info.family])}"
