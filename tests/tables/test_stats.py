"""The statistics of tables: against scipy, against hand-worked numbers, and for their laws."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from fer_bench.tables import stats

GAPS = st.lists(st.integers(-200, 200).map(lambda points: points / 10_000), min_size=1, max_size=9)
PS = st.dictionaries(st.text("abcdefgh", min_size=1, max_size=3), st.floats(0, 1), min_size=1, max_size=8)


def scipy_sign_flip(gaps: list[float]) -> float:
    test = scipy_stats.permutation_test(
        (np.array(gaps),), np.sum, permutation_type="samples", n_resamples=np.inf, vectorized=True
    )
    return float(test.pvalue)


def test_mean_and_std_are_those_of_numpy() -> None:
    values = [0.812, 0.799, 0.823]
    assert stats.mean(values) == pytest.approx(np.mean(values), abs=1e-15)
    assert stats.std(values) == pytest.approx(np.std(values, ddof=1), abs=1e-15)
    assert stats.std([0.5]) is None
    with pytest.raises(ValueError, match="no values"):
        stats.mean([])


@pytest.mark.parametrize("count", [2, 3, 5, 8, 10])
def test_sign_flip_is_scipys_exact_permutation_test(count: int) -> None:
    gaps = list(np.random.default_rng(count).normal(0.005, 0.01, count))
    assert stats.sign_flip(gaps) == pytest.approx(scipy_sign_flip(gaps), abs=1e-12)


@pytest.mark.parametrize("count", [1, 3, 5, 6, 10, 16, 20])
def test_the_least_p_is_reached_when_all_pairs_agree(count: int) -> None:
    assert stats.sign_flip([0.01] * count) == pytest.approx(stats.least_p(count), abs=2 / stats.DRAWS)
    assert stats.sign_flip([0.01 * (seed + 1) for seed in range(count)]) >= stats.least_p(count)


def test_five_seeds_reach_no_less_than_a_sixteenth() -> None:
    assert stats.least_p(5) == 0.0625
    assert stats.sign_flip([0.3, 0.2, 0.25, 0.4, 0.1]) == 0.0625


def test_monte_carlo_is_near_the_exact_value_and_repeatable() -> None:
    gaps = list(np.random.default_rng(1).normal(0.004, 0.01, 17))
    exact = stats.sign_flip(gaps[:16])
    assert stats.sign_flip(gaps) == stats.sign_flip(gaps)
    assert abs(stats.sign_flip([*gaps[:16], 0.0]) - exact) < 0.01  # a zero pair changes nothing


def test_sign_flip_of_nothing_or_nan_is_refused() -> None:
    for gaps in ([], [0.1, math.nan]):
        with pytest.raises(ValueError, match="finite differences"):
            stats.sign_flip(gaps)


def test_sums_that_only_rounding_tells_apart_are_equal() -> None:
    gaps = [0.0] * 5 + [-0.0001, -0.0075, 0.0076]  # half of the sums are 0 and every one is as large as the observed 0
    assert stats.sign_flip(gaps) == stats.sign_flip(gaps[::-1]) == stats.sign_flip([10 * gap for gap in gaps]) == 1


@given(GAPS)
def test_sign_flip_is_symmetric_and_blind_to_order(gaps: list[float]) -> None:
    p = stats.sign_flip(gaps)
    assert stats.least_p(len(gaps)) <= p <= 1
    assert stats.sign_flip([-gap for gap in gaps]) == p
    assert stats.sign_flip(gaps[::-1]) == p
    assert stats.sign_flip([10 * gap for gap in gaps]) == p


def test_holm_is_that_of_r() -> None:
    adjusted = stats.holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})  # p.adjust(c(...), "holm")
    assert adjusted == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02})
    assert list(adjusted) == ["a", "b", "c", "d"]
    assert stats.holm({}) == {}


@given(PS)
def test_holm_keeps_the_order_and_never_lowers_a_p(p_values: dict[str, float]) -> None:
    adjusted = stats.holm(p_values)
    for one, p in p_values.items():
        assert p <= adjusted[one] <= 1
        for other, q in p_values.items():
            assert p > q or adjusted[one] <= adjusted[other]


def seeds(*values: float) -> dict[int, float]:
    return dict(enumerate(values))


def test_bold_is_what_ten_seeds_cannot_tell_from_the_best() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.004, (3, 10))
    values = {
        "best": seeds(*(0.85 + noise[0])),
        "near": seeds(*(0.848 + noise[1])),
        "far": seeds(*(0.80 + noise[2])),
    }
    assert stats.can_separate(values)
    assert stats.not_below_best(values) == {"best", "near"}


def test_three_seeds_can_tell_nothing() -> None:
    values = {"good": seeds(0.9, 0.9, 0.9), "bad": seeds(0.1, 0.1, 0.1)}
    assert not stats.can_separate(values)
    assert stats.not_below_best(values) == {"good", "bad"}
    assert stats.not_below_best({}) == set()


def test_more_methods_need_more_seeds() -> None:
    two = {"a": seeds(*[0.9] * 6), "b": seeds(*[0.8] * 6)}
    three = {**two, "c": seeds(*[0.7] * 6)}
    assert stats.not_below_best(two) == {"a"}  # p = 2/64
    assert stats.not_below_best(three) == {"a", "b", "c"}  # twice that, after Holm
    assert (stats.can_separate(two), stats.can_separate(three)) == (True, False)


def test_a_method_without_a_common_seed_is_not_judged() -> None:
    values = {"a": seeds(*[0.9] * 6), "b": {seed + 100: 0.1 for seed in range(6)}}
    assert stats.not_below_best(values) == {"a", "b"}
    assert stats.gains_over(values, "a") == {}


def test_gains_are_paired_by_seed_and_adjusted_over_methods() -> None:
    ce = seeds(0.80, 0.70, 0.60)
    values = {"ce": ce, "one": seeds(0.81, 0.72), "two": {2: 0.63}, "same": ce}
    gains = stats.gains_over(values, "ce")
    assert gains["one"] == pytest.approx((0.015, 1.0))  # .5, doubled by Holm
    assert gains["two"][0] == pytest.approx(0.03) and gains["two"][1] is None
    assert gains["same"] == (0.0, 1.0)
    assert "ce" not in gains
    assert stats.gains_over(values, "absent") == {}
