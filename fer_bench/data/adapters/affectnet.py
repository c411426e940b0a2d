"""AffectNet, 7 or 8 classes: 0 neutral, 1 happiness, 2 sadness, 3 surprise, 4 fear, 5 disgust, 6 anger, 7 contempt.

Its validation set is everybody's test set: no test labels are public. Labels 8..10 (none, uncertain, no face)
and, for affectnet7, contempt are left out and said.
"""

from __future__ import annotations

import io

import numpy as np

from fer_bench.data.adapter import Box, Found, Options, Rows, Source, dataset
from fer_bench.data.class_folders import VALID, read_class_folders
from fer_bench.data.images import File, Say, each_file
from fer_bench.data.lists import label_number, read_table
from fer_bench.errors import UserError

IMAGES = "Manually_Annotated_Images"
TABLES = {"train": "training.csv", "test": "validation.csv"}
LISTS = "Manually_Annotated_file_lists"  # some copies keep the two tables there
COLUMNS = ("subDirectory_filePath", "expression", "face_x", "face_y", "face_width", "face_height")


LAYOUTS = {
    "tables": ["Manually_Annotated_Images", "training.csv|Manually_Annotated_file_lists/training.csv",
               "validation.csv|Manually_Annotated_file_lists/validation.csv"],
    "arrays": ["train_set/images", "train_set/annotations", "val_set/images", "val_set/annotations"],
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
    if options.layout == "tables":
        return read_tables(root, classes)
    return read_arrays(root, classes, options.say) if options.layout == "arrays" else read_folders(root, classes)


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
            boxes.append(_box(box, place))
        found.splits[split] = Rows(ids, labels, [f"{IMAGES}/{image}" for image in ids], boxes)
        _note(found, split, left_out)
    return found


def _box(cells: list[str], place: str) -> Box:
    """(left, top, right, bottom) from x, y, width, height."""
    try:
        x, y, width, height = (int(float(cell)) for cell in cells)
    except ValueError:
        width = height = 0
    if width <= 0 or height <= 0:
        raise UserError(f"{place}: face box '{','.join(cells)}', expected x, y, width, height; mend it")
    return x, y, x + width, y + height


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
    value = np.load(io.BytesIO(source.read(name)), allow_pickle=False)
    return label_number(str(value.item()), source.where(name), 0, 10)


def read_folders(source: Source, classes: int) -> Found:
    """Folders train/0..7 and test, val or valid; with a test folder besides, val is the validation split."""
    valid = next((folder for folder in VALID if source.exists(folder)), None)
    folders = {"train": "train", "test": "test" if source.exists("test") else str(valid)}
    if valid and source.exists("test"):
        folders["valid"] = valid
    label_of = {str(label): label for label in range(classes)}
    found = read_class_folders(source, folders, label_of, tuple(str(label) for label in range(classes, 11)))
    for split, folder in folders.items():
        _note(found, split, sum(len(source.files(f"{folder}/{label}")) for label in range(classes, 11)))
    return found


def _note(found: Found, split: str, left_out: int) -> None:
    if left_out:
        found.notes.append(f"{split}: {left_out} images of other expressions left out")
