"""csv:PATH, a table of faces of one's own; image paths are relative to it."""

from __future__ import annotations

import difflib
from array import array
from collections import Counter
from dataclasses import dataclass, field
from sys import intern

import numpy as np

from fer_bench.data.adapter import Box, Found, Options, Rows, Source, dataset
from fer_bench.data.boxes import CORNERS, SIZED, box_of
from fer_bench.data.class_folders import class_names
from fer_bench.data.forms import first_names
from fer_bench.data.lists import read_cells
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
BOXES: dict[tuple[str, ...], tuple[str, ...]] = {
    SIZED: SIZED, ("face_x", "face_y", "face_width", "face_height"): SIZED, CORNERS: CORNERS,
    ("x1", "y1", "x2", "y2"): CORNERS}
VOTES = ("votes_", "vote_")
MOST_VOTES = 1_000_000  # for one class; nobody asked so many people


@dataset("csv:PATH", title="a CSV with columns path, label, split", layouts={"csv": ["{file}"]}, version=3,
         options={"classes": ["as written", "expressions"], "path": [""], "label": [""], "split": [""], "column": [""]})
def read(root: Source, options: Options) -> Found:
    """Classes in order of name, of number when all labels are numbers, or of the expressions."""
    place = root.where(options.file)
    rows = read_cells(root, options.file)
    _, header = next(rows)
    columns = Columns([head.strip() for head in header], options, place)
    parts = dict[str, Part]()
    for line, cells in rows:
        columns.add(parts, cells, f"{place}:{line}")
    labels = (label for part in parts.values() for label in part.labels)
    names, label_of = class_names(labels, options["classes"], place)
    found = Found({}, [f"classes in order: {', '.join(names)}", columns.note()], names)
    for split, part in parts.items():
        found.splits[split] = part.rows(label_of, columns, place)
    found.notes += votes_notes(found, label_of, columns) if columns.votes else []
    if columns.at["subject"] is not None:
        add_subjects(found, parts)
    if "train" in parts and (unseen := set(names) - {names[label_of[label]] for label in parts["train"].labels}):
        raise UserError(f"{place}: no training face of {', '.join(sorted(unseen))}; every class needs some")
    if "test" in parts and (absent := set(names) - {names[label_of[label]] for label in parts["test"].labels}):
        found.notes.append(f"no test face of {', '.join(sorted(absent))}")
    return found


@dataclass
class Part:
    """The rows of one split, as written. votes: one row after the other."""

    ids: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    votes: array[float] = field(default_factory=lambda: array("f"))
    subjects: list[str] = field(default_factory=list)
    second: list[str] = field(default_factory=list)

    def rows(self, label_of: dict[str, int], columns: Columns, place: str) -> Rows:
        """The split as a pack has it. Raises UserError for votes or a second label of no class."""
        found = Rows(self.ids, [label_of[label] for label in self.labels], self.paths, self.boxes or None)
        if columns.votes:
            found.votes = columns.votes_by_class(self.votes, label_of, place)
        if columns.second:
            found.columns[columns.second] = np.array(
                [-1 if not one else _class_of(one, label_of, place) for one in self.second], np.int64)
        return found


def add_subjects(found: Found, parts: dict[str, Part]) -> None:
    """The column subject, int64, one number for a person in all splits; -1 where none is written."""
    people = sorted({one for part in parts.values() for one in part.subjects if one})
    number = {"": -1} | {one: i for i, one in enumerate(people)}
    for split, part in parts.items():
        found.splits[split].columns["subject"] = np.array([number[one] for one in part.subjects], np.int64)
    if unknown := sum(part.subjects.count("") for part in parts.values()):
        found.notes.append(f"{unknown} faces without a subject, who count as one person")
    splits_of = Counter(one for part in parts.values() for one in set(part.subjects) if one)
    if both := sorted(one for one, count in splits_of.items() if count > 1):
        found.notes.append(f"{len(both)} subjects are in several splits ({first_names(both)})")


def votes_notes(found: Found, label_of: dict[str, int], columns: Columns) -> list[str]:
    """Which classes and faces have no votes."""
    covered = {label_of[head] for head in columns.votes}
    lacking = [name for number, name in enumerate(found.classes or ()) if number not in covered]
    none = [rows.ids[row] for rows in found.splits.values() if rows.votes is not None
            for row in np.flatnonzero(rows.votes.sum(1) == 0)]
    return [*([f"no column of votes for {', '.join(lacking)}: counted as no votes"] if lacking else []),
            *([f"{len(none)} faces without any vote ({first_names(none)})"] if none else [])]


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
        heads = next((names for names in BOXES if all(name in lower for name in names)), ())
        self.box = BOXES.get(heads, ())
        self.box_at = [lower.index(name) for name in heads]
        votes = [head for head in header if head.lower().startswith(VOTES)]
        self.votes = [head.partition("_")[2] for head in votes]
        self.votes_at = [header.index(head) for head in votes]
        self.second = options["column"]
        if self.second and self.second not in header:
            raise UserError(f"{place}: no column '{self.second}' in its header; {near(self.second, header)}")
        self.second_at = header.index(self.second) if self.second else -1

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
        part.labels.append(intern(label))
        if self.box:
            part.boxes.append(box_of([cells[at].strip() for at in self.box_at], self.box, place))
        part.votes.extend([_vote(cells[at].strip(), self.header[at], place) for at in self.votes_at])
        part.subjects.append(intern(self.cell(cells, "subject")))
        part.second.append(intern(cells[self.second_at].strip()) if self.second else "")

    def votes_by_class(self, votes: array[float], label_of: dict[str, int], place: str) -> np.ndarray:
        """float32 [N, C] of votes as written, N rows of these columns. Raises UserError for a column of no class."""
        written = np.array(votes, np.float32).reshape(-1, len(self.votes))
        found = np.zeros((len(written), max(label_of.values()) + 1), np.float32)
        for head, column in zip(self.votes, written.T, strict=True):
            found[:, _class_of(head, label_of, place)] += column
        return found

    def note(self) -> str:
        """Which columns were taken, and which were left."""
        used = {at for at in self.at.values() if at is not None} | set(self.box_at) | set(self.votes_at)
        used |= {self.second_at} - {-1}
        left = [head for number, head in enumerate(self.header) if number not in used]
        taken = ", ".join(self.header[number] for number in sorted(used))
        return f"columns taken: {taken}" + (f"; left: {', '.join(left)}" if left else "") + (
            "" if self.at["split"] is not None else "; no split: all are training faces")


def _vote(cell: str, head: str, place: str) -> float:
    """A number of votes, 0 for an empty cell. Raises UserError for what is none: negative, infinite, NaN, no number."""
    try:
        number = float(cell or 0)
    except ValueError:
        number = -1
    if not 0 <= number <= MOST_VOTES:  # NaN, too
        raise UserError(f"{place}: {head} '{cell[:60]}' is no number of votes, expected 0..{MOST_VOTES:,}; mend that "
                        "line")
    return number
