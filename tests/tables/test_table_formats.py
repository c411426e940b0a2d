"""The bytes of every format, the published rows, and the tables folder."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from made_records import (
    imbalance,
    noise,
    protocol,
    runs,
    same_parameters,
    ten_seeds,
)

from fer_bench.errors import UserError
from fer_bench.tables import (
    Column,
    Row,
    make_table,
    render,
    write_tables,
)
from fer_bench.tables.published import protocol_key, read_published, without_numbers
from fer_bench.tables.text import cell_text

COMPARISON = """\
### Comparison of methods

| dataset   | protocol   |   rank | method   |       overall |          mean |   n |   best − last |   gain |
|:----------|:-----------|-------:|:---------|--------------:|--------------:|----:|--------------:|-------:|
| synthetic | clean      |      2 | ce       |  81.00 ± 1.00 |  71.00 ± 1.00 |   3 |          0.00 |     -- |
| synthetic | clean      |      1 | nla      | ⋆83.83 ± 1.04 | ⋆73.83 ± 1.04 |   3 |          2.17 |  +2.83 |
| synthetic | noise30    |      2 | ce       |  71.00 ± 1.00 |  61.00 ± 1.00 |   3 |          0.00 |     -- |
| synthetic | noise30    |      1 | nla      |        ⋆78.00 |        ⋆68.00 |   1 |          0.00 |  +8.00 |

