"""AffectNet, 7 or 8 classes: 0 neutral, 1 happiness, 2 sadness, 3 surprise, 4 fear, 5 disgust, 6 anger, 7 contempt.

Its validation set is everybody's test set: no test labels are public. Labels 8..10 (none, uncertain, no face)
and, for affectnet7, contempt are left out and said.
"""

from __future__ import annotations

import io

import numpy as np

from fer_bench.data.adapter import Box, Found, Options, Rows, Source, dataset
from fer_bench.data.boxes import SIZED, box_of
from fer_bench.data.class_folders import read_class_folders
from fer_bench.data.images import File, Say, each_file
from fer_bench.data.lists import label_number, read_table, read_words
from fer_bench.data.named_folders import test_or_valid
from fer_bench.errors import UserError

CONTEMPT = 7
MOST_ARRAY = 2**16  # bytes of an array of one number
IMAGES = "Manually_Annotated_Images"
TABLES = {"train": "training.csv", "test": "validation.csv"}
LISTS = "Manually_Annotated_file_lists"  # some copies keep the two tables there
COLUMNS = ("subDirectory_filePath", "expression", "face_x", "face_y", "face_width", "face_height")
LAYOUTS = {
    "tables": ["Manually_Annotated_Images", "training.csv|Manually_Annotated_file_lists/training.csv",
               "validation.csv|Manually_Annotated_file_lists/validation.csv"],
    "arrays": ["train_set/images", "train_set/annotations", "val_set/images", "val_set/annotations"],
    "annotation lists": [
        "train_set/images", "train_set/train_annotations_8class.txt|train_set/train_annotations_7class.txt",
        "valid_set/images", "valid_set/valid_annotations_8class.txt|valid_set/valid_annotations_7class.txt"],
    "aligned tables": ["align_crop_train.csv", "align_crop_test.csv"],
    "class folders": ["train/0", "val/0|valid/0|validation/0|test/0"],
}
WATCH = ["train", "test", "val", "valid", "validation"]


@dataset("affectnet7", title="AffectNet without contempt", source="by request to its authors", layouts=LAYOUTS,
         watch=WATCH, classes=["neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger"])
@dataset("affectnet8", title="AffectNet", source="by request to its authors", layouts=LAYOUTS, watch=WATCH,
         classes=["neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt"])
def read(root: Source, options: Options) -> Found:
    """Faces of the first seven or of all eight expressions."""
    classes = len(options.classes)
    if options.layout == "arrays":
        found = read_arrays(root, classes, options.say)
    else:
        reader = {"tables": read_tables, "annotation lists": read_lists, "aligned tables": read_aligned,
                  "class folders": read_folders}[options.layout]
        found = reader(root, classes)
    for split, rows in found.splits.items():
        if classes == 8 and split != "valid" and CONTEMPT not in rows.labels:
            raise no_contempt(root, split)
    return found


def no_contempt(source: Source, split: str) -> UserError:
    return UserError(f"{source.where()}: {split} holds no face of contempt, the eighth class; ask for --dataset "
                     "affectnet7, or complete the download")


def read_tables(source: Source, classes: int) -> Found:
    """Old release: the face's box is cut out of the full image."""
    found = Found({})
    for split, table in TABLES.items():
        file = table if source.exists(table) else f"{LISTS}/{table}"
        ids: list[str] = []
        labels: list[int] = []
        boxes: list[Box] = []
        left_out = 0
        for line, (image, expression, *box) in read_table(source, file, COLUMNS):
            place = f"{source.where(file)}:{line}"
            label = label_number(expression, place, 0, 10)
            if label >= classes:
                left_out += 1
                continue
            ids.append(image)
            labels.append(label)
            boxes.append(box_of(box, SIZED, place))
        found.splits[split] = Rows(ids, labels, [f"{IMAGES}/{image}" for image in ids], boxes)
        _note(found, split, left_out)
    return found


