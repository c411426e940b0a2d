"""What a grid will take: counts of real methods, kept; arithmetic by hand; words that say how far to believe it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fer_bench.errors import UserError
from fer_bench.estimate import calibrate, counting, page
from fer_bench.estimate.cards import CARDS, card_of, find_card
from fer_bench.estimate.counting import Question, counts_of
from fer_bench.estimate.grid import (
    OF_CUDA,
    Group,
    Sizes,
    batch_that_fits,
    lanes_that_fit,
    passes,
    peak_bytes,
    run_seconds,
)
from fer_bench.estimate.rates import COMPUTE, GAP, LAUNCH, Rates, card_rates
from fer_bench.fake.counts import Counts, Work
from fer_bench.library.methods import methods
from fer_bench.protocols.protocol import load_recipe

QUICK = load_recipe("quick")
MADE = Counts(step={"forward": Work(100, 10**9, 10**8), "rest": Work(10, 0, 10**6)},
              evaluation=Work(50, 2 * 10**9, 10**8), evaluation_faces=1000, sweep=Work(), swept_faces=0,
              resident_bytes=10**8, step_peak_bytes=3 * 10**8, evaluation_peak_bytes=2 * 10**8, sweep_peak_bytes=0,
              parameters=10**6)
SIZES = Sizes(train=640, predicted=500, pixels=48, classes=7, stored=5 * 10**6)


def question(name: str, **changes: str) -> Question:
    info = methods()[0][name]
    return Question(info, {key: p.default for key, p in info.parameters.items()}, load_recipe("quick", changes), 48, 7)


def test_a_card_is_found_by_its_name_and_a_wrong_one_has_near_ones():
    assert find_card("H100") is CARDS["h100"] and find_card("rtx 4090") is CARDS["rtx4090"]
    with pytest.raises(UserError, match="--card h1000: did you mean h100"):
        find_card("h1000")
    assert card_of("NVIDIA A100-SXM4-80GB", 85e9) is CARDS["a100-80gb"]
    assert card_of("NVIDIA A100-SXM4-40GB", 42e9) is CARDS["a100"] and card_of("GeForce GT 710", 1e9) is None
    assert card_of("NVIDIA GeForce RTX 4090", 25e9) is CARDS["rtx4090"] and card_of("Tesla T4", 16e9) is CARDS["t4"]
    for other in ("NVIDIA RTX A4000", "NVIDIA T400", "NVIDIA GH200 480GB", "NVIDIA H100 PCIe", "A100 MIG 1g.5gb"):
        assert card_of(other, 16e9) is None, other
    assert all(card.source and card.bytes < card.flops("bf16") for card in CARDS.values())


def test_what_a_card_has_not_it_does_in_fp32():
    assert CARDS["t4"].flops("bf16") == CARDS["t4"].fp32 and CARDS["a100"].flops("bf16") == 16 * CARDS["a100"].fp32


def test_called_steps_wait_for_the_host_and_replayed_ones_for_the_card():
    work = Work(1000, 10**9, 10**6)
    assert card_rates(CARDS["h100"], "bf16", "eager").seconds(work) == pytest.approx(1000 * LAUNCH)
    assert card_rates(CARDS["h100"], "bf16", "graph").seconds(work) < 2 * 1000 * GAP
    heavy = Work(1, 10**14, 0)
    expected = pytest.approx(10**14 / COMPUTE / 989.4e12, rel=0.01)
    assert card_rates(CARDS["h100"], "bf16", "eager").seconds(heavy) == expected


def test_a_run_s_time_is_that_of_its_steps_and_evaluations():
    """By hand: 10 steps of 110 launches and 4 batches of evaluation of 50 launches, a second each, twelve times."""
    by_launch = Rates(1.0, 0.0, 0.0)
    found = run_seconds(MADE, SIZES, QUICK, by_launch.seconds, by_launch.seconds, 128)
    assert QUICK.epochs * (10 * 110 + 4 * 50) == found
    by_flop = Rates(0.0, 1e-9, 0.0)
    found = run_seconds(MADE, SIZES, QUICK, by_flop.seconds, by_flop.seconds, 128)
    assert found == pytest.approx(QUICK.epochs * (10 * 1.0 + 2.0 / 1000 * 500))
    swept = replace(MADE, sweep=Work(50, 7 * 10**9, 0), swept_faces=70)
    assert run_seconds(swept, SIZES, QUICK, by_flop.seconds, by_flop.seconds, 128) == pytest.approx(
        found + QUICK.epochs * 7 * 640 / 70)


def test_passes_are_those_of_one_prediction():
    assert passes(MADE, QUICK) == pytest.approx(10**9 / (2 * 10**9 / 1000 * 64))


def test_rates_are_found_again_from_what_they_made():
    true, rng = Rates(5e-5, 1e-11, 3e-11), np.random.default_rng(0)
    works = [Work(*map(int, rng.integers(1, 1000, 3) * [1, 10**7, 10**6])) for _ in range(8)]
    found = calibrate.fit([(work, true.seconds(work)) for work in works])
    assert (found.launch, found.flop, found.byte) == pytest.approx((true.launch, true.flop, true.byte), rel=1e-6)


def test_what_fits_into_memory_really_does_and_one_more_does_not():
    peak = peak_bytes(MADE, SIZES, QUICK)
    assert peak > MADE.step_peak_bytes + OF_CUDA / 2
    for memory in (peak * 1.1, 5e9, 80e9):
        lanes, shared = lanes_that_fit(memory, MADE, SIZES, QUICK), OF_CUDA + SIZES.stored
        assert shared + lanes * (peak - shared) <= 0.95 * memory < shared + (lanes + 1) * (peak - shared)
    assert lanes_that_fit(1e8, MADE, SIZES, QUICK) == 0 == batch_that_fits(1e8, MADE, SIZES, QUICK)
    maps = 2 * (MADE.step_peak_bytes - MADE.resident_bytes)
    batch = batch_that_fits(peak, MADE, SIZES, QUICK)
    assert 0 < batch < QUICK.batch_size and peak - maps + batch / QUICK.batch_size * maps <= 0.95 * peak
    heavy = replace(MADE, evaluation_peak_bytes=10**10)
    assert batch_that_fits(5e9, heavy, SIZES, QUICK) == 0, "a smaller batch of training helps no evaluation"


def line(counts: Counts | str, here: float | None = 60.0, there: float | None = 6.0, runs: int = 3) -> page.Line:
    return page.Line(Group("nla", "noise30", question("nla"), SIZES, runs), counts, here, there)


def test_a_card_that_is_too_small_is_said_with_what_fits():
    (text,) = page.too_large([line(MADE)], 1.9e9, "a card", 4)
    assert text.startswith("nla: 4 at a time, of about 1.1 GB each, do not fit into the 2 GB of a card; --pack 2 fits")
    (text,) = page.too_large([line(MADE)], 1.1e9, "a card", 1)
    assert "--set-recipe batch_size=" in text
    assert page.too_large([line(MADE)], 80e9, "a card", 4) == []
    assert page.most_lanes([line(MADE)], CARDS["h100"]) == ["--pack up to 8 fits into H100 SXM 80 GB"]
    assert page.most_lanes([line(MADE)], replace(CARDS["h100"], memory=1e8)) == []
    assert page.most_lanes([line("no")], CARDS["t4"]) == []


def test_the_whole_is_said_with_how_far_to_believe_it():
    here, there = page.whole([line(MADE)], None, CARDS["h100"], 2)
    assert "1.5 min in all, 2 at a time" in here and "factor of 1.5" in here
    assert "60 s in all" in page.whole([line(MADE, runs=1)], None, None, 8)[0], "one run takes its time"
    assert "on H100 SXM 80 GB: 18 s in all" in there and "nobody has checked" in there
    assert "doctor" in page.whole([line(MADE, here=None)], None, None, 1)[0]
    unknown = replace(CARDS["h100"], title="A card", bytes=0)
    assert "no figures" in page.whole([line(MADE, here=None)], unknown, None, 1)[0]
    assert page.whole([line("it broke")], None, CARDS["h100"], 1) == ["1 of 1 lines were not counted and are in no sum"]
    assert "timeout_min=6 " in page.time_limit([line(MADE)], 2)
    assert page.rows([line("it broke")], None)[1][-1] == "not counted: it broke"


def test_methods_are_counted_once_and_kept(tmp_path, monkeypatch):
    questions, said = [question("ce"), question("nla"), question("ce")], []
    found = counts_of(questions, tmp_path, said.append)
    ce, nla = found[questions[0].key()], found[questions[1].key()]
    assert isinstance(ce, Counts) and isinstance(nla, Counts) and len(found) == 2
    assert nla.step["forward"].flops == pytest.approx(2 * ce.step["forward"].flops, rel=0.01)
    assert passes(ce, QUICK) == pytest.approx(1, rel=0.01) and passes(nla, QUICK) == pytest.approx(2, rel=0.01)
    assert said == ["counting 2 method(s) on a pretended GPU, once ..."]
    monkeypatch.setattr(counting, "apart", lambda function, jobs: pytest.fail("counted again") if jobs else ())
    assert counts_of(questions, tmp_path, said.append) == found


def test_another_recipe_counts_anew_and_another_rate_does_not():
    assert question("ce").key() == question("ce", lr="0.1").key() != question("ce", epochs="1").key()
    assert len({question("ce").key(), question("ce", batch_size="8").key(), question("nla").key()}) == 3


def test_a_damaged_file_of_counts_is_made_again(tmp_path):
    found = counts_of([question("ce")], tmp_path, print)
    path = next(tmp_path.glob("counts/*.json"))
    path.write_text(path.read_text()[:100])
    assert counts_of([question("ce")], tmp_path, print) == found


def test_rates_hold_for_the_processor_and_torch_that_they_were_measured_with(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(calibrate, "CASES", calibrate.CASES[:1])
    monkeypatch.setattr(calibrate, "SECONDS", 0.0)
    rates = calibrate.calibrate(tmp_path, lambda line: None)
    assert calibrate.known(tmp_path) == rates and set(rates) == {"fp32"}
    monkeypatch.setattr(calibrate, "machine", lambda: {"processor": "another", "torch": "2"})
    assert calibrate.known(tmp_path) == {}
