"""Tables from made records: layouts, epochs, bold and gains, holes and the commands that fill them."""

from __future__ import annotations

import re
from typing import Any

import pytest
from made_records import (
    changed,
    imbalance,
    noise,
    protocol,
    record,
    runs,
    same_parameters,
    small,
    ten_seeds,
)

from fer_bench.errors import UserError
from fer_bench.tables import (
    make_table,
    make_tables,
    render,
)


def test_noise_layout_sorts_rates_by_content_not_by_name() -> None:
    odd = noise(0.05) | {"name": "my-own-name"}
    contents = [noise(0.3), odd, protocol(), noise(0.1)]
    records = [r for content in contents for r in runs("ce", [0.7], content=content)]
    records += runs("ce", [0.6], content=imbalance(50)) + runs("ce", [0.6], content=noise(0.2))
    table = make_table(records, "noise")
    assert [column.group for column in table.columns[::2]] == ["clean", "5 %", "10 %", "20 %", "30 %"]
    assert [column.head for column in table.columns] == ["overall", "mean"] * 5
    assert table.sections[0].rows[0].cells[2].protocol == "my-own-name"  # type: ignore[union-attr]


def other_noise(name: str, kind: str, **keys: Any) -> dict[str, Any]:
    return protocol(name) | {"noise": {"kind": kind, "rate": None, "file": None, "column": None, **keys}}


OTHERS = [
    other_noise("fer2013-labels", "column", column="fer2013"),
    other_noise("one-annotator", "annotator"),
    *(other_noise(f"idn{rate}", "instance", rate=rate / 100, scores="sha256:00") for rate in (40, 20, 30)),
    other_noise("asym30", "confusion", rate=0.3, confusion={"fear": "surprise"}),
    *(other_noise(f"eac-noise{rate}", "list", file=f"sha256:{rate}") for rate in (20, 10, 30)),
]


def test_the_noise_layout_has_a_column_for_every_noise() -> None:
    contents = [*OTHERS, noise(0.5), protocol(), noise(0.1), noise(0.2)]
    table = make_table([r for content in contents for r in runs("ce", [0.7], content=content)], "noise")
    assert [column.group for column in table.columns[::2]] == [
        *("clean", "10 %", "20 %", "50 %", "eac-noise10", "eac-noise20", "eac-noise30", "asym 30 %"),
        *("IDN 20 %", "IDN 30 %", "IDN 40 %", "one annotator", "fer2013"),
    ]
    assert len(table.sections) == 1 and all(table.sections[0].rows[0].cells)
    for content in OTHERS:
        alone = make_table(runs("ce", [0.7], content=content), "noise")
        assert [cell.protocol for cell in alone.sections[0].rows[0].cells if cell] == [content["name"]] * 2


def test_wrong_labels_that_no_seed_draws_are_said() -> None:
    records = [r for content in (noise(0.3), *OTHERS) for r in runs("ce", [0.7, 0.8], content=content)]
    notes = " ".join(make_table(records, "noise").footnotes)
    names = "eac-noise10, eac-noise20, eac-noise30, fer2013-labels, idn20, idn30, idn40"
    assert f"The wrong labels of {names} are the same for every seed" in notes and "IDN: instance-dependent" in notes
    assert "the same for every seed" not in " ".join(make_table(records[:2], "noise").footnotes)
    assert "IDN" in " ".join(make_table(records, "comparison").footnotes)


def test_two_noises_of_one_column_are_told_apart_by_protocol() -> None:
    other = other_noise("mine", "confusion", rate=0.3, confusion={"fear": "anger"})
    records = [r for content in (OTHERS[5], other) for r in runs("ce", [0.7], content=content)]
    with pytest.raises(UserError, match="asym30 and mine share the column 'asym 30 %': choose one with --protocol"):
        make_table(records, "noise")


def test_noise_that_only_one_dataset_has_is_not_missed_on_another() -> None:
    records = runs("ce", [0.7], dataset="rafdb") + runs("ce", [0.7], content=noise(0.3), dataset="rafdb")
    records += [r for content in OTHERS for r in runs("ce", [0.7], content=content, dataset="ferplus7")]
    missing = {(gap.dataset, gap.protocol) for gap in make_table(records, "noise").missing}
    assert missing == {("rafdb", "asym30"), ("ferplus7", "clean"), ("ferplus7", "noise30")}
    records += runs("nla", [0.7], dataset="ferplus7")
    missing = {(gap.label, gap.protocol) for gap in make_table(records, "noise").missing if gap.dataset == "ferplus7"}
    assert {("nla", content["name"]) for content in OTHERS} <= missing, "within its own dataset it is"


