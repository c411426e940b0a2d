"""Class folders named by expression, in whatever spelling: ``train/Happy/*``, ``Test/happiness/*``."""

from __future__ import annotations

from collections.abc import Sequence

from fer_bench.data.adapter import Found, Source
from fer_bench.data.class_folders import read_class_folders, split_folders
from fer_bench.data.expressions import expression
from fer_bench.errors import UserError


def folder_labels(source: Source, folder: str, classes: Sequence[str]) -> dict[str, int]:
    """Class folder -> label, in order of label; a class without a folder stands under its own name. UserError for two
    folders of one class."""
    found: dict[str, str] = {}
    for inner in source.folders(folder):
        word = expression(inner)
        if word in found:
            raise UserError(f"{source.where(folder)}: '{found[word]}' and '{inner}' are both class '{word}'; put their "
                            "images into one folder")
        found[word] = inner
    return {found.get(name, name): label for label, name in enumerate(classes)}


def other_folders(source: Source, folder: str, classes: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """The folders of ``known`` expressions that are none of the classes."""
    return tuple(inner for inner in source.folders(folder)
                 if expression(inner) in known and expression(inner) not in classes)


def read_named_folders(source: Source, folders: dict[str, str], classes: Sequence[str],
                       left_out: Sequence[str] = ()) -> Found:
    """``read_class_folders`` for folders (split -> folder) named by expression. left_out: expressions whose faces are
    left out, which is said."""
    result = Found({})
    for split, folder in folders.items():
        ignored = other_folders(source, folder, classes, left_out)
        labels = folder_labels(source, folder, classes)
        part = read_class_folders(source, {split: folder}, labels, ignored)
        result.splits |= part.splits
        result.notes += part.notes
        for inner in ignored:
            result.notes.append(f"{split}: {len(source.files(f'{folder}/{inner}'))} images of {inner} left out")
    return result


def test_or_valid(source: Source, inside: str = "") -> dict[str, str]:
    """Split -> folder: train; test, and a validation folder beside it; without a test folder the validation one is the
    test set, as copies of datasets without a validation split have it. Errors as ``split_folders``."""
    folders = split_folders(source, inside)
    if source.exists(f"{inside}test"):
        return folders
    return {"train": "train", "test": folders.get("valid", "")}
