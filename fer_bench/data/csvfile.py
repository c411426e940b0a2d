"""csv:PATH, any CSV with the columns path, label, split; image paths are relative to the CSV."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from fer_bench.data.archive import Layout, Source, read_table
from fer_bench.data.folder import VALID, class_names
from fer_bench.data.images import Found, Rows, Say
from fer_bench.errors import UserError, near

VERSION = 1
SPLIT_OF = {"train": "train", "test": "test", **dict.fromkeys(VALID, "valid")}


def _path(dataset: str) -> Path:
    return Path(dataset.partition(":")[2]).expanduser()


def root_of(dataset: str) -> Path:
    """The folder of the CSV; UserError when there is no such file."""
    path = _path(dataset)
    if not path.is_file():
        raise UserError(f"{path}: no such file; csv:PATH needs a CSV with columns path, label, split")
    return path.parent


def layouts(dataset: str) -> tuple[Layout, ...]:
    """The CSV itself."""
    name = _path(dataset).name
    return (Layout("csv", (name,), (name,), partial(_read, name)),)


def _read(file: str, source: Source, dataset: str, say: Say) -> Found:
    """Labels are all whole numbers (classes in order of number) or names (in order of name)."""
    rows: dict[str, list[tuple[str, str]]] = {}
    for line, (path, label, split) in read_table(source, file, ("path", "label", "split")):
        if split not in SPLIT_OF or not label:
            what = f"split '{split}': {near(split, SPLIT_OF)}" if label else "an empty label"
            raise UserError(f"{source.where(file)}:{line}: {what}; mend that line")
        rows.setdefault(SPLIT_OF[split], []).append((path, label))
    classes = class_names(sorted({label for part in rows.values() for _, label in part}))
    label_of = {name: i for i, name in enumerate(classes)}
    found = Found({}, [f"classes in order: {', '.join(classes)}"], classes)
    for split, part in rows.items():
        paths = [path for path, _ in part]
        found.splits[split] = Rows(paths, [label_of[label] for _, label in part], paths)
    return found
