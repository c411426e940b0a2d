"""Python files of methods and datasets: what they say as literals, read without running them, and their import."""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path
from typing import Any

from fer_bench.errors import UserError


def literal(path: Path, node: ast.AST, name: str) -> Any:
    """The value of a literal expression. Raises UserError, naming the file, for anything that would have to be run."""
    try:
        return ast.literal_eval(node)  # type: ignore[arg-type]
    except (ValueError, TypeError, SyntaxError):
        raise UserError(f"{path}: '{name}' must be a literal (it is read without running the file)") from None


def name_of(node: ast.AST | None) -> str:
    """The last part of a dotted name; empty for anything else."""
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def tree_of(path: Path) -> ast.Module:
    """A file's syntax tree. Raises UserError for a file that is not there, or that is no Python."""
    if not path.is_file():
        raise UserError(f"{path}: {'a folder, expected a Python file' if path.is_dir() else 'no such file'}")
    try:
        return ast.parse(path.read_text(), filename=str(path))
    except (OSError, SyntaxError, UnicodeDecodeError, ValueError) as error:
        raise UserError(f"{path}: not a readable Python file ({error}); mend it") from None


def calls_above(node: ast.ClassDef | ast.FunctionDef, decorator: str) -> list[ast.Call]:
    """The calls of a decorator above a class or function, from top to bottom."""
    return [d for d in node.decorator_list if isinstance(d, ast.Call) and name_of(d.func) == decorator]


def arguments(path: Path, call: ast.Call, first: str, tree: ast.Module | None = None) -> dict[str, Any]:
    """The literal arguments of a call, the positional one under the name ``first``. An argument may be the name of a
    literal that the module assigns, where its ``tree`` is given."""
    known = {name_of(target): node.value for node in tree.body if isinstance(node, ast.Assign)
             for target in node.targets} if tree else {}
    nodes = {str(k.arg): k.value for k in call.keywords if k.arg} | ({first: call.args[0]} if call.args else {})
    return {name: literal(path, known.get(name_of(node), node), name) for name, node in nodes.items()}


def imported(path: Path, code: str, what: str) -> Any:
    """The module of a file, imported once under a name of its own. code: tells versions of the file apart. Raises
    UserError naming the file, ``what`` and the cause."""
    name = f"fer_bench_file_{path.stem.replace('-', '_')}_{code}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except (Exception, SystemExit) as error:
            del sys.modules[name]
            raise UserError(f"{path}: {what} cannot be imported ({type(error).__name__}: {error}); mend the file, the "
                            "others are not affected") from error
    return sys.modules[name]
