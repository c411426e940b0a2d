"""CK+48: the last three frames of each labelled sequence of CK+, 48 x 48, in class folders.

The names tell the subject: S010_004_00000017.png is of S010. There is no official test set; folds keep subjects whole.
"""

from __future__ import annotations

import re

import numpy as np

from fer_bench.data.adapter import Found, Options, Rows, Source, dataset
from fer_bench.data.named_folders import folder_labels
from fer_bench.errors import UserError

NAME = re.compile(r"(S\d{3})_\d{3}_\d{8}\.\w+")


@dataset("ckplus", title="CK+48, peak frames of CK+", source="CK+ by request to its authors, this selection on Kaggle",
         classes=["anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise"], test_set=False,
         layouts={"class folders": ["anger|angry", "disgust", "fear", "happy|happiness", "sadness|sad", "surprise"]},
         watch=["contempt", "neutral"], options={"contempt": ["yes", "no"]})
def read(root: Source, options: Options) -> Found:
    """All faces are training faces, with the column subject; other folders (neutral) are left out and said."""
    classes = tuple(name for name in options.classes if name != "contempt" or options["contempt"] == "yes")
    rows, people = Rows([], [], []), list[str]()
    labels = folder_labels(root, "", classes)
    for folder, label in labels.items():
        names = root.files(folder)
        if not names:
            mend = ", or add --data-option contempt=no" if classes[label] == "contempt" else ""
            raise UserError(f"{root.where(folder)}: no images of class '{classes[label]}'; put them there{mend}")
        people += [subject_of(name, root.where(folder)) for name in names]
        rows.ids += names
        rows.labels += [label] * len(names)  # type: ignore[operator]
        rows.images += [f"{folder}/{name}" for name in names]  # type: ignore[operator]
    subjects, column = np.unique(people, return_inverse=True)
    rows.columns["subject"] = column.astype(np.int64)
    found = Found({"train": rows}, [f"{len(subjects)} subjects, by the names of the images"], classes)
    for other in root.folders(""):
        if other not in labels and (count := len(root.files(other))):
            found.notes.append(f"{count} images of {other} left out")
    return found


def subject_of(name: str, place: str) -> str:
    match = NAME.fullmatch(name)
    if not match:
        raise UserError(f"{place}/{name}: expected a name such as S010_004_00000017.png, which tells the subject; "
                        "rename or remove it")
    return match[1]
