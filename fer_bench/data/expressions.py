"""The eight expressions and how datasets spell them: one word for "Happy", "happiness" and "joy"."""

from __future__ import annotations

EXPRESSIONS = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")
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
SHORT = {"ne": "neutral", "ha": "happiness", "sa": "sadness", "su": "surprise", "fe": "fear", "di": "disgust",
         "an": "anger", "co": "contempt"}  # JAFFE's and others' codes


def expression(name: str) -> str:
    """The suite's word for a class; a class that is none of the expressions is its own, in lower case."""
    word = name.strip().lower()
    return EXPRESSION.get(word, word)


def expression_of_label(label: str) -> str | None:
    """The suite's word for a label as sets write it, a code of two letters among them; None for anything else."""
    word = expression(label)
    word = SHORT.get(word, word)
    return word if word in EXPRESSIONS else None


def same_class(label: str) -> str:
    """What labels have in common that are likely to mean one class: case, spelling, zeros before a number."""
    plain = label.strip().lower()
    return str(int(plain)) if plain.isdecimal() else expression(plain)
