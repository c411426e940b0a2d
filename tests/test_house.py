"""The rooms of the package: which may import which, that none is a circle, and which do without torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "fer_bench"
BELOW = {"errors", "paths"}
MAY = {  # room: what it may import; everyone may import itself and the package's version
    "errors": set(),
    "python_files": {"errors"},
    "paths": set(),
    "method": set(),
    "parts": {"method"},
    "data": BELOW | {"python_files"},
    "nets": BELOW,
    "weights": BELOW | {"nets"},
    "protocols": BELOW | {"data"},
    "library": BELOW | {"python_files", "data", "protocols"},
    "registry": {"library"},
    "engine": BELOW | {"method", "nets", "data", "protocols"},
    "tables": BELOW | {"library", "protocols"},
    "statistics": BELOW | {"tables"},
    "report": BELOW | {"data", "library", "tables", "statistics"},
    "runs": BELOW | {"engine", "library", "protocols", "data", "nets", "weights", "method"},
    "fake": BELOW | {"engine", "nets", "data", "protocols", "method"},
    "estimate": BELOW | {"fake", "runs", "engine", "library", "protocols", "nets", "data", "method"},
    "cluster": BELOW | {"runs", "library", "protocols", "data", "weights"},
    "doctor": BELOW | {"estimate", "runs", "engine", "protocols", "nets", "method"},
}
MAY["cli"] = set(MAY) - {"method", "registry", "parts"}
FILES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    """The room of a file: the folder below fer_bench, or the file itself."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


@cache
def imports(path: Path) -> frozenset[str]:
    """The modules of the package that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "fer_bench":
            found |= {f"{node.module}.{alias.name}" if module(f"{node.module}.{alias.name}") else node.module
                      for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] == "fer_bench"}
    return frozenset(found - {"fer_bench"})


def module(name: str) -> Path | None:
    """The file of a module by its dotted name."""
    place = PACKAGE.parent.joinpath(*name.split("."))
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None)


@pytest.mark.parametrize("name", sorted({room(path) for path in FILES} - {"__init__"}))
def test_a_room_imports_what_it_may(name):
    for path in FILES:
        if room(path) == name:
            others = {found.split(".")[1] for found in imports(path)} - {name}
            assert others <= MAY[name], f"{path.name} imports {others - MAY[name]}: move it, or change the house"


def test_the_rooms_are_no_circle():
    assert list(TopologicalSorter(MAY).static_order())


def test_the_files_are_no_circle():
    arrows = {path: {found for name in imports(path) if (found := module(name))} - {path} for path in FILES}
    rooms = {path: {o for o in others if o.name != "__init__.py"} for path, others in arrows.items()}
    assert list(TopologicalSorter(rooms).static_order())


def test_nothing_imports_the_methods():
    for path in FILES:
        names = [node.module or "" for node in ast.walk(ast.parse(path.read_text()))
                 if isinstance(node, ast.ImportFrom)]
        assert not any(name.split(".")[0] in ("methods", "tests", "benchmarks") for name in names), path


def test_each_room_says_what_it_is_for():
    for folder in (path for path in PACKAGE.iterdir() if path.is_dir() and any(path.glob("*.py"))):
        assert len(ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or "") > 40, folder.name


@pytest.mark.parametrize("name", ["tables", "statistics", "report", "library", "registry"])
def test_a_room_without_torch(name):
    files = [path for path in FILES if room(path) == name]
    names = [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
             for path in files]
    code = f"import sys, {', '.join(names)}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent).returncode == 0
