"""SFEW: frames of films in folders Train, Val and Test, by expression.

The labels of Test were kept for a challenge: where Test has no class folders, Val is the test set, as in most papers.
"""

from __future__ import annotations

from fer_bench.data.adapter import Found, Options, Source, dataset
from fer_bench.data.named_folders import read_named_folders


@dataset("sfew", title="SFEW, frames of films", source="by request to its authors",
         classes=["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"],
         layouts={"class folders": ["Train/Angry|Train/Anger", "Val/Angry|Val/Anger"]}, watch=["Train", "Val", "Test"])
def read(root: Source, options: Options) -> Found:
    """Class folders of two or of three splits."""
    if root.folders("Test"):
        return read_named_folders(root, {"train": "Train", "valid": "Val", "test": "Test"}, options.classes)
    found = read_named_folders(root, {"train": "Train", "test": "Val"}, options.classes)
    found.notes.append("Val is the test set, since Test has no labels")
    return found
