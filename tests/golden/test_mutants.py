"""Golden runs alone notice changed formulas and constants, even within the tolerance of another machine."""

from __future__ import annotations

import multiprocessing
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from mutants_of_formulas import ENGINE, METHODS

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


def run(folder: Path, case: str, pipe: Any) -> None:
    """In a child: where a golden run of the suite in ``folder`` leaves its file, as on a machine of another kind."""
    places = [str(folder), str(folder / "tests" / "support")]
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if name.split(".")[0] == "fer_bench" or file.startswith(str(ROOT / "tests")):
            del sys.modules[name]
    sys.path[:] = places + [place for place in sys.path if not place.startswith(str(ROOT))]
    import golden

    pipe.send(golden.difference(case, golden.cases()[case](), exact=False))


def left(folder: Path, case: str) -> str:
    """What ``run`` says."""
    here, there = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=run, args=(folder, case, there))
    child.start()
    there.close()
    try:
        return here.recv()
    except EOFError:
        return "it does not run"
    finally:
        child.join()


@pytest.mark.parametrize(("file", "old", "new", "case"), MUTANTS, ids=lambda part: part[:30])
def test_a_changed_formula_is_noticed(copy, file, old, new, case):
    path = copy / file
    text = path.read_text()
    assert text.count(old) == 1, f"{file} has '{old}' {text.count(old)} times"
    try:
        path.write_text(text.replace(old, new))
        found = left(copy, case)
    finally:
        path.write_text(text)
    assert found and found != "it does not run", f"{file}: {new!r} instead of {old!r} goes unnoticed by {case}"


def test_an_unchanged_copy_is_not_noticed(copy):
    assert [left(copy, case) for case in ("methods/nla", "engine/flip", "engine/labels")] == ["", "", ""]
