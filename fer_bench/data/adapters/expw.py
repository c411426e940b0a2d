"""ExpW: faces in photographs of the web, several in one of them; their boxes are cut out.

There is no official test set.
"""

from __future__ import annotations

from fer_bench.data.adapter import Box, Found, Options, Rows, Source, dataset
from fer_bench.data.boxes import box_of
from fer_bench.data.lists import label_number, read_words
from fer_bench.errors import UserError


@dataset("expw", title="ExpW, boxes cut out", source="mmlab.ie.cuhk.edu.hk/projects/socialrelation", test_set=False,
         classes=["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"],
         layouts={"list": ["label/label.lst|label.lst", "image/origin|origin"]})
def read(root: Source, options: Options) -> Found:
    """Lines "image_name face_id top left right bottom confidence label"; ids are image names with the face's id."""
    file = "label/label.lst" if root.exists("label/label.lst") else "label.lst"
    folder = "image/origin" if root.exists("image/origin") else "origin"
    rows, boxes, seen, repeated = Rows([], [], []), list[Box](), set[str](), 0
    for line, words in read_words(root, file):
        place = f"{root.where(file)}:{line}"
        if len(words) < 8:
            raise UserError(f"{place}: '{' '.join(words)[:60]}', expected image, face, top, left, right, bottom, "
                            "confidence and label; mend that line")
        if " ".join(words) in seen:
            repeated += 1
            continue
        seen.add(" ".join(words))
        image = " ".join(words[:-7])
        rows.ids.append(f"{image}#{words[-7]}")
        rows.labels.append(label_number(words[-1], place, 0, 6))  # type: ignore[union-attr]
        rows.images.append(f"{folder}/{image}")  # type: ignore[union-attr]
        boxes.append(box_of(words[-6:-2], ("top", "left", "right", "bottom"), place))
    rows.boxes = boxes
    return Found({"train": rows}, [f"{repeated} lines that repeat another are left out"] if repeated else [])
