"""One thread per process: the suite's tests run in parallel, and small tensors gain nothing from more."""

import gc
import os
import sys
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent / "support"))

pytest.register_assert_rewrite("faulty", "submitted", "tinyfolder")  # their assertions show what they compared



def pytest_terminal_summary(terminalreporter):
    """What the tests of faults and clusters survived, in numbers, whichever process ran them."""
    reports = [report for kind in terminalreporter.stats.values() for report in kind
               if isinstance(report, pytest.TestReport)]
    if lines := [line for report in reports if report.when == "call" for name, line in report.user_properties
                 if name == "survived"]:
        terminalreporter.section("survived")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture(autouse=True)
def collector():
    """Commands switch Python's garbage collector off, since their process is short; that of the tests is not."""
    yield
    gc.enable()


@pytest.fixture
def figures(record_property):
    """Called with a line for the end of the test run."""
    return lambda line: record_property("survived", line)