def read_arrays(source: Source, classes: int, say: Say) -> Found:
    """New release: images/<id>.jpg and annotations/<id>_exp.npy, one number each."""
    found = Found({})
    for split, folder in (("train", "train_set"), ("test", "val_set")):
        annotations = source.files(f"{folder}/annotations", ("_exp.npy",))
        files = [File(f"{folder}/annotations/{file}") for file in annotations]
        values = each_file(source, files, lambda _, file: _expression(source, file.name), say, "read",
                           "labels")
        kept = [i for i, value in enumerate(values) if value < classes]
        ids = [annotations[i].removesuffix("_exp.npy") + ".jpg" for i in kept]
        images = [f"{folder}/images/{image}" for image in ids]
        found.splits[split] = Rows(ids, [values[i] for i in kept], images)
        _note(found, split, len(values) - len(kept))
    return found


def _expression(source: Source, name: str) -> int:
    """The one number of an annotation file, stored as a number or as text."""
    value = np.load(io.BytesIO(source.read(name, MOST_ARRAY)), allow_pickle=False)
    return label_number(str(value.item()), source.where(name), 0, 10)


def read_lists(source: Source, classes: int) -> Found:
    """Lines "<id>.jpg 3" of POSTER, made from the arrays of the new release: images/<id>.jpg beside them."""
    found = Found({})
    for split, folder in (("train", "train"), ("test", "valid")):
        files = [f"{folder}_set/{folder}_annotations_{count}class.txt" for count in (classes, 15 - classes)]
        file = next(name for name in files if source.exists(name))
        rows, left_out = Rows([], [], []), 0
        for line, words in read_words(source, file):
            place = f"{source.where(file)}:{line}"
            if len(words) != 2:
                raise UserError(f"{place}: '{' '.join(words)[:60]}', expected a name and a label; mend that line")
            left_out += not _put(rows, words[0], words[1], f"{folder}_set/images/{words[0]}", classes, place)
        found.splits[split] = rows
        _note(found, split, left_out)
    return found


def read_aligned(source: Source, classes: int) -> Found:
    """Tables of NLA with the columns path and expression. Paths that begin elsewhere (they are as on the machine that
    made them) are cut from the left until the first one leads to an image; ids are what is left of them."""
    found = Found({})
    for split in ("train", "test"):
        file = f"align_crop_{split}.csv"
        rows, left_out, cut = Rows([], [], []), 0, -1
        for line, (path, expression) in read_table(source, file, ("path", "expression")):
            cut = _foreign_parts(source, path) if cut < 0 else cut
            image = "/".join(_parts(path)[cut:])
            left_out += not _put(rows, image, expression, image, classes, f"{source.where(file)}:{line}")
        found.splits[split] = rows
        _note(found, split, left_out)
    return found


def _foreign_parts(source: Source, path: str) -> int:
    """How many folders at the left of a path are not of this source; 0 where no cut leads to a file."""
    parts = _parts(path)
    return next((cut for cut in range(len(parts)) if source.exists("/".join(parts[cut:]))), 0)


def _parts(path: str) -> list[str]:
    """The names in a path, without those that lead out of a folder."""
    return [part for part in path.replace("\\", "/").split("/") if part not in ("", ".", "..")]


def _put(rows: Rows, name: str, expression: str, image: str, classes: int, place: str) -> bool:
    """Add a face if it is of one of the classes, and say so."""
    label = label_number(expression, place, 0, 10)
    if label < classes:
        rows.ids.append(name)
        rows.labels.append(label)  # type: ignore[union-attr]
        rows.images.append(image)  # type: ignore[union-attr]
    return label < classes


def read_folders(source: Source, classes: int) -> Found:
    """Folders train/0..7 and test, val or valid; with a test folder besides, val is the validation split."""
    folders = test_or_valid(source)
    for split, folder in folders.items():
        if classes == 8 and split != "valid" and not source.files(f"{folder}/{CONTEMPT}"):
            raise no_contempt(source, split)
    label_of = {str(label): label for label in range(classes)}
    found = read_class_folders(source, folders, label_of, tuple(str(label) for label in range(classes, 11)))
    for split, folder in folders.items():
        _note(found, split, sum(len(source.files(f"{folder}/{label}")) for label in range(classes, 11)))
    return found


def _note(found: Found, split: str, left_out: int) -> None:
    if left_out:
        found.notes.append(f"{split}: {left_out} images of other expressions left out")
