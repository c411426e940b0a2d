"""Plain text as LaTeX text, in ASCII: what any label may hold. Read it when a character breaks a paper."""

from __future__ import annotations

import unicodedata

ESCAPES = {
    **{mark: f"\\{mark}" for mark in "_%&#${}"},
    "\\": r"\textbackslash{}",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
    "[": "{[}",  # a row that starts with [ would be read as an option of the \\ before it
    "]": "{]}",
    "±": r"$\pm$",
    "−": "$-$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "†": r"$^{\dagger}$",
    "‡": r"$^{\ddagger}$",
    "⋆": r"$^{\star}$",
    "…": r"\ldots{}",
    "–": "--",
    "—": "---",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
    "ß": r"\ss{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "ı": r"\i{}",
    "\N{NO-BREAK SPACE}": "~",
}
ACCENTS = {"\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u", "\u0307": ".",
           "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0327": "c", "\u0323": "d"}
GREEK = "GREEK SMALL LETTER "
UNNAMED = ("OMICRON", "FINAL SIGMA")  # LaTeX has no command for them


def escape(text: str) -> str:
    """Plain text as LaTeX text that needs no package. What LaTeX's own fonts lack is named by its code: (U+4E2D)."""
    return "".join(_character(one) for one in unicodedata.normalize("NFC", text))


def _character(one: str) -> str:
    if one in ESCAPES:
        return ESCAPES[one]
    if one.isascii():
        return one if one.isprintable() else " "
    base, *marks = list(unicodedata.normalize("NFD", one))
    if base.isascii() and len(marks) == 1 and marks[0] in ACCENTS:
        return rf"\{ACCENTS[marks[0]]}{{{base}}}"
    name = unicodedata.name(one, "")
    if name.startswith(GREEK) and (letter := name.removeprefix(GREEK)).isalpha() and letter not in UNNAMED:
        return rf"$\{'lambda' if letter == 'LAMDA' else letter.lower()}$"
    return f"(U+{ord(one):04X})"
