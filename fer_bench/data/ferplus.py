"""FERPlus and FER2013: the same faces, with ten FER+ votes each or the one original label.

FERPlus labels follow the official majority rule (src/ferplus.py, mode "majority", of the FERPlus repository):
single votes are set to zero, and the winner of all ten columns must have more than half of what is left and
be one of the kept emotions. For 7 classes contempt still votes but cannot win.
"""

from __future__ import annotations

import csv
import io
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fer_bench.data.archive import Layout, Source, label_number, read_table
from fer_bench.data.folder import VALID, read_class_folders, split_folders
from fer_bench.data.images import Found, Rows, Say
from fer_bench.errors import UserError

VERSION = 1
VOTES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt",
         "unknown", "NF")
FER2013_FOLDERS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
FER2013_TO_FERPLUS = np.array([4, 5, 6, 1, 3, 2, 0])
SPLIT_OF = {"Training": "train", "PublicTest": "valid", "PrivateTest": "test"}
FOLDER_OF = {"train": "FER2013Train", "valid": "FER2013Valid", "test": "FER2013Test"}
SIDE = 48


@dataclass
class _Table:
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


def _read_csv(source: Source, name: str, say: Say) -> Found:
    classes = int(name[-1])
    table = _votes_table(source)
    labels = majority(table.votes, classes)
    images = np.zeros((int((labels >= 0).sum()), SIDE, SIDE), np.uint8)
    original = np.full(len(labels), -1)
    done = count = 0
    for line, emotion, pixels, split in _faces(source):
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
    return _found(table, labels, classes, images, original)


def _read_folders(source: Source, name: str, say: Say) -> Found:
    """Images of generate_training_data.py, votes of fer2013new.csv or of each folder's label.csv."""
    classes = int(name[-1])
    table = _votes_table(source) if source.exists("fer2013new.csv") else _label_files(source)
    labels = majority(table.votes, classes)
    files = [f"{FOLDER_OF[split]}/{image}" for split, image in zip(table.splits, table.names, strict=True)]
    return _found(table, labels, classes, np.array(files)[labels >= 0], None)


def _found(table: _Table, labels: np.ndarray, classes: int, images: np.ndarray,
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


def _votes_table(source: Source) -> _Table:
    splits, names, votes = [], [], []
    for line, (usage, name, *cells) in read_table(source, "fer2013new.csv", ("Usage", "Image name", *VOTES)):
        place = f"{source.where('fer2013new.csv')}:{line}"
        splits.append(_split(usage, place))
        names.append(name)
        votes.append(_votes(cells, place))
    return _Table(splits, names, np.array(votes).reshape(-1, len(VOTES)))


def _label_files(source: Source) -> _Table:
    """label.csv of each folder, no header: image name, in some copies a box, ten votes."""
    table = _Table([], [], np.zeros((0, len(VOTES)), int))
    for split, folder in FOLDER_OF.items():
        name = f"{folder}/label.csv"
        if not source.exists(name):
            raise UserError(f"{source.where(name)}: no such file; put it, or fer2013new.csv, there")
        rows = list(csv.reader(io.StringIO(source.text(name))))
        votes = [_votes(row[-len(VOTES):], f"{source.where(name)}:{i}") for i, row in enumerate(rows, 1)]
        table.splits += [split] * len(rows)
        table.names += [row[0].strip() for row in rows]
        table.votes = np.concatenate([table.votes, np.array(votes).reshape(-1, len(VOTES))])
    return table


def _split(usage: str, place: str) -> str:
    if usage not in SPLIT_OF:
        raise UserError(f"{place}: Usage '{usage}', expected {', '.join(SPLIT_OF)}; mend that line")
    return SPLIT_OF[usage]


def _votes(cells: list[str], place: str) -> list[int]:
    if len(cells) != len(VOTES) or not all(cell.strip().isdigit() for cell in cells):
        raise UserError(f"{place}: votes '{','.join(cells)[:60]}', expected {len(VOTES)} whole numbers; "
                        "mend that line")
    return [int(cell) for cell in cells]


def _faces(source: Source) -> Iterator[tuple[int, int, str, str]]:
    """(line, FER2013 label or -1, pixels as text, split) for every row of fer2013.csv."""
    for line, (emotion, pixels, usage) in read_table(source, "fer2013.csv", ("emotion", "pixels", "Usage")):
        place = f"{source.where('fer2013.csv')}:{line}"
        yield line, label_number(emotion, place, -1, 6), pixels, _split(usage, place)


def pixel_row(text: str, file: str, line: int) -> np.ndarray:
    """One face, uint8 [48, 48], from 2304 numbers 0..255; UserError naming file and line."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # numpy only warns when it stops at text that is no number
            pixels = np.fromstring(text, np.int64, sep=" ")
    except (ValueError, DeprecationWarning):
        pixels = np.zeros(0, np.int64)
    if len(pixels) != SIDE * SIDE or pixels.min() < 0 or pixels.max() > 255:
        raise UserError(f"{file}:{line}: not {SIDE * SIDE} pixels of 0..255; get the file anew")
    return pixels.reshape(SIDE, SIDE)


def _read_fer2013(source: Source, name: str, say: Say) -> Found:
    """fer2013.csv as it is; rows of label -1 (none) are dropped and said."""
    ids: dict[str, list[str]] = {split: [] for split in FOLDER_OF}
    labels: dict[str, list[int]] = {split: [] for split in FOLDER_OF}
    images: dict[str, list[np.ndarray]] = {split: [] for split in FOLDER_OF}
    dropped = 0
    for row, (line, emotion, pixels, split) in enumerate(_faces(source)):
        if emotion < 0:
            dropped += 1
            continue
        ids[split].append(f"row{row:05d}")
        labels[split].append(emotion)
        images[split].append(pixel_row(pixels, source.where("fer2013.csv"), line).astype(np.uint8))
    notes = [f"{dropped} rows without a label left out"] if dropped else []
    splits = {s: Rows(ids[s], labels[s], np.stack(images[s])) for s in FOLDER_OF if ids[s]}
    return Found(splits, notes)


def _read_fer2013_folders(source: Source, name: str, say: Say) -> Found:
    label_of = {folder: label for label, folder in enumerate(FER2013_FOLDERS)}
    return read_class_folders(source, split_folders(source), label_of)


_FOLDERS = tuple(FOLDER_OF.values())
_FERPLUS_LAYOUTS = (
    Layout("csv", ("fer2013.csv", "fer2013new.csv"), ("fer2013.csv", "fer2013new.csv"), _read_csv),
    Layout("folders", (*_FOLDERS, "fer2013new.csv|FER2013Train/label.csv"),
           ("fer2013new.csv", *_FOLDERS, *(f"{folder}/label.csv" for folder in _FOLDERS)), _read_folders),
)
_FER2013_LAYOUTS = (
    Layout("csv", ("fer2013.csv",), ("fer2013.csv",), _read_fer2013),
    Layout("folders", ("train/angry", "test/angry"),
           ("train/*", "test/*", *(f"{folder}/*" for folder in VALID)), _read_fer2013_folders),
)


def layouts(name: str) -> tuple[Layout, ...]:
    """Where ferplus7, ferplus8 or fer2013 may lie."""
    return _FER2013_LAYOUTS if name == "fer2013" else _FERPLUS_LAYOUTS
