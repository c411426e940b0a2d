"""LaTeX: its shape, its characters, and that TeX compiles all that is committed (pytest -m latex)."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from made_records import noise, runs, same_parameters

from fer_bench.tables import Order, Table, make_table, render
from fer_bench.tables.latex import LINES
from fer_bench.tables.latex_text import escape

ROOT = Path(__file__).resolve().parents[2]
NASTY = "50%&#$|~^{}\\<_[x]\"'`- é ñ Ł ß ø ± λ Ω 中文 \u202e\U0001f600 a\tb"
HEAD = "\\documentclass{article}\n\\usepackage{booktabs,graphicx}\n\\begin{document}\n"


def hostile() -> Table:
    """Two header levels, published rows, and every character that LaTeX minds."""
    values: dict[str, Any] = {"overalls": [0.7, 0.8], "dataset": "rafdb"}
    records = runs("ce", **values) + runs("ce", content=noise(0.3), **values)
    records += runs("nla", content=noise(0.3), overrides={"a_b": NASTY}, **values)
    return make_table(records, "noise", published="all")


def long(methods: int) -> Table:
    names = ["ce", *(f"method-{place}" for place in range(methods - 1))]
    return make_table([r for name in names for r in runs(name, [0.7, 0.8])], "comparison")


def test_rows_are_as_wide_as_the_header() -> None:
    for table in (hostile(), make_table(same_parameters(), "comparison"), long(100)):
        text = render(table, "latex")
        found = re.search(r"\\begin\{tabular\}\{@\{\}([lr]+)@\{\}\}", text)
        assert found is not None
        begun, ended = re.findall(r"\\begin\{(\w+)\}", text), re.findall(r"\\end\{(\w+)\}", text)
        assert sorted(begun) == sorted(ended) and set(begun) == {"table", "tabular"}
        plain = text.replace(r"\{", "").replace(r"\}", "")
        assert plain.count("{") == plain.count("}")
        for line in text.splitlines():
            if line.endswith(r" \\") and not line.startswith(r"\addlinespace"):
                spans = sum(int(width) - 1 for width in re.findall(r"\\multicolumn\{(\d+)\}", line))
                assert len(re.findall(r"(?<!\\)&", line)) + 1 + spans == len(found[1]), line
        assert text.isascii()


@pytest.mark.parametrize(("text", "expected"), [
    ("a_b=50%", r"a\_b=50\%"), ("^~\\", r"\textasciicircum{}\textasciitilde{}\textbackslash{}"), ("é", r"\'{e}"),
    ("e\N{COMBINING ACUTE ACCENT}", r"\'{e}"), ("Žž", r"\v{Z}\v{z}"), ("λ", r"$\lambda$"), ("ς", "(U+03C2)"),
    ("中", "(U+4E2D)"), ("\u202e", "(U+202E)"), ("a\tb\x1b", "a b "), ("[1]", "{[}1{]}"),
])
def test_what_becomes_of_characters(text: str, expected: str) -> None:
    assert escape(text) == expected


def test_a_long_table_goes_on_under_its_number() -> None:
    text = render(long(100), "latex")
    parts = text.split(r"\begin{table}")[1:]
    assert len(parts) == 3 and all(part.count(r" \\") <= LINES + 2 for part in parts)
    assert [r"\addtocounter{table}{-1}" in part for part in parts] == [False, True, True]
    assert re.findall(r"(method-\d+|ce) &", text) == [row.label for row in long(100).sections[0].rows]


def test_a_wide_table_is_scaled_down_and_others_are_not() -> None:
    wide = [r for rate in (0.1, 0.2, 0.3, 0.4, 0.5) for r in runs("ce", [0.7, 0.8], content=noise(rate))]
    assert r"\resizebox{\linewidth}" in render(make_table(wide, "noise"), "latex")
    assert r"\resizebox" not in render(make_table(same_parameters(), "comparison"), "latex")


def test_what_all_rows_share_is_in_the_caption_and_what_they_do_not_heads_its_rows() -> None:
    one = render(make_table(same_parameters()[:6], "comparison"), "latex")
    assert r"\caption{Comparison of methods: synthetic, clean}" in one and r"\emph" not in one
    two = render(make_table(same_parameters(), "comparison"), "latex")
    assert r"\caption{Comparison of methods}" in two and r"\emph{synthetic, noise30}" in two
    families = render(make_table(same_parameters()[:6], "comparison", order=Order(by_family=True)), "latex")
    assert re.findall(r"\\emph\{(.*?)\}", families) == ["synthetic, clean, baseline", "synthetic, clean, fer"]


def compiled(sources: Sequence[str], folder: Path) -> str:
    """What pdflatex says of a document of some tables; fails where it does."""
    (folder / "t.tex").write_text(HEAD + "\\clearpage\n".join(sources) + "\\end{document}\n", encoding="utf-8")
    done = subprocess.run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"], cwd=folder,
                          capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    return done.stdout


needs_tex = pytest.mark.skipif(not shutil.which("pdflatex"), reason="no pdflatex: apt-get install "
                               "texlive-latex-base texlive-latex-recommended (what .ci/run does)")


@pytest.mark.latex
@needs_tex
def test_nasty_tables_compile_with_booktabs_and_graphicx_alone(tmp_path: Path) -> None:
    compiled([render(table, "latex") for table in (hostile(), make_table(same_parameters(), "comparison"), long(100))],
             tmp_path)


@pytest.mark.latex
@needs_tex
def test_every_committed_table_compiles_and_fits_its_page(tmp_path: Path) -> None:
    files = sorted(ROOT.glob("results/*/tables/*.tex"))
    said = compiled([f"\\input{{{path}}}\n" for path in files], tmp_path)
    assert len(files) >= 10 and "Overfull \\hbox" not in said and "Float too large" not in said, said
