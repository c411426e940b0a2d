"""Golden runs alone notice changed formulas and constants, even within the tolerance of another machine."""

from __future__ import annotations

import multiprocessing
import shutil
import sys
from pathlib import Path
from typing import Any

import golden
import pytest
from mutants_of_formulas import ENGINE, METHODS, SMALL

ROOT = Path(__file__).resolve().parents[2]
MUTANTS = [(f"methods/{name}.py", old, new, f"methods/{case}") for name, old, new, case in METHODS]
MUTANTS += [(f"fer_bench/{name}", old, new, f"engine/{case}") for name, old, new, case in ENGINE]


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The suite in another folder, to be spoilt."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("fer_bench", "methods", "protocols", "tests/support", "tests/golden"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def run(folder: Path, case: str, exact: bool, pipe: Any) -> None:
    """In a child: where a golden run of the suite in ``folder`` leaves its file, by its bits or by the tolerance."""
    places = [str(folder), str(folder / "tests" / "support")]
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if name.split(".")[0] == "fer_bench" or file.startswith(str(ROOT / "tests")):
            del sys.modules[name]
    sys.path[:] = places + [place for place in sys.path if not place.startswith(str(ROOT))]
    import golden

    pipe.send(golden.difference(case, golden.cases()[case](), exact))


def left(folder: Path, case: str, exact: bool = False) -> str:
    """What ``run`` says; without ``exact`` as on a machine of another kind."""
    here, there = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=run, args=(folder, case, exact, there))
    child.start()
    there.close()
    try:
        return here.recv()
    except EOFError:
        return "it does not run"
    finally:
        child.join()


def mutated(folder: Path, file: str, old: str, new: str, case: str, exact: bool) -> str:
    """What ``left`` says of a suite with one change."""
    path = folder / file
    text = path.read_text()
    assert text.count(old) == 1, f"{file} has '{old}' {text.count(old)} times"
    try:
        path.write_text(text.replace(old, new))
        return left(folder, case, exact)
    finally:
        path.write_text(text)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"{mutant[3]} {mutant[2][:30]}")
def test_a_changed_formula_is_noticed_on_any_machine(copy, mutant):
    found = mutated(copy, *mutant, exact=False)
    assert found and found != "it does not run", f"{mutant[2]!r} instead of {mutant[1]!r} goes unnoticed"


@pytest.mark.parametrize("mutant", SMALL, ids=lambda mutant: f"{mutant[3]} {mutant[2][:30]}")
def test_a_small_change_is_noticed_by_its_bits(copy, mutant):
    if golden.kept(mutant[3])["made"] != golden.here():
        pytest.skip("the golden files were made on another kind of machine, or with another torch")
    found = mutated(copy, *mutant, exact=True)
    assert found and found != "it does not run", f"{mutant[2]!r} instead of {mutant[1]!r} goes unnoticed"


def test_an_unchanged_copy_is_not_noticed(copy):
    assert [left(copy, case) for case in ("methods/nla", "engine/flip", "engine/labels")] == ["", "", ""]


def test_there_are_forty_at_least():
    assert len(MUTANTS) >= 60
