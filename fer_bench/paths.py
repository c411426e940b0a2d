"""Where the suite's own files lie: beside the package in a checkout, inside it in an installed wheel."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def builtin_folder(name: str) -> Path:
    """The folder ``methods`` or ``protocols`` that came with the suite."""
    installed = PACKAGE / "builtin" / name
    return installed if installed.is_dir() else PACKAGE.parent / name
