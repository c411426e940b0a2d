"""What further tests gave, beside the records, since a record is written once and a test may be asked for later.

results/further/ab/<id>/<kind>-<digest>.json   one test of one run
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fer_bench.data.selection import Images
from fer_bench.runs.faces import prepared
from fer_bench.runs.further import FurtherTest
from fer_bench.runs.plan import Plan
from fer_bench.runs.store import Record, Store, write_whole


def path_of(results: Path, run: str, test: FurtherTest) -> Path:
    """Where the outcome of a further test of a run lies."""
    return results / "further" / run[:2] / run / f"{test.kind}-{test.digest}.json"


def open_tests(results: Path, plan: Plan) -> list[FurtherTest]:
    """The further tests of a run whose outcome is not there yet."""
    return [test for test in plan.further if not path_of(results, plan.spec.id, test).exists()]


def add_tests(results: Path, record: dict[str, Any], plan: Plan) -> list[FurtherTest]:
    """Do those open tests of a finished run that its record is enough for; returns the others."""
    from fer_bench.engine.further import Trained  # here: reading outcomes needs no torch

    predicted = np.array(record["result"]["predictions"])
    for test in open_tests(results, plan):
        if not test.of_network:
            data = prepared(plan.request, plan.part, plan.protocol, record["spec"]["seed"])
            trained = Trained(no_network, data.train, data.test, predicted, np.zeros(0, np.int64), np.zeros(0))
            write_outcome(results, record["id"], test, test.run(trained))
    return open_tests(results, plan)


def no_network(images: Images) -> np.ndarray:
    """What predicts for a test that needs no network."""
    raise AssertionError("this test has no network")


def keep(store: Store, plan: Plan, record: Record, found: list[dict[str, Any]], warn: Callable[[str], None]) -> str:
    """Write a record and what its further tests gave: "done", or "conflict" where another record of the run is there.
    Tests of another network do not come to stand beside that one."""
    if store.write_record(record) == "conflict":
        there = store.record(plan.spec.id, warn) or record
        why = differing(there["environment"], record["environment"]) or "on the same processor, with the same versions"
        if found:
            warn(f"{plan.spec.title}: its network is not that of its record ({why}), so its further tests are not "
                 "kept; the same command with another --results keeps both, without training again")
        return "conflict"
    for test, one in zip(open_tests(store.results, plan), found, strict=True):
        write_outcome(store.results, plan.spec.id, test, one)
    return "done"


def differing(there: dict[str, Any], here: dict[str, Any]) -> str:
    """In what two places differ that records were made at, which may be why their bits do."""
    return "; ".join(f"{name} {there.get(name)} there, {here[name]} here" for name in here
                     if name != "commit" and there.get(name) != here[name])


def write_outcome(results: Path, run: str, test: FurtherTest, found: dict[str, Any]) -> None:
    """Keep the outcome of a further test."""
    write_whole(path_of(results, run, test), json.dumps(test.content(found), allow_nan=False) + "\n")


def with_outcomes(records: list[Record], results: Path, warn: Callable[[str], None]) -> list[Record]:
    """The records with the outcomes of their further tests under "further"; damaged ones are said and left out."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for path in sorted((results / "further").glob("??/*/*.json")):
        try:
            one = json.loads(path.read_text())
            assert {"kind", "name", "about", "words", "result"} <= one.keys()
        except (ValueError, AssertionError, AttributeError):
            warn(f"outcome {path} is damaged; not used: delete it and give the same command again")
            continue
        found[path.parent.name].append(one)
    return [{**record, "further": found[record["id"]]} if record["id"] in found else record for record in records]
