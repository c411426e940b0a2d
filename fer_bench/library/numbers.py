"""Numbers as people write them: 1/6 for 0.16666666666666666, in lists and in --set."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

LARGEST = 100  # denominator of what is shown as a fraction
DIGITS = 6  # of what is neither short nor a fraction


def short(value: Any) -> str:
    """A value for reading: what repr says in few characters, "1/6", or six digits; `exact` reads it back."""
    if not isinstance(value, float) or len(repr(value)) <= DIGITS + 2:
        return str(value)
    fraction = Fraction(value).limit_denominator(LARGEST)
    if fraction.numerator and float(fraction) == value:
        return str(fraction)
    return f"{value:.{DIGITS}g}"


def exact(text: str) -> float:
    """The float of "0.25", "1e-4" or "1/6"; ValueError for anything else."""
    if found := re.fullmatch(r"\s*([+-]?\d+)/(\d+)\s*", text):
        if not int(found[2]):
            raise ValueError(text)
        return float(Fraction(int(found[1]), int(found[2])))
    return float(text)
