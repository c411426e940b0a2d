"""JAFFE: ten women, seven expressions each, a few photographs of every one.

The names say all: KA.AN1.39.tiff is subject KA, angry, first take, photograph 39. There is no official test set; folds
keep subjects whole.
"""

from __future__ import annotations

import re

import numpy as np

from fer_bench.data.adapter import Found, Options, Rows, Source, dataset
from fer_bench.data.forms import first_names

CODES = ("AN", "DI", "FE", "HA", "NE", "SA", "SU")  # in the order of the classes below
NAME = re.compile(r"([A-Z]{2})\.([A-Z]{2})\d*\.\d+\.\w+", re.IGNORECASE)


@dataset("jaffe", title="JAFFE, ten women", source="by request, zenodo.org/record/3451524", test_set=False,
         classes=["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"], watch=["."],
         layouts={"images": ["KA.AN1.39.tiff|KA.AN1.39.tif|KA.AN1.39.png|KA.AN1.39.jpg|KA.AN1.39.bmp"]})
def read(root: Source, options: Options) -> Found:
    """All faces are training faces, with the column subject; other images of the folder are left out and said."""
    rows, people, others = Rows([], [], []), list[str](), list[str]()
    for image in root.files(""):
        match = NAME.fullmatch(image)
        if not match or match[2].upper() not in CODES:
            others.append(image)
            continue
        people.append(match[1].upper())
        rows.ids.append(image)
        rows.labels.append(CODES.index(match[2].upper()))  # type: ignore[union-attr]
    rows.images = rows.ids
    subjects, column = np.unique(people, return_inverse=True)
    rows.columns["subject"] = column.astype(np.int64)
    found = Found({"train": rows}, [f"{len(subjects)} subjects, by the names of the images"])
    if others:
        found.notes.append(f"{len(others)} images left out whose names are not JAFFE's ({first_names(others)})")
    return found
