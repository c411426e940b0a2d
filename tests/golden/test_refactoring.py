"""A refactoring of the engine leaves ids and golden runs as they were; a changed constant does not pass unseen."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
COMMAND = ["run_bench.py", "--method", "ce,nla", "--protocol", "clean,noise30", "--seeds", "2", "--dry-run"]
GOLDEN = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/golden/test_golden.py", "-k",
          "methods/nla] or methods/ce] or engine/erase or engine/shift or engine/metrics"]


@pytest.fixture
def copy(tmp_path):
    """The suite in a folder of its own."""
    for name in ("fer_bench", "methods", "protocols", "tests", "run_bench.py", "pyproject.toml"):
        place = tmp_path / "suite" / name
        place.parent.mkdir(exist_ok=True)
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, place)
    return tmp_path / "suite"


def python(folder: Path, *words: str) -> subprocess.CompletedProcess:
    """Run Python in the copy, which must not see this checkout."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True)


def ids(folder: Path) -> str:
    """The ids and titles of some runs, as the command line prints them."""
    done = python(folder, *COMMAND, "--cache", str(folder.parent / "cache"))
    assert done.returncode == 0, done.stderr
    return done.stdout.partition("\n\n")[0]


def edit(path: Path, *changes: tuple[str, str]) -> None:
    """Change a file; every change must find something."""
    text = path.read_text()
    for old, new in changes:
        assert re.search(old, text), old
        text = re.sub(old, new, text)
    path.write_text(text)


def test_renamed_variables_and_a_moved_function_change_nothing(copy):
    before = ids(copy)
    engine = copy / "fer_bench" / "engine"
    edit(engine / "trainer.py", (r"\bcount\b", "steps_so_far"))
    edit(engine / "augment.py", (r"\bplace\b", "position"), (r"\barea\b", "surface"))
    text = (engine / "augment.py").read_text()
    start, end = text.index("def erase("), text.index("def normalise(")
    imports = "from __future__ import annotations\n\nimport torch\nfrom torch import Tensor\n\n\n"
    (engine / "erasing.py").write_text('"""Moved."""\n\n' + imports + text[start:end])
    moved = text[:start] + text[end:]
    (engine / "augment.py").write_text(moved.replace(
        "from fer_bench.engine.keyed", "from fer_bench.engine.erasing import erase\nfrom fer_bench.engine.keyed"))
    assert ids(copy) == before
    done = python(copy, *GOLDEN)
    assert done.returncode == 0, done.stdout[-2000:]


def test_a_changed_constant_fails_and_names_the_version(copy):
    edit(copy / "fer_bench" / "engine" / "augment.py", (r"ERASE_RATIO = \(0\.3, 3\.3\)", "ERASE_RATIO = (0.4, 3.3)"))
    done = python(copy, *GOLDEN)
    assert done.returncode == 1
    assert "raise the version of the engine" in done.stdout and "fer_bench/library/versions.py" in done.stdout
    assert "python tests/golden/write.py" in done.stdout and "methods/nla] PASSED" not in done.stdout


def test_a_changed_method_names_its_own_version(copy):
    before = ids(copy)
    edit(copy / "methods" / "nla.py", (r"slope: float = 15\.0", "slope: float = 5.0"))
    done = python(copy, *GOLDEN)
    assert done.returncode == 1 and "raise the version of method 'nla'" in done.stdout
    assert "python tests/golden/write.py methods/nla" in done.stdout and "version of the engine" not in done.stdout
    same = [a == b for a, b in zip(ids(copy).splitlines(), before.splitlines(), strict=True)]
    assert same == [" ce " in line for line in before.splitlines()], "an edited copy has another id, no other has"


def test_written_over_only_when_the_version_was_raised(copy):
    edit(copy / "methods" / "focal.py", (r"gamma: float = 2\.0", "gamma: float = 1.9"))
    refused = python(copy, "tests/golden/write.py", "methods/focal")
    assert refused.returncode == 1 and "raise the version of method 'focal'" in refused.stderr
    edit(copy / "methods" / "focal.py", (r'@register\("focal", ', '@register("focal", history=("a gentler gamma",), '))
    assert python(copy, "tests/golden/write.py", "methods/focal").returncode == 0
    said = python(copy, "-c", "from fer_bench.library.methods import method_info as m; print(m('focal').version)")
    assert said.stdout.strip() == "2"
    assert python(copy, "tests/golden/write.py", "focal").returncode == 2, "a golden run is named by its file"