def test_imbalance_layout() -> None:
    contents = [imbalance(150), imbalance(20), protocol(), imbalance(50), imbalance(20, "step")]
    contents = [content | {"name": f"p{place}"} for place, content in enumerate(contents)]
    table = make_table([r for content in contents for r in runs("ce", [0.7], content=content)], "imbalance")
    assert [c.group for c in table.columns[::2]] == ["clean", "IF 20", "IF 50", "IF 150", "step IF 20"]


def test_a_held_out_validation_set_makes_a_block_of_its_own() -> None:
    held = [noise(0.3, validation=0.1) | {"name": "noise30-val"}, protocol("clean-val", validation=0.1)]
    records = [r for content in held for r in runs("ce", [0.7], content=content)]
    records += runs("ce", [0.7], content=noise(0.3)) + runs("ce", [0.7], content=noise(0.1))
    table = make_table(records, "noise")
    assert [section.lead for section in table.sections] == [("synthetic",), ("synthetic (validation=0.1)",)]
    assert table.missing == ()  # nobody named the protocols that would fill the other holes


def test_per_class_shows_an_absent_class_as_dashes() -> None:
    recall = (0.9, None, 0.5, 0.6, 0.7, 0.8, 0.4)
    table = make_table([record(recall=recall, seed=0), record(recall=recall, seed=1)], "per-class")
    assert [c.head for c in table.columns][:2] == ["surprise", "fear"] and table.columns[-1].head == "mean"
    line = render(table).splitlines()[4]
    assert re.sub(" +", " ", line).startswith("| synthetic | clean | ce | 90.00 ± 0.00 | -- | 50.00 ± 0.00 |")
    assert any("no face of that class" in note for note in table.footnotes)


def test_per_class_takes_one_protocol_at_a_time() -> None:
    with pytest.raises(UserError, match=r"found synthetic/clean, synthetic/noise30: use --protocol"):
        make_table(same_parameters(), "per-class")
    assert [t.sections[0].lead for t in make_tables(same_parameters(), "per-class")] == [
        ("synthetic", "clean"),
        ("synthetic", "noise30"),
    ]


def test_select_best_and_val_take_other_epochs() -> None:
    records = [record(overall=0.80, mean=0.70, best=0.83, val=0.81, seed=seed) for seed in range(2)]
    means = {
        select: [
            round(cell.value, 6)
            for cell in make_table(records, "comparison", select=select).sections[0].rows[0].cells[:2]
            if cell
        ]
        for select in ("last", "best", "val")
    }
    assert means == {"last": [0.80, 0.70], "best": [0.83, 0.73], "val": [0.81, 0.71]}
    note = make_table(records, "comparison", select="best").footnotes[0]
    assert "best = picked on the test set, as most papers do" in note


def test_tables_take_the_validation_selected_epoch_where_there_is_one_and_say_so() -> None:
    held = noise(0.3, validation=0.1) | {"name": "noise30-val"}
    chosen = runs("ce", [0.83, 0.85], val=0.81, best=0.9, content=held)
    table = make_table(chosen, "comparison")
    cell = table.sections[0].rows[0].cells[0]
    assert cell is not None and (round(cell.value, 6), cell.epoch) == (0.81, "val")
    assert "at the epoch that is best on the held-out validation set;" in table.footnotes[0]
    mixed = make_table([*chosen, *runs("ce", [0.7, 0.7], best=0.9, content=noise(0.3))], "noise")
    assert [round(section.rows[0].cells[0].value, 6) for section in mixed.sections] == [0.7, 0.81]  # type: ignore
    assert "at the last epoch, but of noise30-val at the epoch that is best on the held-out" in mixed.footnotes[0]
    last = make_table(chosen, "comparison", select="last")
    assert last.footnotes[0].startswith("Test accuracy in percent at the last epoch;")
    assert round(last.sections[0].rows[0].cells[0].value, 6) == 0.84  # type: ignore[union-attr]


def test_select_val_without_a_validation_set_names_the_key() -> None:
    with pytest.raises(UserError, match="ce, clean, synthetic, seed 0.*`validation`"):
        make_table([record()], "comparison", select="val")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"layout": "nois"}, "unknown layout 'nois': did you mean noise?"),
        ({"layout": "comparison", "select": "bets"}, "did you mean best"),
    ],
)
def test_unknown_names(wrong: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        make_table([record()], **wrong)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="unknown table format 'html'"):
        render(make_table([record()], "comparison"), "html")


