"""FERPlus: the faces of FER2013 with ten FER+ votes each.

Labels follow the official majority rule (src/ferplus.py, mode "majority", of the FERPlus repository): single votes are
set to zero, and the winner of all ten columns must have more than half of what is left and be one of the kept emotions.
For 7 classes contempt still votes but cannot win.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass

import numpy as np

from fer_bench.data.adapter import Found, Options, Rows, Source, dataset
from fer_bench.data.adapters.fer2013 import SIDE, face_rows, pixel_row, split_of
from fer_bench.data.lists import read_table
from fer_bench.errors import UserError

VOTES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
FER2013_TO_FERPLUS = np.array([4, 5, 6, 1, 3, 2, 0])
FOLDER_OF = {"train": "FER2013Train", "valid": "FER2013Valid", "test": "FER2013Test"}
LAYOUTS = {"csv": ["fer2013.csv", "fer2013new.csv"],
           "folders": ["FER2013Train", "FER2013Valid", "FER2013Test", "fer2013new.csv|FER2013Train/label.csv"]}
WATCH = ["FER2013Train/label.csv", "FER2013Valid/label.csv", "FER2013Test/label.csv"]
SOURCE = "fer2013.csv from Kaggle's FER challenge, fer2013new.csv from github.com/microsoft/FERPlus"


@dataset("ferplus7", title="FERPlus, majority vote, without contempt", source=SOURCE, layouts=LAYOUTS, watch=WATCH,
         classes=["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear"])
@dataset("ferplus8", title="FERPlus, majority vote", source=SOURCE, layouts=LAYOUTS, watch=WATCH,
         classes=["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"])
def read(root: Source, options: Options) -> Found:
    """The two CSVs, or the folders of generate_training_data.py."""
    reader = read_csv if options.layout == "csv" else read_folders
    return reader(root, len(options.classes))


@dataclass
class Table:
    """The votes file, row by row: split, image name ("" where there is none), ten votes int64 [N, 10]."""

    splits: list[str]
    names: list[str]
    votes: np.ndarray

    def ids(self) -> list[str]:
        """The image name where it is there and unique, else the row: "row00012" (counted from 0)."""
        count = Counter(self.names)
        return [name if name and count[name] == 1 else f"row{i:05d}" for i, name in enumerate(self.names)]


def majority(votes: np.ndarray, num_classes: int) -> np.ndarray:
    """Labels int64 [N] by the official rule from votes int [N, 10] in file order; -1: no label."""
    kept = np.where(votes > 1, votes, 0)
    winner = kept.argmax(1)
    clear = kept.max(1) > 0.5 * kept.sum(1)
    return np.where(clear & (winner < num_classes), winner, -1)


def read_csv(source: Source, classes: int) -> Found:
    table = votes_table(source)
    labels = majority(table.votes, classes)
    images = np.zeros((int((labels >= 0).sum()), SIDE, SIDE), np.uint8)
    original = np.full(len(labels), -1)
    done = count = 0
    for line, emotion, pixels, split in face_rows(source):
        if count >= len(labels) or split != table.splits[count]:
            raise UserError(f"{source.where('fer2013.csv')}:{line}: its Usage is not that of the same row of "
                            "fer2013new.csv; the two files must match row by row, get both anew")
        original[count] = emotion
        if labels[count] >= 0:
            images[done] = pixel_row(pixels, source.where("fer2013.csv"), line)
            done += 1
        count += 1
    if count != len(labels):
        raise UserError(f"{source.where('fer2013.csv')}: {count} rows, fer2013new.csv has {len(labels)}; "
                        "the two files must match row by row, get both anew")
    return found_rows(table, labels, classes, images, original)


def read_folders(source: Source, classes: int) -> Found:
    """Images of generate_training_data.py, votes of fer2013new.csv or of each folder's label.csv."""
    table = votes_table(source) if source.exists("fer2013new.csv") else label_files(source)
    labels = majority(table.votes, classes)
    files = [f"{FOLDER_OF[split]}/{image}" for split, image in zip(table.splits, table.names, strict=True)]
    return found_rows(table, labels, classes, np.array(files)[labels >= 0], None)


def found_rows(table: Table, labels: np.ndarray, classes: int, images: np.ndarray,
           original: np.ndarray | None) -> Found:
    """Kept rows by split. images: pixels, or names, of the kept rows only."""
    kept = labels >= 0
    split_of, ids = np.array(table.splits)[kept], np.array(table.ids())[kept]
    votes, labels = table.votes[kept, :classes].astype(np.float32), labels[kept]
    left_out = len(kept) - int(kept.sum())
    result = Found({}, [f"{left_out} of {len(kept)} faces left out: no majority (official rule)"])
    for split in FOLDER_OF:
        rows = split_of == split
        part = images[rows]
        result.splits[split] = Rows(ids[rows].tolist(), labels[rows],
                                    part if part.dtype == np.uint8 else part.tolist(), votes=votes[rows])
        if original is not None:
            mapped = np.where(original >= 0, FER2013_TO_FERPLUS[original], -1)[kept]
            result.splits[split].columns["fer2013"] = mapped[rows]
    if images.dtype == np.uint8 and (empty := int((images.reshape(len(images), -1).max(1) == 0).sum())):
        result.notes.append(f"{empty} kept faces are all black; the official counts include them")
    return result


def votes_table(source: Source) -> Table:
    splits, names, votes = [], [], []
    for line, (usage, name, *cells) in read_table(source, "fer2013new.csv", ("Usage", "Image name", *VOTES)):
        place = f"{source.where('fer2013new.csv')}:{line}"
        splits.append(split_of(usage, place))
        names.append(name)
        votes.append(votes_of(cells, place))
    return Table(splits, names, np.array(votes).reshape(-1, len(VOTES)))


def label_files(source: Source) -> Table:
    """label.csv of each folder, no header: image name, in some copies a box, ten votes."""
    table = Table([], [], np.zeros((0, len(VOTES)), int))
    for split, folder in FOLDER_OF.items():
        name = f"{folder}/label.csv"
        if not source.exists(name):
            raise UserError(f"{source.where(name)}: no such file; put it, or fer2013new.csv, there")
        rows = list(csv.reader(io.StringIO(source.text(name))))
        votes = [votes_of(row[-len(VOTES):], f"{source.where(name)}:{i}") for i, row in enumerate(rows, 1)]
        table.splits += [split] * len(rows)
        table.names += [row[0].strip() for row in rows]
        table.votes = np.concatenate([table.votes, np.array(votes).reshape(-1, len(VOTES))])
    return table


def votes_of(cells: list[str], place: str) -> list[int]:
    if len(cells) != len(VOTES) or not all(cell.strip().isdigit() for cell in cells):
        raise UserError(f"{place}: votes '{','.join(cells)[:60]}', expected {len(VOTES)} whole numbers; "
                        "mend that line")
    return [int(cell) for cell in cells]
