"""A pytest plugin: one line of JSON for each test as soon as it has ended, those that compile last."""

from __future__ import annotations

import json
import os
from typing import Any

FILE = "FER_BENCH_FIRST_HOUR_TESTS"  # the variable that names the file to append to


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Compiling takes most of the time and tells least."""
    items.sort(key=lambda item: "compiled" in item.nodeid)


def pytest_runtest_logreport(report: Any) -> None:
    """Keep how a test ended, and how its teardown did if that failed."""
    if report.when == "call" or report.outcome != "passed":
        row = {"test": report.nodeid, "outcome": report.outcome, "seconds": report.duration, "error": error(report)}
        with open(os.environ[FILE], "a") as file:
            file.write(json.dumps(row) + "\n")


def error(report: Any) -> str:
    """The first line of what went wrong, or why it was skipped."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash else report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    return str(text or "").strip().split("\n")[0][:300]
