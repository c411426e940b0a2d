"""Further tests in tables: a record becomes one for each test of a kind, with the test's numbers in place of its own.

Everything else about tables (pairing by seed, versions, missing runs) is then as it is for other columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from statistics import fmean
from typing import Any

from fer_bench.errors import UserError
from fer_bench.tables.model import Record
from fer_bench.tables.records import dataset_of

OWN = {"subset": "all", "corruptions": "clean"}  # how the run's own test set is called among the tests of a kind


def expanded(records: Sequence[Record], kind: str) -> list[Record]:
    """One record for each further test of a kind, with "tested" (its name) and "words" (what asks for it), and one for
    the own test set of those that have any. Raises UserError for two tests of one name that are not the same."""
    found, known = [], dict[tuple[str, str], str]()
    for record in records:
        tests = [test for test in record.get("further", ()) if test["kind"] == kind]
        for test in tests:
            key = dataset_of(record), test["name"]
            about = str(sorted(test["about"].items()))
            if "fold" not in record["spec"]["dataset"] and known.setdefault(key, about) != about:
                raise UserError(f"the table would mix two {kind} tests named '{test['name']}' of dataset '{key[0]}': "
                                "delete the outcomes of one from results/further, or give the lists names of their own")
        if tests and kind != "votes":
            found.append(_as(record, record["result"]["last"], OWN.get(kind, dataset_of(record)), {"words": ()}))
        for test in tests:
            found += [_as(record, numbers, name, test) for name, numbers in _numbers(test, record)]
    return found


def _as(record: Record, numbers: dict[str, Any], tested: str, test: dict[str, Any]) -> Record:
    result = {"last": numbers, "best": numbers, "val": None}
    return {**record, "result": result, "tested": tested, "words": tuple(test["words"]), "about": test.get("about", {})}


def _numbers(test: dict[str, Any], record: Record) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and metrics of each column that a test fills."""
    found = test["result"]
    if test["kind"] == "corruptions":
        means = {name: {key: fmean(one[key] for one in strengths) for key in ("overall", "mean")}
                 for name, strengths in found.items()}
        yield from means.items()
        yield "mean", {key: fmean(numbers[key] for numbers in means.values()) for key in ("overall", "mean")}
    elif test["kind"] == "votes":
        yield test["name"], record["result"]["last"] | vote_numbers(found)
    elif found["faces"]:
        yield test["name"], found


def vote_numbers(found: dict[str, Any]) -> dict[str, Any]:
    """The metrics of a comparison with votes, under names of their own; what no face has is left out."""
    numbers = {f"votes_{key}": found[key] for key in ("nll", "kl", "calibration")}
    numbers |= {name: group["accuracy"] for name, group in found["by_agreement"].items()}
    return {name: value for name, value in numbers.items() if value is not None}


def test_notes(records: Iterable[Record]) -> list[str]:
    """What the columns of further tests were measured on."""
    found = {record["tested"]: record["about"] for record in records if record.get("about", {}).get("faces")}
    parts = [f"{name} {about['faces']:,}" + (f" ({', '.join(about['classes'])})" if "classes" in about else "")
             for name, about in sorted(found.items())]
    through = ", through the classes that both have" if any("classes" in about for about in found.values()) else ""
    return [f"Test faces{through}: {'; '.join(parts)}."] if parts else []
