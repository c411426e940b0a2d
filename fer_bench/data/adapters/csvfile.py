"""csv:PATH, a table of faces of one's own; image paths are relative to it."""

from __future__ import annotations

import difflib
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from fer_bench.data.adapter import Box, Found, Options, Rows, Source, dataset
from fer_bench.data.class_folders import class_names
from fer_bench.data.lists import read_rows
from fer_bench.errors import UserError, near

SPLITS = {"train": "train", "training": "train", "test": "test", "testing": "test", "privatetest": "test",
          "valid": "valid", "val": "valid", "validation": "valid", "publictest": "valid"}
HEADS = {  # how columns may be headed, in lower case
    "path": ("path", "image", "filename", "file", "img", "image_path", "filepath", "image name"),
    "label": ("label", "emotion", "expression", "class"),
    "split": ("split", "usage", "set", "subset", "partition"),
    "id": ("id", "face_id"),
    "subject": ("subject", "person", "subject_id"),
}
BOXES = (("x", "y", "width", "height"), ("face_x", "face_y", "face_width", "face_height"),
         ("left", "top", "right", "bottom"), ("x1", "y1", "x2", "y2"))
VOTES = ("votes_", "vote_")


@dataset("csv:PATH", title="a CSV with columns path, label, split", layouts={"csv": ["{file}"]}, version=2,
         options={"classes": ["as written", "expressions"], "path": [""], "label": [""], "split": [""], "column": [""]})
def read(root: Source, options: Options) -> Found:
    """Classes in order of name, of number when all labels are numbers, or of the expressions."""
    place = root.where(options.file)
    rows = read_rows(root, options.file)
    _, header = next(rows)
    columns = Columns([head.strip() for head in header], options, place)
    parts = dict[str, Part]()
    for line, cells in rows:
        columns.add(parts, cells, f"{place}:{line}")
    labels = (label for part in parts.values() for label in part.labels)
    names, label_of = class_names(labels, options["classes"], place)
    found = Found({}, [f"classes in order: {', '.join(names)}", columns.note()], names)
    for split, part in parts.items():
        found.splits[split] = part.rows(label_of, names, columns, place)
    if "train" in parts and (unseen := set(names) - {names[label_of[label]] for label in parts["train"].labels}):
        raise UserError(f"{place}: no training face of {', '.join(sorted(unseen))}; every class needs some")
    if "test" in parts and (absent := set(names) - {names[label_of[label]] for label in parts["test"].labels}):
        found.notes.append(f"no test face of {', '.join(sorted(absent))}")
    return found


@dataclass
class Part:
    """The rows of one split, as written."""

    ids: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    votes: list[list[float]] = field(default_factory=list)
    subjects: list[str] = field(default_factory=list)
    second: list[str] = field(default_factory=list)

    def rows(self, label_of: dict[str, int], names: tuple[str, ...], columns: Columns, place: str) -> Rows:
        """The split as a pack has it. Raises UserError for votes or a second label of no class."""
        found = Rows(self.ids, [label_of[label] for label in self.labels], self.paths, self.boxes or None)
        if columns.votes:
            found.votes = np.zeros((len(self.ids), len(names)), np.float32)
            for head, votes in zip(columns.votes, np.array(self.votes, np.float32).T, strict=True):
                found.votes[:, _class_of(head, label_of, place)] += votes
        if columns.at.get("subject") is not None:
            order = sorted(set(self.subjects))
            found.columns["subject"] = np.array([order.index(one) for one in self.subjects])
        if columns.second:
            found.columns[columns.second] = np.array(
                [-1 if not one else _class_of(one, label_of, place) for one in self.second], np.int64)
        return found


def _class_of(label: str, label_of: dict[str, int], place: str) -> int:
    if label not in label_of:
        raise UserError(f"{place}: '{label}' is no class of its labels; {near(label, label_of)}")
    return label_of[label]


