"""McNemar, Friedman, Nemenyi: known values of books and packages, slow counting, what groups must be."""

import math

import numpy as np
import pytest
from made_records import noise, runs
from scipy.stats import binomtest

from fer_bench.statistics.pairs import mcnemar
from fer_bench.statistics.ranks import cases_of, cliques, complete, critical_difference, rank_methods


def right(both, first, second, none):
    """Two networks by how many faces both, either or none has right."""
    one = [True] * (both + first) + [False] * (second + none)
    other = [True] * both + [False] * first + [True] * second + [False] * none
    return np.array(one), np.array(other)


def test_mcnemar_of_the_approval_ratings():
    """Agresti's table (R's ?mcnemar.test): 794, 86, 150, 570; exact by R's binom.test(86, 236)."""
    found = mcnemar(*right(794, 86, 150, 570))
    assert (found.only_one, found.only_other) == (86, 150)
    assert found.p == pytest.approx(binomtest(86, 236).pvalue)
    assert found.p == pytest.approx(3.716e-05, rel=1e-3)


@pytest.mark.parametrize("first, second", [(0, 0), (3, 3), (0, 5), (1, 5), (9, 2)])
def test_mcnemar_by_counting(first, second):
    count, low = first + second, min(first, second)
    tail = sum(math.comb(count, k) for k in range(low + 1)) / 2**count
    assert mcnemar(*right(10, first, second, 4)).p == pytest.approx(min(1, 2 * tail))


def test_mcnemar_wants_faces_in_pairs():
    with pytest.raises(ValueError, match="one shape"):
        mcnemar(np.ones(3, bool), np.ones(4, bool))


# Hollander and Wolfe (1973), page 140: times of three ways to round first base, in R's ?friedman.test; the fastest best
ROUNDING = [(5.40, 5.50, 5.55), (5.85, 5.70, 5.75), (5.20, 5.60, 5.50), (5.55, 5.50, 5.40), (5.90, 5.85, 5.70),
            (5.45, 5.55, 5.60), (5.40, 5.40, 5.35), (5.45, 5.50, 5.35), (5.25, 5.15, 5.00), (5.85, 5.80, 5.70),
            (5.25, 5.20, 5.10), (5.65, 5.55, 5.45), (5.60, 5.35, 5.45), (5.05, 5.00, 4.95), (5.50, 5.50, 5.40),
            (5.45, 5.55, 5.50), (5.55, 5.55, 5.35), (5.45, 5.50, 5.55), (5.50, 5.45, 5.25), (5.65, 5.60, 5.40),
            (5.70, 5.65, 5.55), (6.30, 6.30, 6.25)]


def test_friedman_of_rounding_first_base():
    found = rank_methods([dict(zip(("round", "narrow", "wide"), (-x for x in row), strict=True)) for row in ROUNDING])
    assert found.statistic == pytest.approx(11.1429, abs=1e-4)
    assert found.p == pytest.approx(0.003805, abs=1e-6)
    assert list(found.ranks) == ["wide", "narrow", "round"]
    assert sum(found.ranks.values()) == pytest.approx(6)


@pytest.mark.parametrize("methods, q", [(2, 1.960), (3, 2.343), (5, 2.728), (10, 3.164)])
def test_nemenyi_as_demsar_has_it(methods, q):
    """Table 5(a) of Demsar (2006)."""
    assert critical_difference(methods, 20) == pytest.approx(q * math.sqrt(methods * (methods + 1) / 120), rel=4e-4)


def test_the_example_of_demsar():
    """His section 3.2.2: four methods, 14 datasets, critical difference 1.25 at .05."""
    assert critical_difference(4, 14) == pytest.approx(1.25, abs=0.005)


@pytest.mark.parametrize("number", range(20))
def test_cliques_by_all_pairs(number):
    random = np.random.default_rng(number)
    ranks = {f"m{k}": float(v) for k, v in enumerate(random.integers(2, 16, 8) / 2)}
    groups = cliques(ranks, 1.6)
    for one in ranks:
        for other in ranks:
            if one != other:
                near = abs(ranks[one] - ranks[other]) < 1.6
                assert near == any({one, other} <= set(group) for group in groups)
    assert not any(set(a) < set(b) for a in groups for b in groups)


def test_methods_that_are_alike_are_one_group():
    cases = [{"a": 0.5, "b": 0.5, "c": 0.5}] * 4
    found = rank_methods(cases)
    assert (found.p, found.ranks) == (1.0, {"a": 2.0, "b": 2.0, "c": 2.0})
    assert found.cliques == (("a", "b", "c"),)


def test_cases_are_means_over_seeds():
    made = runs("nla", [0.8, 0.82]) + runs("ce", [0.7]) + runs("ce", [0.5, 0.6], content=noise(0.3))
    assert cases_of(made, "overall") == [{"ce": pytest.approx(0.7), "nla": pytest.approx(0.81)},
                                         {"ce": pytest.approx(0.55)}]


def test_ranks_need_whole_cases():
    for cases in ([], [{"a": 1.0, "b": 0.0, "c": 0.5}], [{"a": 1.0, "b": 0.0}] * 3,
                  [{"a": 1.0, "b": 0.0, "c": 0.5}, {"a": 1.0, "b": 0.0}]):
        with pytest.raises(ValueError, match="two cases or more"):
            rank_methods(cases)
    lacking = [{"a": 1.0, "b": 0.0, "c": 0.5}, {"a": 1.0, "b": 0.0}, {"a": 1.0}]
    assert complete(lacking) == [{"a": 1.0, "b": 0.0}, {"a": 1.0, "b": 0.0}]
