"""What goes wrong on the user's side, said in one line. Read it before you write an error message."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Bad input: the message names the thing, what was found, what was expected and the mend.

    The command line prints it as one line and exits with status 2; nothing else may follow it. Control characters, as
    a file's name or a label may hold, are written as escapes, so that none reaches a terminal.
    """

    def __init__(self, text: str) -> None:
        super().__init__("\n".join(map(printable, text.split("\n"))))


def printable(text: str) -> str:
    """Text that may come from a user's file, with nothing in it that a terminal or a page would obey."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def near(name: str, known: Iterable[str]) -> str:
    """A hint for an unknown name: its nearest matches, or all that is known when none is near."""
    choices = sorted(known)
    matches = difflib.get_close_matches(name, choices, n=3, cutoff=0.5)
    if matches:
        return "did you mean " + " or ".join(matches) + "?"
    return "known: " + ", ".join(choices) if choices else "none is known"


def unknown(kind: str, name: str, known: Iterable[str]) -> UserError:
    """The error for a name that is not in a registry, for example ``unknown("method", "nlaa", ...)``."""
    return UserError(f"unknown {kind} '{name}': {near(name, known)}")
