"""Where in the suite, or in a method's file, something is done: what the author of a method must look at."""

from __future__ import annotations

import sys
import sysconfig
import traceback
from functools import cache
from pathlib import Path

import torch

HERE = Path(__file__).resolve().parent
PACKAGE = HERE.parent
TORCH, STDLIB = Path(torch.__file__).parent, Path(sysconfig.get_paths()["stdlib"])
Frame = tuple[str, int]  # file and line


@cache
def owner(file: str) -> str:
    """Whose a file is: "method", "network", "suite", or "" for what is not looked at: torch, Python, this room."""
    path = Path(file)
    if path.is_relative_to(PACKAGE / "builtin"):
        return "method"
    if path.is_relative_to(PACKAGE):
        return "" if path.is_relative_to(HERE) else "network" if path.is_relative_to(PACKAGE / "nets") else "suite"
    if path.is_relative_to(TORCH) or file.startswith("<"):
        return ""
    if {"site-packages", "dist-packages"} & set(path.parts):
        return "network"
    return "" if path.is_relative_to(STDLIB) else "method"


def stack() -> list[Frame]:
    """The calls under way, innermost first, up to where the run is driven."""
    frame, found = sys._getframe(1), []
    while frame is not None and frame.f_code.co_filename != str(HERE / "drive.py"):
        found.append((frame.f_code.co_filename, frame.f_lineno))
        frame = frame.f_back  # type: ignore[assignment]
    return found


def raised(error: Exception) -> list[Frame]:
    """The calls that were under way when an exception was raised, innermost first."""
    frames = [(frame.filename, frame.lineno or 0) for frame in traceback.extract_tb(error.__traceback__)]
    start = max((i for i, (file, _) in enumerate(frames) if file == str(HERE / "drive.py")), default=-1)
    return frames[:start:-1]


def in_network() -> bool:
    """Whether it is a network that torch is called by, not a method or the engine."""
    return next(filter(None, (owner(file) for file, _ in stack())), "") == "network"


def place(frames: list[Frame]) -> str:
    """The innermost place of ours, and the method's line that led there: " at file:line, from file:line"."""
    ours = [frame for frame in frames if owner(frame[0])]
    method = [frame for frame in ours if owner(frame[0]) == "method"][:1]
    places = [short(*frame) for frame in dict.fromkeys([*ours[:1], *method])]
    return " at " + ", from ".join(places) if places else ""


def short(file: str, line: int) -> str:
    """A file relative to the checkout, or its name alone, and the line."""
    path = Path(file)
    inside = path.is_relative_to(PACKAGE.parent) and "site-packages" not in path.parts
    return f"{path.relative_to(PACKAGE.parent) if inside else path.name}:{line}"
