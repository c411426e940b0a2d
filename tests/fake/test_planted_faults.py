"""The pretended device finds what it is there to find: every planted fault, named, and none where there is none."""

from __future__ import annotations

import pytest
from planted_engine import FAULTS, plant, ready

from fer_bench.fake.children import apart

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def reports(request):
    """Reports of the faults that were asked for, by name."""
    names = sorted({item.callspec.params["name"] for item in request.session.items
                    if item.path == request.path and hasattr(item, "callspec")}) + [""]
    return {names[place]: report for place, report in apart(plant, [(name,) for name in names], 2, ready)}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_named(name, reports):
    report, word = reports[name], FAULTS[name][2]
    assert not report.passed
    assert any(word in line for line in [*report.problems, report.error or ""]), report


def test_nothing_is_found_where_nothing_was_planted(reports):
    assert reports[""].passed, reports[""]