class Columns:
    """Which columns of a header hold what."""

    def __init__(self, header: list[str], options: Options, place: str) -> None:
        self.header, self.place = header, place
        lower = [head.lower() for head in header]
        if twice := [head for head, count in Counter(lower).items() if count > 1 and head]:
            raise UserError(f"{place}: column '{twice[0]}' is there twice; name each once")
        self.at: dict[str, int | None] = {}
        for what, heads in HEADS.items():
            asked = options.values.get(what, "")
            if asked and asked.lower() not in lower:
                raise UserError(f"{place}: no column '{asked}' in its header; {near(asked, header)}")
            wanted = (asked.lower(),) if asked else heads
            self.at[what] = next((lower.index(head) for head in wanted if head in lower), None)
        for what in ("path", "label"):
            if self.at[what] is None:
                raise UserError(f"{place}: no column '{what}' in its header; {near(what, header)} (or name it: "
                                f"--data-option {what}=NAME)")
        if self.at["split"] is None and (meant := difflib.get_close_matches("split", lower, 1, 0.75)):
            raise UserError(f"{place}: no column 'split' in its header; did you mean {meant[0]}? (name it: "
                            f"--data-option split={meant[0]})")
        self.box = next((names for names in BOXES if all(name in lower for name in names)), ())
        self.box_at = [lower.index(name) for name in self.box]
        votes = [head for head in header if head.lower().startswith(VOTES)]
        self.votes = [head.partition("_")[2] for head in votes]
        self.votes_at = [header.index(head) for head in votes]
        self.second = options["column"]
        if self.second and self.second not in header:
            raise UserError(f"{place}: no column '{self.second}' in its header; {near(self.second, header)}")

    def cell(self, cells: list[str], what: str) -> str:
        """A row's cell of what; empty where there is no such column."""
        return "" if (at := self.at[what]) is None else cells[at].strip()

    def add(self, parts: dict[str, Part], cells: list[str], place: str) -> None:
        """Put one row into its split. Raises UserError for one that cannot be."""
        if len(cells) != len(self.header):
            raise UserError(f"{place}: {len(cells)} values, the header has {len(self.header)}; mend that line")
        split = SPLITS.get(self.cell(cells, "split").lower(), "") if self.at["split"] is not None else "train"
        label = self.cell(cells, "label")
        if not split or not label:
            what = "an empty label" if split else (f"split '{self.cell(cells, 'split')}': "
                                                   f"{near(self.cell(cells, 'split').lower(), SPLITS)}")
            raise UserError(f"{place}: {what}; mend that line")
        part = parts.setdefault(split, Part())
        path = self.cell(cells, "path")
        part.paths.append(path)
        part.ids.append(self.cell(cells, "id") or path)
        part.labels.append(label)
        try:
            if self.box:
                part.boxes.append(_box([float(cells[at]) for at in self.box_at], self.box[-1]))
            part.votes.append([float(cells[at] or 0) for at in self.votes_at])
        except ValueError:
            raise UserError(f"{place}: a box or a vote is no number, or a box is empty; mend that line") from None
        part.subjects.append(self.cell(cells, "subject"))
        part.second.append(cells[self.header.index(self.second)].strip() if self.second else "")

    def note(self) -> str:
        """Which columns were taken, and which were left."""
        used = {at for at in self.at.values() if at is not None} | set(self.box_at) | set(self.votes_at)
        used |= {self.header.index(self.second)} if self.second else set()
        left = [head for number, head in enumerate(self.header) if number not in used]
        taken = ", ".join(self.header[number] for number in sorted(used))
        return f"columns taken: {taken}" + (f"; left: {', '.join(left)}" if left else "") + (
            "" if self.at["split"] is not None else "; no split: all are training faces")


def _box(numbers: list[float], last: str) -> Box:
    """(left, top, right, bottom) in whole pixels. Raises ValueError for an empty one."""
    left, top, a, b = map(int, numbers)
    right, bottom = (left + a, top + b) if last.endswith("height") else (a, b)
    if right <= left or bottom <= top:
        raise ValueError
    return left, top, right, bottom
