"""FERPlus: the faces of FER2013 with ten FER+ votes each; which of them makes the label is the option ``labels``.

majority is the official rule (src/ferplus.py, mode "majority", of the FERPlus repository): single votes are set to
zero, and the winner of all ten columns must have more than half of what is left and be one of the kept emotions. For 7
classes contempt still votes but cannot win. argmax10 and argmax8: the first of the largest of the ten columns or of
the eight emotions, "-noties" where no other is as large. nla: of the kept emotions, for every row.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from fer_bench.data.adapter import Found, Options, Rows, Source, dataset
from fer_bench.data.adapters.fer2013 import SIDE, face_rows, pixel_row, split_of
from fer_bench.data.expressions import expression
from fer_bench.data.lists import read_cells, read_table
from fer_bench.data.named_folders import read_named_folders, test_or_valid
from fer_bench.errors import UserError

VOTES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
FER2013_TO_FERPLUS = np.array([4, 5, 6, 1, 3, 2, 0])
FOLDER_OF = {"train": "FER2013Train", "valid": "FER2013Valid", "test": "FER2013Test"}
LAYOUTS = {"csv": ["fer2013.csv", "fer2013new.csv"],
           "folders": ["FER2013Train", "FER2013Valid", "FER2013Test", "fer2013new.csv|FER2013Train/label.csv"],
           "class folders": ["train/neutral", "test/neutral"]}
WATCH = ["FER2013Train/label.csv", "FER2013Valid/label.csv", "FER2013Test/label.csv", "train", "test", "valid", "val",
         "validation"]
OPTIONS = {"labels": ["majority", "argmax10", "argmax10-noties", "argmax8", "argmax8-noties", "nla"]}
SOURCE = "fer2013.csv from Kaggle's FER challenge, fer2013new.csv from github.com/microsoft/FERPlus"


@dataset("ferplus7", title="FERPlus without contempt", source=SOURCE, layouts=LAYOUTS, watch=WATCH, options=OPTIONS,
         classes=["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear"])
@dataset("ferplus8", title="FERPlus", source=SOURCE, layouts=LAYOUTS, watch=WATCH, options=OPTIONS,
         classes=["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"])
def read(root: Source, options: Options) -> Found:
    """The two CSVs, the folders of generate_training_data.py, or a folder per class."""
    classes, rule = len(options.classes), options["labels"]
    if rule == "nla" and classes == 8:
        raise UserError("--data-option labels=nla: its 28,709 training faces are of 7 classes; ask for --dataset "
                        "ferplus7")
    if options.layout == "class folders":
        return read_class_folders(root, options)
    reader = read_csv if options.layout == "csv" else read_folders
    return reader(root, classes, rule)


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


def labels_by(rule: str, votes: np.ndarray, num_classes: int) -> np.ndarray:
    """Labels int64 [N] by one of the options ``labels`` from votes int [N, 10] in file order; -1: no label."""
    if rule == "majority":
        return majority(votes, num_classes)
    if rule == "nla":
        return np.asarray(votes[:, :num_classes].argmax(1))
    considered = votes[:, : 10 if "10" in rule else 8]
    most = considered.max(1, keepdims=True)
    winner = considered.argmax(1)
    clear = (most[:, 0] > 0) & ("noties" not in rule or (considered == most).sum(1) == 1)
    return np.where(clear & (winner < num_classes), winner, -1)


def read_csv(source: Source, classes: int, rule: str) -> Found:
    table = votes_table(source)
    labels = labels_by(rule, table.votes, classes)
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
    return found_rows(table, labels, rule, classes, images, original)


def read_folders(source: Source, classes: int, rule: str) -> Found:
    """Images of generate_training_data.py, votes of fer2013new.csv or of each folder's label.csv."""
    table = votes_table(source) if source.exists("fer2013new.csv") else label_files(source)
    labels = np.where(np.array(table.names) == "", -1, labels_by(rule, table.votes, classes))  # no name, no image
    files = [f"{FOLDER_OF[split]}/{image}" for split, image in zip(table.splits, table.names, strict=True)]
    return found_rows(table, labels, rule, classes, np.array(files)[labels >= 0], None)


def read_class_folders(source: Source, options: Options) -> Found:
    """Folders named by expression, of train, test and perhaps a validation one; there are no votes."""
    if options["labels"] != "majority":
        raise UserError(f"{source.where()}: class folders hold no votes to make labels of; leave --data-option "
                        "labels out, or give the two CSVs")
    if "contempt" in options.classes and not any(expression(name) == "contempt" for name in source.folders("train")):
        raise UserError(f"{source.where('train')}: no folder of contempt; ask for --dataset ferplus7")
    found = read_named_folders(source, test_or_valid(source), options.classes, ("contempt",))
    for rows in found.splits.values():
        names = [name.rpartition("/")[2] for name in rows.ids]
        rows.ids = names if len(set(names)) == len(names) else rows.ids
    return found


def found_rows(table: Table, labels: np.ndarray, rule: str, classes: int, images: np.ndarray,
               original: np.ndarray | None) -> Found:
    """Kept rows by split. images: pixels, or names, of the kept rows only."""
    kept = labels >= 0
    split_of, ids = np.array(table.splits)[kept], np.array(table.ids())[kept]
    votes, labels = table.votes[kept, :classes].astype(np.float32), labels[kept]
    result = Found({}, [said(rule, table.votes, kept, classes)])
    for split in FOLDER_OF:
        rows = split_of == split
        part = images[rows]
        result.splits[split] = Rows(ids[rows].tolist(), labels[rows],
                                    part if part.dtype == np.uint8 else part.tolist(), votes=votes[rows])
        if original is not None:
            mapped = np.where(original >= 0, FER2013_TO_FERPLUS[original], -1)[kept]
            result.splits[split].columns["fer2013"] = mapped[rows]
    if images.dtype == np.uint8 and (empty := int((images.reshape(len(images), -1).max(1) == 0).sum())):
        official = "; the official counts include them" if rule == OPTIONS["labels"][0] else ""
        result.notes.append(f"{empty} kept faces are all black{official}")
    return result


def said(rule: str, votes: np.ndarray, kept: np.ndarray, classes: int) -> str:
    """What the user should know of a rule. kept: bool [N]."""
    if rule == "nla":
        bare = int((votes[kept, :classes].sum(1) == 0).sum())
        return (f"labels=nla: all {int(kept.sum())} faces, {bare} of them without a vote for any of the {classes} "
                "classes (they are neutral); the paper states the counts, not the rule")
    why = "no majority (official rule)" if rule == "majority" else f"labels={rule} gives none of the classes"
    return f"{len(kept) - int(kept.sum())} of {len(kept)} faces left out: {why}"


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
        rows = list(read_cells(source, name, ","))
        votes = [votes_of(row[-len(VOTES):], f"{source.where(name)}:{line}") for line, row in rows]
        table.splits += [split] * len(rows)
        table.names += [row[0].strip() for _, row in rows]
        table.votes = np.concatenate([table.votes, np.array(votes).reshape(-1, len(VOTES))])
    return table


def votes_of(cells: list[str], place: str) -> list[int]:
    if len(cells) != len(VOTES) or not all(0 < len(cell.strip()) < 7 and cell.strip().isdecimal()
                                           for cell in cells):
        raise UserError(f"{place}: votes {','.join(cells)[:60]!r}, expected {len(VOTES)} whole numbers; "
                        "mend that line")
    return [int(cell) for cell in cells]
