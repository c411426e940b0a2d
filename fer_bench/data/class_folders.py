"""Class folders, as adapters read them: ``train/<class>/*``, ``test/<class>/*``, optionally a validation one; and the
classes of data that states none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from fer_bench.data.adapter import Found, Rows, Source
from fer_bench.data.expressions import EXPRESSIONS, expression_of_label, same_class
from fer_bench.errors import UserError

VALID = ("valid", "val", "validation")
MOST_CLASSES, MOST_LABEL = 200, 100  # as written; characters of one
BY_EXPRESSION = "expressions"  # of the option "classes"; the other value is "as written"


def split_folders(source: Source, inside: str = "") -> dict[str, str]:
    """Split -> folder: train, test, and valid where there is such a folder. inside: the folder that holds them. Raises
    UserError for two validation folders."""
    valid = [name for name in VALID if source.exists(inside + name)]
    if len(valid) > 1:
        raise UserError(f"{source.where(inside)}: {' and '.join(valid)} are both there, expected one validation "
                        "folder; keep the one that is meant")
    return {"train": "train", **({"valid": valid[0]} if valid else {}), "test": "test"}


def read_class_folders(source: Source, folders: dict[str, str], label_of: dict[str, int],
                       ignored: tuple[str, ...] = ()) -> Found:
    """Every split's images, label by the name of the class folder; ids are the names below the root.

    UserError for a class folder that is missing, empty, or of no known class.
    """
    result = Found({})
    for split, folder in folders.items():
        names: list[str] = []
        labels: list[int] = []
        present = source.folders(folder)
        for inner in present:
            if inner not in label_of and inner not in ignored:
                raise UserError(f"{source.where(f'{folder}/{inner}')}: no class of this dataset; expected "
                                f"{', '.join(label_of)}; rename or remove it")
        for inner, label in label_of.items():
            images = [f"{folder}/{inner}/{image}" for image in source.files(f"{folder}/{inner}")]
            if not images:
                what = "holds no images" if inner in present else "is not there"
                raise UserError(f"{source.where(f'{folder}/{inner}')}: this class folder {what}; "
                                f"every split needs images of every class ({', '.join(label_of)})")
            names += images
            labels += [label] * len(images)
        result.splits[split] = Rows(names, labels, names)
    return result


def class_names(labels: Iterable[str], option: str, place: str) -> tuple[tuple[str, ...], dict[str, int]]:
    """Classes, and label as written -> class, of data that states none: by number when all names are numbers, else by
    name; or by the usual names and order of expressions. Raises UserError for one class in all, for labels that only
    differ in spelling, and for a label that is no expression where expressions are asked for."""
    known = sorted(set(labels))
    if len(known) > MOST_CLASSES or max(map(len, known), default=0) > MOST_LABEL:
        raise UserError(f"{place}: {len(known):,} classes, such as '{max(known, key=len)[:60]}', expected at most "
                        f"{MOST_CLASSES} of {MOST_LABEL} characters; give the column or folders that hold classes")
    if bad := [label for label in known if not label.isprintable()]:
        raise UserError(f"{place}: label {bad[0]!r} has control characters; mend it")
    if option == BY_EXPRESSION:
        if strange := [label for label in known if expression_of_label(label) is None]:
            raise UserError(f"{place}: label '{strange[0]}' is no expression known; expected {', '.join(EXPRESSIONS)} "
                            "or a usual spelling; rename it, or leave --data-option classes=expressions out")
        meant = {label: str(expression_of_label(label)) for label in known}
        names = tuple(name for name in EXPRESSIONS if name in meant.values())
    else:
        refuse_spellings(known, place)
        meant = {label: label for label in known}
        names = tuple(sorted(known, key=int) if all(label.isdecimal() for label in known) else known)
    if len(names) < 2:
        raise UserError(f"{place}: {len(names)} class ({', '.join(known)}), expected at least two; with nothing to "
                        "tell apart every method is right")
    return names, {label: names.index(name) for label, name in meant.items()}


def refuse_spellings(labels: list[str], place: str) -> None:
    """Raise UserError for labels that are likely to mean one class."""
    groups: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        groups[same_class(label)].append(label)
    if twice := [" and ".join(f"'{one}'" for one in group) for group in groups.values() if len(group) > 1]:
        mend = "add --data-option classes=expressions, or write" if all(map(expression_of_label, labels)) else "write"
        raise UserError(f"{place}: {'; '.join(twice)} look like one class each, found as several; {mend} them "
                        "alike")
