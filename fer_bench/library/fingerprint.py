"""Fingerprints of code: what a run's identity says about the program that made it.

Two trees that differ only in comments, docstrings, blank lines or the Python version that reads them have the same
fingerprint; any other change, however small, gives another.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from fer_bench.paths import PACKAGE

# Everything that can change a number in a record. Readers of data are absent: the dataset's own fingerprint stands
# for them; so are protocol.py and spec.py, whose resolved content is in the spec.
NUMERIC = ("method.py", "protocols/corrupt.py", "protocols/instance_noise.py", "protocols/prepare.py", "nets", "engine")


def engine_hash() -> str:
    """Fingerprint of the modules that can change numbers, 12 hex digits."""
    files: list[Path] = []
    for name in NUMERIC:
        path = PACKAGE / name
        files.extend(sorted(path.glob("*.py")) if path.is_dir() else [path])
    return code_hash(files)


def code_hash(files: Iterable[Path]) -> str:
    """sha256 over the files' names and syntax trees, 12 hex digits. Reads each file anew."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name}\n{_file_hash(file.read_bytes())}\n".encode())
    return digest.hexdigest()[:12]


@cache
def _file_hash(source: bytes) -> str:
    return hashlib.sha256(canonical(ast.parse(source)).encode()).hexdigest()


def canonical(node: object) -> str:
    """A syntax tree as text: no positions, no docstrings, no empty fields (they differ between Python versions)."""
    if isinstance(node, ast.AST):
        fields = []
        for name, value in ast.iter_fields(node):
            if name == "body" and isinstance(value, list) and _has_docstring(node):
                value = value[1:]
            if value is None and not isinstance(node, ast.Constant) or value == [] or name in ("kind", "ctx"):
                continue
            fields.append(f"{name}={canonical(value)}")
        return f"{type(node).__name__}({','.join(fields)})"
    if isinstance(node, list):
        return "[" + ",".join(map(canonical, node)) + "]"
    return repr(node)


def _has_docstring(node: ast.AST) -> bool:
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    return isinstance(node, kinds) and ast.get_docstring(node, clean=False) is not None