def test_no_records_and_no_columns_say_what_to_run() -> None:
    with pytest.raises(UserError, match=r"--results.*python run_bench.py --method ce --protocol clean"):
        make_table([], "comparison")
    with pytest.raises(UserError, match=r"no column for the protocols found \(clean\).*--protocol noise30"):
        make_table([record()], "noise")


def test_bold_marks_what_is_not_significantly_below_the_best() -> None:
    table = make_table(ten_seeds(), "comparison")
    bold = {row.label: row.cells[0].bold for row in table.sections[0].rows if row.cells[0]}
    assert bold == {"ce": False, "eac": True, "nla": True}
    best = {row.label: row.cells[0].best for row in table.sections[0].rows if row.cells[0]}
    assert best == {"ce": False, "eac": False, "nla": True}
    assert "| ⋆**80.60 ± 0.97** | ⋆**70.60 ± 0.97** |" in render(table)
    assert r"\llap{$^{\star}$}\textbf{80.60{\tiny$\pm$\,0.97}}" in render(table, "latex")
    assert {note.split()[0] for note in table.footnotes} >= {"Bold:", "⋆"}


def test_gain_has_a_holm_adjusted_p() -> None:
    table = make_table(ten_seeds(), "comparison")
    nla = table.sections[0].rows[1].cells[0]
    assert nla is not None and nla.gain == pytest.approx(0.03) and nla.p == pytest.approx(2 * 2**-9)
    assert "+3.00 (p=.004)" in render(table)


def test_no_p_where_seeds_are_too_few_for_one_below_05() -> None:
    few = runs("ce", [0.80, 0.81, 0.82]) + runs("nla", [0.83, 0.835, 0.85])
    text = render(make_table(few, "comparison"))
    assert "p=" not in text and "no p where none could be below .05" in text
    ten = [r for name in [f"m{place}" for place in range(26)] for r in runs(name, [0.8] * 10)] + ten_seeds()
    assert "p=" not in render(make_table(ten, "comparison")), "28 gains times 2^-9 is .055"
    fewer = render(make_table(ten[30:], "comparison"))
    assert "p=" in fewer and "no p" not in fewer, "25 times 2^-9 is .049"


def test_cost_is_shown_once_it_was_counted() -> None:
    old, new = runs("ce", [0.7]), runs("nla", [0.7, 0.8])
    assert "passes" not in render(make_table([*old, *new], "comparison"), "markdown")
    for one, passes in zip(new, (2.0, 2.1), strict=True):
        one["cost"] = {**one["cost"], "forward_passes": passes}
    text = render(make_table([*old, *new], "comparison"), "markdown")
    assert re.search(r"\| nla +\|.*\| +2 \| +2\.[01] \|", text), text
    assert re.search(r"\| ce +\|.*\| +1 \| +-- \|", text), text
    assert "in forward passes of one network" in text


def test_without_the_baseline_there_is_no_gain() -> None:
    table = make_table(runs("nla", [0.8, 0.9]), "comparison")
    assert "No gain: the baseline ce has no run here." in table.footnotes
    assert make_table(small()[:6], "comparison", baseline="nla").sections[0].rows[0].label == "nla"


def test_a_method_that_is_told_the_noise_rate_has_a_dagger() -> None:
    table = make_table(small()[6:], "comparison")
    assert [row.mark for row in table.sections[0].rows] == ["", "†"]
    assert "nla†" in render(table) and r"nla$^{\dagger}$" in render(table, "latex")
    assert any(note.startswith("†") for note in table.footnotes)


def test_a_shortened_schedule_is_said_of_each_row_that_has_one() -> None:
    records = [r for name in ("ce", "scn", "man", "eac", "gone") for r in runs(name, [0.8, 0.8])]
    note = next(note for note in make_table(records, "comparison").footnotes if "shortened" in note)
    assert note.startswith("Schedule shortened: man 8.3-fold, scn 5.8-fold. A method's own schedule")
    longer = [changed(r, "recipe.epochs", 100) for r in records]
    assert not any("shortened" in note for note in make_table(longer, "comparison").footnotes)
    paper = [changed(changed(r, "track", "paper"), "recipe.epochs", 40) for r in records]
    note = next(note for note in make_table(paper, "comparison").footnotes if "shortened" in note)
    assert note.startswith("Schedule shortened: eac 1.5-fold, man 2.5-fold, scn 1.8-fold. ")


def test_two_lengths_of_training_are_two_factors() -> None:
    records = runs("man", [0.8]) + [changed(r, "recipe.epochs", 50) for r in runs("man", [0.8], dataset="rafdb")]
    assert any("man 2 or 8.3-fold" in note for note in make_table(records, "comparison").footnotes)
