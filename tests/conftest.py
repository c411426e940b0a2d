"""One thread per process: the suite's tests run in parallel, and small tensors gain nothing from more."""

import os
import sys
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent / "support"))

pytest.register_assert_rewrite("faulty", "submitted", "tinyfolder")  # their assertions show what they compared

FIGURES: list[str] = []


def pytest_terminal_summary(terminalreporter):
    """What the tests of faults and clusters survived, in numbers."""
    if FIGURES:
        terminalreporter.section("survived")
        for line in FIGURES:
            terminalreporter.write_line(line)


@pytest.fixture
def figures():
    """Called with a line for the end of the test run."""
    return FIGURES.append
