"""The eight expressions, and how published sets spell them."""

from __future__ import annotations

EXPRESSIONS = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")
SPELLINGS = {
    "neutral": ("ne", "neu", "neutrality", "neutral expression"),
    "happiness": ("happy", "ha", "hap", "joy", "joyful", "smile"),
    "sadness": ("sad", "sa"),
    "surprise": ("surprised", "su", "sur", "suprise"),
    "fear": ("fearful", "afraid", "fe", "fea", "scared"),
    "disgust": ("disgusted", "di", "dis"),
    "anger": ("angry", "an", "ang"),
    "contempt": ("contemptuous", "co", "con"),
}
_NAMES = {spelled: name for name, others in SPELLINGS.items() for spelled in (name, *others)}


def expression(label: str) -> str | None:
    """The usual name of an expression, whatever its spelling; None for anything else."""
    return _NAMES.get(" ".join(label.lower().replace("_", " ").replace("-", " ").split()))


def same_class(label: str) -> str:
    """What labels have in common that are likely to mean one class: case, spelling, zeros before a number."""
    plain = label.strip().lower()
    return str(int(plain)) if plain.isdecimal() else expression(plain) or plain
