"""What a section of the doctor's report is."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Problem:
    """What is wrong, and its mend. needed: runs do not work, or cannot be trusted, until it is mended."""

    text: str
    needed: bool = True


@dataclass
class Section:
    """A part of the report: a table, with a header if it has columns, then advice and problems."""

    title: str
    rows: list[tuple[str, ...]] = field(default_factory=list)
    columns: tuple[str, ...] = ()
    advice: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def first_line(error: BaseException) -> str:
    """An exception in one short line."""
    return f"{type(error).__name__}: {error}".split("\n")[0][:120]
