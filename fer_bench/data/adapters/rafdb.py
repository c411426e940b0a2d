"""RAF-DB basic, aligned faces. Labels 1..7 are surprise, fear, disgust, happiness, sadness, anger, neutral.

ids are RAF-DB's own names ("train_00001.jpg") in every layout, so that published noise lists match.
"""

from __future__ import annotations

from fer_bench.data.adapter import Found, Options, Rows, Source, dataset
from fer_bench.data.class_folders import read_class_folders
from fer_bench.data.lists import label_number
from fer_bench.errors import UserError

ALIGNED = "Image/aligned"
LISTS = ("EmoLabel/list_patition_label.txt", "EmoLabel/list_partition_label.txt")
SPLIT_LISTS = ("EmoLabel/train_label.txt", "EmoLabel/test_label.txt")


@dataset("rafdb", title="RAF-DB basic, aligned", source="by request to its authors",
         classes=["surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral"],
         layouts={"list": ["EmoLabel/list_patition_label.txt|EmoLabel/list_partition_label.txt", "Image/aligned"],
                  "two lists": ["EmoLabel/train_label.txt", "EmoLabel/test_label.txt", "Image/aligned"],
                  "class folders": ["train/1", "test/1"]}, watch=["train", "test"])
def read(root: Source, options: Options) -> Found:
    """Lines "train_00001.jpg 5" of the one list or of the two, or class folders."""
    if options.layout == "class folders":
        return read_folders(root)
    found = Found({"train": Rows([], [], []), "test": Rows([], [], [])})
    lists = [file for file in LISTS if root.exists(file)][:1] if options.layout == "list" else SPLIT_LISTS
    for file in lists:
        for line, words in enumerate((row.split() for row in root.text(file).splitlines()), 1):
            if words:
                add(found, words, f"{root.where(file)}:{line}")
    return found


def raf_name(file: str) -> str:
    """RAF-DB's name of an image: "train_00001_aligned.jpg" -> "train_00001.jpg"."""
    return file.replace("_aligned.", ".")


def add(found: Found, words: list[str], place: str) -> None:
    """Put one line of a list into its split."""
    if len(words) != 2:
        raise UserError(f"{place}: '{' '.join(words)[:60]}', expected a name and a label; mend that line")
    image = raf_name(words[0])
    split = image.partition("_")[0]
    if split not in found.splits:
        raise UserError(f"{place}: name '{image}', expected train_… or test_…; mend that line")
    rows = found.splits[split]
    stem, _, suffix = image.rpartition(".")
    rows.ids.append(image)
    rows.labels.append(label_number(words[1], place, 1, 7) - 1)  # type: ignore[union-attr]
    rows.images.append(f"{ALIGNED}/{stem}_aligned.{suffix}")  # type: ignore[union-attr]


def read_folders(root: Source) -> Found:
    """Folders train/1..7 and test/1..7; CSV files beside them say the same and are not read."""
    found = read_class_folders(root, {"train": "train", "test": "test"}, {str(i + 1): i for i in range(7)})
    for split, rows in found.splits.items():
        names = [raf_name(image.rpartition("/")[2]) for image in rows.images]
        order = sorted(range(len(names)), key=names.__getitem__)  # the order of RAF-DB's own list
        found.splits[split] = Rows([names[i] for i in order], [rows.labels[i] for i in order],
                                   [rows.images[i] for i in order])
    return found
