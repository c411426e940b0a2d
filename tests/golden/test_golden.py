"""Every golden run repeats; what is to be done when one does not is said by ``golden.problem``."""

from __future__ import annotations

import golden
import pytest
from cases import INFOS
from write import render

from fer_bench.library.versions import own_fingerprints


@pytest.mark.parametrize("case", golden.cases())
def test_a_golden_run_repeats(case):
    if found := golden.problem(case):
        pytest.fail(found)


@pytest.mark.parametrize("name", INFOS)
def test_a_methods_file_is_the_one_that_passed(name):
    """Otherwise its runs would be identified by its fingerprint, as an edited copy's are."""
    info = INFOS[name]
    assert own_fingerprints().get(info.file.name) == info.code, (
        f"{info.file.name} was edited: see that its golden run passes, and say so: python tests/golden/write.py")
    assert info.version == 1 + len(info.history)


def test_every_golden_file_is_of_a_case():
    files = {str(path.relative_to(golden.FOLDER).with_suffix("")) for path in golden.FOLDER.glob("*/*.json")}
    assert files == set(golden.cases())


def test_a_golden_file_is_written_as_it_was_read():
    case = "engine/metrics"
    assert render(golden.kept(case)) == (golden.FOLDER / f"{case}.json").read_text()


def test_other_numbers_and_raised_versions_are_told_apart(monkeypatch):
    kept = golden.kept("engine/metrics")
    first = next(iter(kept["numbers"]))
    moved = {**kept, "numbers": {**kept["numbers"], first: [kept["numbers"][first][0] + 1e-9]}}
    monkeypatch.setattr(golden, "kept", lambda case: moved)
    monkeypatch.setattr(golden, "here", lambda: kept["made"])
    assert "raise the version of the engine" in golden.problem("engine/metrics"), "on the same machine bits count"
    monkeypatch.setattr(golden, "here", lambda: {"processor": "another", "torch": "2"})
    assert golden.problem("engine/metrics") == "", "on another one the tolerance does"
    monkeypatch.setattr(golden, "ENGINE_VERSION", 2)
    assert "declared is {'engine': 2}" in golden.problem("engine/metrics")
