"""CK+: the last three frames of each labelled sequence, from its own release or from CK+48's class folders.

The names tell the subject: S010_004_00000017.png is of S010. There is no official test set; folds keep subjects whole.
Public loaders of the sequences take the last frames with the sequence's label, too: ymitiku/Ck-dataset-preprocess.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from fer_bench.data.adapter import Found, Options, Rows, Source, dataset
from fer_bench.data.lists import read_words
from fer_bench.data.named_folders import folder_labels
from fer_bench.errors import UserError, printable

NAME = re.compile(r"(S\d{3})_\d{3}_\d{8}\.\w+")
PEAK = 3  # frames of a sequence, which begins neutral and ends at the expression's peak
EMOTIONS = {1: "anger", 2: "contempt", 3: "disgust", 4: "fear", 5: "happiness", 6: "sadness", 7: "surprise"}
Faces = tuple[str, list[str]]  # class, images


@dataset("ckplus", title="CK+, peak frames", source="by request to its authors; CK+48, a selection of it, on Kaggle",
         classes=["anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise"], test_set=False,
         layouts={"class folders": ["anger|angry", "disgust", "fear", "happy|happiness", "sadness|sad", "surprise"],
                  "sequences": ["cohn-kanade-images", "Emotion|Emotion_labels/Emotion"]},
         watch=["contempt", "neutral"], options={"contempt": ["yes", "no"]})
def read(root: Source, options: Options) -> Found:
    """All faces are training faces, with the column subject; what is left out is said."""
    classes = tuple(name for name in options.classes if name != "contempt" or options["contempt"] == "yes")
    found = Found({}, classes=classes)
    rows, people = Rows([], [], []), list[str]()
    for name, images in (sequences if options.layout == "sequences" else class_folders)(root, classes, found.notes):
        names = [image.rpartition("/")[2] for image in images]
        people += [subject_of(image, root) for image in images]
        rows.ids += names
        rows.labels += [classes.index(name)] * len(names)  # type: ignore[operator]
        rows.images += images  # type: ignore[operator]
    subjects, column = np.unique(people, return_inverse=True)
    rows.columns["subject"] = column.astype(np.int64)
    found.splits["train"] = rows
    found.notes.append(f"{len(subjects)} subjects, by the names of the images")
    return found


def class_folders(root: Source, classes: tuple[str, ...], notes: list[str]) -> Iterator[Faces]:
    """CK+48: a folder for each class."""
    labels = folder_labels(root, "", classes)
    for folder, label in labels.items():
        images = root.files(folder)
        if not images:
            mend = ", or add --data-option contempt=no" if classes[label] == "contempt" else ""
            raise UserError(f"{root.where(folder)}: no images of class '{classes[label]}'; put them there{mend}")
        yield classes[label], [f"{folder}/{image}" for image in images]
    for other in root.folders(""):
        if other not in labels and (count := len(root.files(other))):
            notes.append(f"{count} images of {other} left out")


def sequences(root: Source, classes: tuple[str, ...], notes: list[str]) -> Iterator[Faces]:
    """CK+'s release: cohn-kanade-images/S010/004/*.png, label in Emotion/S010/004/S010_004_00000017_emotion.txt."""
    lists = "Emotion" if root.exists("Emotion") else "Emotion_labels/Emotion"
    kinds = {"without a label": 0, "of contempt": 0, "of neutral": 0}
    for subject in root.folders("cohn-kanade-images"):
        for take in root.folders(f"cohn-kanade-images/{subject}"):
            folder, name = f"cohn-kanade-images/{subject}/{take}", emotion_of(root, f"{lists}/{subject}/{take}")
            images = root.files(folder)
            if name in classes and not images:
                raise UserError(f"{root.where(folder)}: no images of a labelled sequence; put them there")
            if name in classes:
                yield name, [f"{folder}/{image}" for image in images[-PEAK:]]
            else:
                kinds[f"of {name}" if name else "without a label"] += 1
    notes += [f"{count} sequences {kind} left out" for kind, count in kinds.items() if count]


def emotion_of(root: Source, folder: str) -> str:
    """The class of a sequence; empty for one without a label file. Raises UserError for a label that is none."""
    files = root.files(folder, (".txt",)) if root.exists(folder) else []
    if not files:
        return ""
    found = [word for file in files for _, words in read_words(root, f"{folder}/{file}") for word in words]
    if len(found) != 1 or not re.fullmatch(r"[0-7](\.0*)?(e[+-]?0+)?", found[0]):
        raise UserError(f"{root.where(folder)}/{files[0]}: found '{printable(' '.join(found))[:40]}', expected one "
                        "number 0..7; get a clean copy")
    return EMOTIONS.get(int(found[0][0]), "neutral")


def subject_of(image: str, root: Source) -> str:
    """Whose face it is, by the image's name."""
    match = NAME.fullmatch(image.rpartition("/")[2])
    if not match:
        raise UserError(f"{root.where(image)}: expected a name such as S010_004_00000017.png, which tells the subject; "
                        "rename or remove it")
    return match[1]
