"""What a section of the doctor's report is."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Section:
    """A part of the report: a table, with a header if it has columns, then what is to be said about it.

    notes: what is good to know. broken: what is wrong and its mend; runs do not work until it is mended.
    """

    title: str
    rows: list[tuple[str, ...]] = field(default_factory=list)
    columns: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


def first_line(error: BaseException) -> str:
    """An exception in one short line."""
    return f"{type(error).__name__}: {error}".split("\n")[0][:120]
