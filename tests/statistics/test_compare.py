"""Two methods over what they share, from made records with test faces: numbers by hand, what is refused."""

import json

import numpy as np
import pytest
from made_records import CLASSES, FACES, changed, noise, record, runs, with_faces

from fer_bench.errors import UserError
from fer_bench.statistics.compare import compare, find_label
from fer_bench.statistics.intervals import gain_interval, half_width, parts_of
from fer_bench.statistics.power import attained_level, interval_seeds, needed, sign_flip_seeds, spread_range
from fer_bench.statistics.render import render
from fer_bench.tables import stats

LABELS = np.array(FACES)


def rights(seeds, share, number):
    return np.random.default_rng(number).random((seeds, len(LABELS))) < share


def both(seeds=3, **more):
    """Records of nla and ce, and what they have right."""
    one, other = rights(seeds, 0.8, 1), rights(seeds, 0.6, 2)
    made = [with_faces(r, right) for name, all_ in (("nla", one), ("ce", other))
            for r, right in zip(runs(name, [0.5] * seeds, **more), all_, strict=True)]
    return made, one, other


def test_gains_are_those_of_the_faces():
    made, one, other = both()
    (case,) = compare(made[::-1], "nla", "ce").cases
    assert (case.dataset, case.protocol, case.seeds, case.faces) == ("synthetic", "clean", (0, 1, 2), None)
    assert case.of("overall").interval == gain_interval(one, other, LABELS, "overall")
    assert case.of("mean").interval.low == pytest.approx(gain_interval(one, other, LABELS, "mean").low)
    fear = LABELS == 1
    assert case.of("recall:fear").interval == gain_interval(one[:, fear], other[:, fear], LABELS[fear])
    for gain in case.gains:
        assert gain.interval.gain == pytest.approx(gain.one - gain.other)
    assert [gain.metric for gain in case.gains] == ["overall", "mean", *(f"recall:{name}" for name in CLASSES)]


def test_only_shared_seeds_count():
    made, one, other = both(4)
    (case,) = compare(made[1:4] + made[4:7], "nla", "ce").cases
    assert case.seeds == (1, 2)
    assert case.of("overall").interval == gain_interval(one[1:3], other[1:3], LABELS)


def test_one_seed_has_mcnemar_and_no_p():
    made, one, other = both(1)
    found = compare(made, "nla", "ce")
    (case,) = found.cases
    assert case.faces.only_one == (one[0] & ~other[0]).sum()
    assert case.of("overall").p is None
    assert any("another training" in note for note in found.notes)


def test_six_seeds_have_p_adjusted_over_cases():
    made = both(6)[0] + both(6, content=noise(0.3))[0]
    found = compare(made, "nla", "ce")
    values = [r["result"]["last"]["overall"] for r in made]
    raw = stats.sign_flip([values[s] - values[6 + s] for s in range(6)])
    assert [case.of("overall").p for case in found.cases] == [pytest.approx(min(1, 2 * raw))] * 2
    assert all(gain.p is None for case in found.cases for gain in case.gains[2:])


def test_without_test_faces_seeds_speak_alone():
    made = runs("nla", [0.8, 0.82, 0.84]) + runs("ce", [0.7, 0.7, 0.7])
    found = compare(made, "nla", "ce")
    interval = found.cases[0].of("overall").interval
    assert interval.faces == 0 and interval.gain == pytest.approx(0.12)
    assert "seeds" in render(found).splitlines()[2]
    alone = compare([made[0], made[3]], "nla", "ce")
    assert alone.cases[0].of("overall").interval is None
    assert "+10.00" in render(alone)


def test_folds_of_a_seed_are_put_together():
    rows = np.random.default_rng(3).permutation(len(LABELS))
    parts, one, other = (rows[:20], rows[20:]), rights(2, 0.8, 4), rights(2, 0.5, 5)
    made = []
    for name, right in (("nla", one), ("ce", other)):
        for seed in range(2):
            for fold, part in enumerate(parts if seed else parts[::-1], 1):
                run = changed(record(name, seed=seed), "dataset.fold", [fold, 2])
                made.append(with_faces(run, right[seed, part], part))
    (case,) = compare(made, "nla", "ce").cases
    assert case.of("overall").interval == gain_interval(one, other, LABELS, "overall")
    (case,) = compare(made[:-1], "nla", "ce").cases
    assert case.seeds == (0,), "a seed that lacks a fold does not count"


def test_test_faces_that_do_not_fit_are_refused():
    made, _, _ = both()
    wrong = {**made[0], "test_faces": {**made[0]["test_faces"], "labels": LABELS[::-1].copy()}}
    with pytest.raises(UserError, match="do not give its confusion matrix"):
        compare([wrong, *made[1:]], "nla", "ce")


def test_labels_are_found():
    labels = {"nla": "nla", "nla lam=0.3": "nla", "scn a=1": "scn", "eac x=1": "eac", "eac x=2": "eac"}
    assert [find_label(name, labels) for name in ("nla", "nla lam=0.3", "scn")] == ["nla", "nla lam=0.3", "scn a=1"]
    with pytest.raises(UserError, match="eac x=1, eac x=2"):
        find_label("eac", labels)
    with pytest.raises(UserError, match="did you mean nla"):
        find_label("nlo", labels)


