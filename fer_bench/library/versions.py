"""Declared versions: what a run's identity says of the suite's own code, so that an id outlives its refactoring.

A version is raised when numbers change and only then; tests/golden keeps that honest. Code that others wrote, plug-ins
and edited copies of the suite's methods, is identified by its fingerprint, since nobody raises a version there.
"""

from __future__ import annotations

import json
from pathlib import Path

from fer_bench.paths import builtin_folder

# Of fer_bench/engine, nets, method.py and what protocols do to a dataset. Add one line each time that numbers change:
# why. The first version has none.
ENGINE_HISTORY: tuple[str, ...] = ()
ENGINE_VERSION = 1 + len(ENGINE_HISTORY)
FINGERPRINTS = "fingerprints.json"  # beside the suite's methods: the code that golden runs were passed with


def own_fingerprints() -> dict[str, str]:
    """File name -> fingerprint of each of the suite's methods, as their golden runs last passed."""
    try:
        found: dict[str, str] = json.loads((builtin_folder("methods") / FINGERPRINTS).read_text())
        return found
    except FileNotFoundError:
        return {}


def is_own(file: Path, fingerprint: str) -> bool:
    """Whether a file of methods is the suite's own and as it came, so that its declared version stands for it."""
    return file.parent == builtin_folder("methods") and own_fingerprints().get(file.name) == fingerprint


def told(version: int | str, history: tuple[str, ...]) -> str:
    """A version in words: "version 2 (the JSD is summed over classes)"; a fingerprint as "code 0a1b2c3d4e5f"."""
    if not isinstance(version, int):
        return f"code {version}"
    why = history[version - 2] if 2 <= version <= len(history) + 1 else ""
    return f"version {version}" + (f" ({why})" if why else "")
