"""FER2013: 48 x 48 grey faces with one label each, 0..6 in the order of the classes below."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np

from fer_bench.data.adapter import Found, Options, Rows, Source, dataset
from fer_bench.data.class_folders import split_folders
from fer_bench.data.lists import label_number, read_table
from fer_bench.data.named_folders import read_named_folders
from fer_bench.errors import UserError

SPLIT_OF = {"Training": "train", "PublicTest": "valid", "PrivateTest": "test"}
SIDE = 48


@dataset("fer2013", title="FER2013, original labels", source="Kaggle's FER challenge",
         classes=["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"],
         layouts={"csv": ["fer2013.csv"], "folders": ["train/angry|train/anger", "test/angry|test/anger"]},
         watch=["train", "test", "valid", "val", "validation"])
def read(root: Source, options: Options) -> Found:
    """The one CSV, or class folders."""
    if options.layout == "csv":
        return read_csv(root)
    return read_named_folders(root, split_folders(root), options.classes)


def read_csv(source: Source) -> Found:
    """fer2013.csv as it is; rows of label -1 (none) are dropped and said."""
    ids: dict[str, list[str]] = {split: [] for split in SPLIT_OF.values()}
    labels: dict[str, list[int]] = {split: [] for split in SPLIT_OF.values()}
    images: dict[str, list[np.ndarray]] = {split: [] for split in SPLIT_OF.values()}
    dropped = 0
    for row, (line, emotion, pixels, split) in enumerate(face_rows(source)):
        if emotion < 0:
            dropped += 1
            continue
        ids[split].append(f"row{row:05d}")
        labels[split].append(emotion)
        images[split].append(pixel_row(pixels, source.where("fer2013.csv"), line).astype(np.uint8))
    notes = [f"{dropped} rows without a label left out"] if dropped else []
    splits = {s: Rows(ids[s], labels[s], np.stack(images[s])) for s in SPLIT_OF.values() if ids[s]}
    return Found(splits, notes)


def face_rows(source: Source) -> Iterator[tuple[int, int, str, str]]:
    """(line, FER2013 label or -1, pixels as text, split) for every row of fer2013.csv."""
    for line, (emotion, pixels, usage) in read_table(source, "fer2013.csv", ("emotion", "pixels", "Usage")):
        place = f"{source.where('fer2013.csv')}:{line}"
        yield line, label_number(emotion, place, -1, 6), pixels, split_of(usage, place)


def split_of(usage: str, place: str) -> str:
    if usage not in SPLIT_OF:
        raise UserError(f"{place}: Usage '{usage}', expected {', '.join(SPLIT_OF)}; mend that line")
    return SPLIT_OF[usage]


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
