"""The eight expressions and how datasets spell them: one word for "Happy", "happiness" and "joy"."""

from __future__ import annotations

# The suite's word for an expression, and how other datasets spell it; upper and lower case count as equal.
SPELLINGS = {
    "surprise": ("surprised",),
    "fear": ("fearful", "afraid", "scared"),
    "disgust": ("disgusted",),
    "happiness": ("happy", "joy", "joyful"),
    "sadness": ("sad",),
    "anger": ("angry",),
    "neutral": ("neutrality",),
    "contempt": ("contemptuous",),
}
EXPRESSION = {spelling: name for name, spellings in SPELLINGS.items() for spelling in (name, *spellings)}


def expression(name: str) -> str:
    """The suite's word for a class; a class that is none of the expressions is its own, in lower case."""
    word = name.strip().lower()
    return EXPRESSION.get(word, word)