- Test accuracy in percent at the last epoch; mean ± standard deviation (ddof 1) over n = 1 to 3 seeds.
- ⋆ the highest mean of its column.
- Nothing is bold where seeds are too few for a test to tell any method from the best.
- Rank: by gain over ce in overall accuracy; the baseline ce stands first.
- best − last: what picking the epoch on the test set would add to overall accuracy.
- Gain: overall accuracy minus that of ce, over the seeds that both have; no p where none could be \
below .05: n seeds give no less than 2^(1-n), times the methods compared.
- Older records of synthetic do not count their training faces; asked was: clean (labels as published), \
noise30 (30 % wrong labels).
- Schedule shortened: nla 5-fold. A method's own schedule (warm-up, ramps, turning points; on track paper the learning \
rate, too) is made for so many times the epochs.
- Incomplete: runs missing: 2.
"""


def test_a_method_with_views_of_its_own_is_marked_and_they_are_said() -> None:
    records = same_parameters()
    for record in records:
        if record["label"] == "nla":
            record["views"] = {"first": {"erase": 0.5, "erase_scale": [0.02, 0.25]}, "turned": {"mirror": True}}
    table = make_table(records, "comparison")
    assert {row.label: row.mark for section in table.sections for row in section.rows} == {"ce": "", "nla": "‡"}
    words = "nla first (erase 0.5, erase_scale 0.02 to 0.25), turned (mirror)"
    assert f"‡ has views of its own, beyond the recipe's augmentation: {words}." in table.footnotes
    assert r"nla$^{\ddagger}$" in render(table, "latex") and "nla‡" in render(table, "markdown")


def test_comparison_in_markdown() -> None:
    assert render(make_table(same_parameters(), "comparison"), "markdown") == COMPARISON


def first_cell(row: Row) -> str:
    return cell_text(row.cells[0], Column("", "overall", "overall"))


def test_published_numbers_stand_under_their_dataset_with_their_source() -> None:
    records = runs("ce", [0.75, 0.76], dataset="rafdb", content=noise(0.3))
    table = make_table(records, "noise", published="all")
    rows = {(row.label, first_cell(row)) for row in table.sections[0].published}
    assert {("CE", "74.31"), ("IDN", "84.39"), ("EAC", "85.27")} <= rows
    mark = next(row.mark for row in table.sections[0].published if row.label == "IDN")
    source = next(note for note in table.footnotes if note.startswith(mark))
    setting = "RAF-DB, network ResNet-18, pre-training MS-Celeb-1M, best epoch on the test set, seeds not said"
    assert "IDN(FER) Table I" in source and setting in source
    assert "published:" in render(table) and "{[}1{]}" in render(table, "latex")
    assert not make_table(records, "noise").sections[0].published
    assert not make_table(runs("ce", [0.7]), "comparison", published="all").sections[0].published


def test_a_published_ferplus_may_be_seven_or_eight_classes() -> None:
    for dataset in ("ferplus7", "ferplus8"):
        table = make_table(runs("ce", [0.8], dataset=dataset), "comparison", published="all")
        assert any(row.label == "SCN" for row in table.sections[0].published)
    affectnet = make_table(runs("ce", [0.6], dataset="affectnet7"), "comparison", published="all")
    assert all("AffectNet-8" not in note for note in affectnet.footnotes)


def test_every_published_number_is_plausible_and_has_a_source() -> None:
    entries = read_published()
    assert len(entries) == 206
    assert all(0.5 < entry.value < 1 and entry.source for entry in entries)
    assert {entry.metric for entry in entries} == {"overall", "mean"}
    assert {entry.selection for entry in entries} == {"", "last", "best", "val"}
    assert all(entry.seeds in (None, 1) or entry.std for entry in entries), "several seeds have a spread"
    with pytest.raises(UserError, match=r"expected the repository's results/published.csv"):
        read_published(path=Path("nowhere.csv"))


def test_methods_of_which_no_number_could_be_read_are_named() -> None:
    names = ["nla", "nla-released", "mek-swin", "mek-rsl", "scn", "soft"]
    assert without_numbers(names, read_published()) == ["nla", "nla-released", "soft"]
    records = [r for name in ("ce", "nla", "scn", "mixup") for r in runs(name, [0.8], dataset="rafdb")]
    note = "Of nla no published number could be read in a primary source; docs/tables.md says how to add one."
    assert note in make_table(records, "comparison", published="all").footnotes
    assert note not in make_table(records, "comparison").footnotes
    drawn = [r for name in ("ce", "nla") for r in runs(name, [0.8])]
    assert note not in make_table(drawn, "comparison", published="all").footnotes, "nobody looks for any there"


def test_protocol_keys_come_from_content() -> None:
    keys = [protocol_key(content | {"name": "x"}) for content in (protocol(), noise(0.3), imbalance(50))]
    assert keys == ["clean", "noise30", "imb50"]
    assert protocol_key(imbalance(50, "step") | {"name": "x"}) == "x"


def test_csv_reads_back_as_the_numbers() -> None:
    table = make_table(ten_seeds(), "comparison")
    frame = pd.read_csv(io.StringIO(render(table, "csv")))
    header = "dataset,protocol,method,metric,n,mean,std,select,best_minus_last,p"
    assert ",".join(frame.columns[:10]) == header
    cells = [c for row in table.sections[0].rows for c in row.cells[:2] if c]
    assert frame["mean"].tolist() == pytest.approx([100 * c.value for c in cells], abs=1e-6)
    assert frame["std"].tolist() == pytest.approx([100 * c.std for c in cells if c.std is not None], abs=1e-6)
    assert frame["n"].eq(10).all() and frame["select"].eq("last").all()
    assert frame.loc[frame.method == "ce", "p"].isna().all()


def test_csv_says_which_epoch_each_number_is_of() -> None:
    held = protocol("clean-val", validation=0.1)
    records = runs("ce", [0.7], dataset="rafdb") + runs("ce", [0.7], val=0.6, content=held, dataset="rafdb")
    frame = pd.read_csv(io.StringIO(render(make_table(records, "comparison", published="all"), "csv")))
    ours = frame[frame.source.isna()]
    assert dict(zip(ours["protocol"], ours["select"], strict=True)) == {"clean": "last", "clean-val": "val"}
    theirs = frame[frame.source.notna()]
    assert set(theirs["select"].dropna()) == {"last", "best", "val"} and theirs["select"].isna().any()
    assert theirs["rank"].isna().all() and theirs["family"].isna().all()


def test_markdown_keeps_its_columns_when_a_label_has_a_pipe() -> None:
    text = render(make_table(runs("nla", [0.8], overrides={"a": "x|y"}), "comparison"))
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines() if line.startswith("|")} == {9}


def test_write_tables_gives_the_same_bytes_whatever_the_order(tmp_path: Path) -> None:
    records = same_parameters()
    first = write_tables(records, tmp_path / "a")
    second = write_tables(records[::-1], tmp_path / "b")
    names = ["comparison", "noise", "per-class-synthetic-clean", "per-class-synthetic-noise30"]
    assert [path.stem for path in first[::3]] == names
    assert [path.suffix for path in first] == [".md", ".tex", ".csv"] * len(names)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert (tmp_path / "a" / "comparison.md").read_text(encoding="utf-8") == COMPARISON
    with pytest.raises(UserError, match="no records"):
        write_tables([], tmp_path)


def test_tables_do_not_import_torch() -> None:
    code = "import sys, fer_bench.tables; sys.exit('torch' in sys.modules or 'pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