def test_what_cannot_be_compared_is_refused():
    made, _, _ = both()
    with pytest.raises(UserError, match="one method"):
        compare(made, "ce", "ce")
    with pytest.raises(UserError, match="no dataset, protocol and seed .*nla: synthetic/clean"):
        compare(runs("nla", [0.5]) + runs("ce", [0.5], content=noise(0.3)), "nla", "ce")
    with pytest.raises(UserError, match="mix versions of the engine"):
        compare([*made, changed(record("ce", seed=7), "code.engine", "f00")], "nla", "ce")
    with pytest.raises(UserError, match="did you mean bootstrap"):
        compare(made, "nla", "ce", "bootstrp")


def test_every_format_has_every_number():
    made, _, _ = both(6)
    found = compare(made, "nla", "ce")
    gain = found.cases[0].of("mean")
    for format in ("text", "markdown"):
        text = render(found, format)
        assert f"{100 * gain.interval.low:.2f}, {100 * gain.interval.high:.2f}" in text
        assert "surprise" in text
    rows = json.loads(render(found, "json"))["rows"]
    assert len(rows) == 9 and rows[1]["low"] == pytest.approx(100 * gain.interval.low, abs=1e-5)
    lines = render(found, "csv").splitlines()
    assert len(lines) == 10 and lines[0].startswith("dataset,protocol,one,other,metric,n,faces")
    with pytest.raises(UserError, match="unknown format"):
        render(found, "html")


def test_labels_cannot_obey_or_break():
    made = [{**r, "label": "a|b\x1b[31m<i>"} if r["label"] == "nla" else r for r in both()[0]]
    found = compare(made, "a|b\x1b[31m<i>", "ce")
    for format in ("text", "markdown", "csv", "json"):
        assert "\x1b" not in render(found, format)
    assert "a\\|b\\x1b[31m&lt;i>" in render(found, "markdown").replace("\\\\", "\\")


def test_needed_seeds_of_known_spread():
    """Differences to ce of 1, 2, 3 points: spread 1."""
    made = runs("nla", [0.71, 0.72, 0.73]) + runs("ce", [0.7, 0.7, 0.7])
    overall, _ = needed(made, [], "ce", 0.01)
    assert (overall.methods, overall.seeds, overall.interval) == (1, 3, None)
    assert overall.spread == pytest.approx(0.01)
    assert overall.sign_flip.least < overall.sign_flip.likely < overall.sign_flip.most
    assert needed(both()[0], ["nla"], "ce", 0.3)[0].interval.likely >= 2


@pytest.mark.parametrize("gain, tests", [(1.3, 1), (1.0, 1), (1.6, 4)])
def test_the_sign_flip_sees_what_power_says(gain, tests):
    """Normal differences with spread 1: with so many seeds the test sees the gain in 72 to 92 % of 300 draws.

    All sign patterns at once, as `stats.sign_flip` has them."""
    seeds = sign_flip_seeds(gain, 1.0, tests, 0.8)
    random = np.random.default_rng(0)
    patterns = 1 - 2 * (np.arange(2**seeds)[:, None] >> np.arange(seeds) & 1)
    gaps = gain + random.normal(size=(300, seeds))
    p = (np.abs(gaps @ patterns.T) >= np.abs(gaps.sum(1, keepdims=True)) - 1e-9).mean(1)
    assert stats.sign_flip(gaps[0].tolist()) == pytest.approx(p[0])
    assert 0.72 < (p < 0.05 / tests).mean() < 0.92


@pytest.mark.parametrize("trainings, rest, gain", [(0.0, 2.0, 0.3), (0.15, 1.0, 0.3), (1.0, 1.0, 0.8)])
def test_the_interval_sees_what_power_says(trainings, rest, gain):
    """Normal gaps of 200 faces with spread .8 of faces: with so many seeds the interval lies off 0 in 70 to 93 %."""
    seeds = interval_seeds(gain, np.sqrt(trainings**2 + rest**2 / 200), 0.8**2 / 200, 0.8)
    random, labels, seen = np.random.default_rng(0), np.zeros(200, int), []
    for _ in range(300):
        gaps = (gain + random.normal(0, 0.8, 200) + random.normal(0, trainings, (seeds, 1))
                + random.normal(0, rest, (seeds, 200)))
        seen.append(abs(gaps.mean()) > half_width(parts_of(gaps, labels, "overall")))
    assert 0.7 < np.mean(seen) < 0.93, seeds


def test_bounds_of_needed_seeds():
    assert sign_flip_seeds(0.5, 0.0, 1, 0.8) == 6 and sign_flip_seeds(0.5, 0.0, 6, 0.8) == 8
    assert sign_flip_seeds(0.0001, 0.1, 1, 0.8) is None
    assert interval_seeds(0.01, 0.01, 0.01**2, 0.8) is None, "faces alone spread as much as the gain"
    assert interval_seeds(0.01, 0.0, 0.0, 0.8) == 2
    assert attained_level(6, 0.05) == 2**-5 and attained_level(5, 0.05) == 0 and attained_level(20, 0.05) == 0.05
    likely, low, high = spread_range(0.01, 3)
    assert low < likely == 0.01 < high


def test_power_refuses_what_it_cannot_reckon_with():
    with pytest.raises(UserError, match="two seeds in common with ce"):
        needed(runs("nla", [0.7]) + runs("ce", [0.7]), [], "ce", 0.01)
    for gain, chance, what in ((0.0, 0.8, "--gain 0"), (0.01, 1.5, "--chance 1.5"), (0.01, 0.0, "--chance 0")):
        with pytest.raises(UserError, match=what):
            needed(runs("nla", [0.7] * 2) + runs("ce", [0.7] * 2), [], "ce", gain, 1, chance)
