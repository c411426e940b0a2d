"""csv:PATH, any CSV with the columns path, label, split; image paths are relative to the CSV."""

from __future__ import annotations

from fer_bench.data.adapter import Found, Options, Rows, Source, dataset
from fer_bench.data.class_folders import VALID, class_names
from fer_bench.data.lists import read_table
from fer_bench.errors import UserError, near

SPLIT_OF = {"train": "train", "test": "test", **dict.fromkeys(VALID, "valid")}


@dataset("csv:PATH", title="any CSV with columns path, label, split", layouts={"csv": ["{file}"]})
def read(root: Source, options: Options) -> Found:
    """Labels are all whole numbers (classes in order of number) or names (in order of name)."""
    file, rows = options.file, dict[str, list[tuple[str, str]]]()
    for line, (path, label, split) in read_table(root, file, ("path", "label", "split")):
        if split not in SPLIT_OF or not label:
            what = f"split '{split}': {near(split, SPLIT_OF)}" if label else "an empty label"
            raise UserError(f"{root.where(file)}:{line}: {what}; mend that line")
        rows.setdefault(SPLIT_OF[split], []).append((path, label))
    classes = class_names(sorted({label for part in rows.values() for _, label in part}))
    label_of = {name: i for i, name in enumerate(classes)}
    found = Found({}, [f"classes in order: {', '.join(classes)}"], classes)
    for split, part in rows.items():
        paths = [path for path, _ in part]
        found.splits[split] = Rows(paths, [label_of[label] for _, label in part], paths)
    return found
