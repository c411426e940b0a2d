"""RAF-DB, aligned faces: basic with labels 1..7 and compound with labels 1..11, in the order of the classes below.

ids are RAF-DB's own names ("train_00001.jpg") in every layout, so that published noise lists match.
"""

from __future__ import annotations

from typing import NoReturn

from fer_bench.data.adapter import Found, Options, Rows, Source, dataset
from fer_bench.data.class_folders import read_class_folders
from fer_bench.data.forms import first_names
from fer_bench.data.lists import label_number, read_words
from fer_bench.data.named_folders import read_named_folders, test_or_valid
from fer_bench.errors import UserError

LISTS = ("EmoLabel/list_patition_label.txt", "EmoLabel/list_partition_label.txt", "list_patition_label.txt",
         "list_partition_label.txt")
SPLIT_LISTS = ("EmoLabel/train_label.txt", "EmoLabel/test_label.txt", "train_label.txt", "test_label.txt")
TABLES = ("train_labels.csv", "test_labels.csv")  # beside the folders of the copy on Kaggle; say the same
LAYOUTS = {
    "list": ["EmoLabel/list_patition_label.txt|EmoLabel/list_partition_label.txt", "Image/aligned|aligned"],
    "two lists": ["EmoLabel/train_label.txt", "EmoLabel/test_label.txt", "Image/aligned|aligned"],
    "list in the root": ["list_patition_label.txt|list_partition_label.txt", "Image/aligned|aligned"],
    "two lists in the root": ["train_label.txt", "test_label.txt", "Image/aligned|aligned"],
    "numbered folders": ["train/1|DATASET/train/1", "test/1|valid/1|val/1|validation/1|DATASET/test/1"],
    "named folders": ["train/surprise|DATASET/train/surprise",
                      "test/surprise|valid/surprise|val/surprise|validation/surprise|DATASET/test/surprise"],
    "DACL's folders": ["train/00", "test/00|valid/00|val/00|validation/00"],
}
COMPOUND = {
    "list in compound/": ["compound/EmoLabel/list_patition_label.txt|compound/EmoLabel/list_partition_label.txt",
                          "compound/Image/aligned|compound/aligned"],
    "list": ["EmoLabel/list_patition_label.txt|EmoLabel/list_partition_label.txt", "Image/aligned|aligned"],
}
WATCH = ["train", "test", "valid", "val", "validation", "DATASET/train", "DATASET/test", "EmoLabel",
         "train_labels.csv", "test_labels.csv", "train_label.txt", "test_label.txt"]
TRAIN_COUNTS = "neutral 2524, happiness 4772, sadness 1982, surprise 1290, fear 281, disgust 717, anger 705"
SOURCE = "by request to its authors"


@dataset("rafdb", title="RAF-DB basic, aligned", source=SOURCE, layouts=LAYOUTS, watch=WATCH,
         classes=["surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral"])
@dataset("rafdb-compound", title="RAF-DB compound, aligned", source=SOURCE, layouts=COMPOUND,
         classes=["happily surprised", "happily disgusted", "sadly fearful", "sadly angry", "sadly surprised",
                  "sadly disgusted", "fearfully angry", "fearfully surprised", "angrily surprised",
                  "angrily disgusted", "disgustedly surprised"])
def read(root: Source, options: Options) -> Found:
    """Lines "train_00001.jpg 5" of the one list or of the two, or class folders."""
    if options.layout == "DACL's folders":
        refuse_dacl(root)
    if options.layout.endswith("folders"):
        return read_folders(root, options)
    compound = options.dataset == "rafdb-compound"
    inside = "compound/" if options.layout == "list in compound/" else ""
    if options.layout.startswith("two lists"):
        used = [next(file for file in SPLIT_LISTS[i::2] if root.exists(file)) for i in (0, 1)]
    else:
        used = [next(inside + file for file in LISTS if root.exists(inside + file))]
    found = read_lists(root, used, inside, len(options.classes))
    if compound and max(max(rows.labels, default=0) for rows in found.splits.values()) < 7:
        raise UserError(f"{root.where(used[0])}: no label above 7, so this is the list of RAF-DB basic; give the "
                        "folder of compound, or ask for --dataset rafdb")
    return found if compound else compared(root, found, used)


def read_lists(root: Source, files: list[str], inside: str, classes: int) -> Found:
    """Every line of the lists in its split."""
    found = Found({"train": Rows([], [], []), "test": Rows([], [], [])})
    aligned = inside + ("Image/aligned" if root.exists(f"{inside}Image/aligned") else "aligned")
    for file in files:
        for line, words in read_words(root, file):
            add(found, words, f"{root.where(file)}:{line}", aligned, classes)
    return found


def raf_name(file: str) -> str:
    """RAF-DB's name of an image: "train_00001_aligned.jpg" -> "train_00001.jpg"."""
    return file.replace("_aligned.", ".")


def add(found: Found, words: list[str], place: str, aligned: str, classes: int) -> None:
    """Put one line of a list into its split."""
    if len(words) != 2:
        raise UserError(f"{place}: '{' '.join(words)[:60]}', expected a name and a label; mend that line")
    image = raf_name(words[0])
    split = image.partition("_")[0]
    if split not in found.splits:
        raise UserError(f"{place}: name '{image}', expected train_… or test_…; mend that line")
    if classes == 7 and words[1] in ("8", "9", "10", "11"):
        raise UserError(f"{place}: label '{words[1]}', expected 1..7; mend that line, or, if this is the list of "
                        "RAF-DB compound, ask for --dataset rafdb-compound")
    rows = found.splits[split]
    stem, _, suffix = image.rpartition(".")
    rows.ids.append(image)
    rows.labels.append(label_number(words[1], place, 1, classes) - 1)  # type: ignore[union-attr]
    rows.images.append(f"{aligned}/{stem}_aligned.{suffix}")  # type: ignore[union-attr]


def read_folders(root: Source, options: Options) -> Found:
    """Folders 1..7, or named by expression, of train and test; without a test folder, valid is the test set."""
    inside = "" if root.exists("train") else "DATASET/"
    folders = {split: inside + folder for split, folder in test_or_valid(root, inside).items()}
    if options.layout == "numbered folders":
        found = read_class_folders(root, folders, {str(i + 1): i for i in range(7)})
    else:
        found = read_named_folders(root, folders, options.classes)
    for split, rows in found.splits.items():
        names = [raf_name(image.rpartition("/")[2]) for image in rows.images]
        order = sorted(range(len(names)), key=names.__getitem__)  # the order of RAF-DB's own list
        found.splits[split] = Rows([names[i] for i in order], [rows.labels[i] for i in order],
                                   [rows.images[i] for i in order])
    if not folders["test"].endswith("test"):
        wrong = [name for name in found.splits["test"].ids if name.startswith("train_")]
        if wrong:
            raise UserError(f"{root.where(folders['test'])}: {len(wrong)} training images ({first_names(wrong)}), and "
                            "there is no folder test; put the images test_… into test/")
        found.notes.append(f"{folders['test']}/ is taken as RAF-DB's test set, since there is no folder test")
    return compared(root, found, [])


def refuse_dacl(root: Source) -> NoReturn:
    """Raise UserError for folders 00 to 06: the README of github.com/amirhfarzaneh/dacl says neutral, happy, sad, ...,
    disgust, which is AffectNet's order but for its end, so the numbers alone tell no class. The counts do."""
    folders = root.folders("train")
    here = ", ".join(f"{name} {len(root.files(f'train/{name}'))}" for name in folders)
    raise UserError(f"{root.where('train')}: folders {folders[0]} to {folders[-1]} as DACL has them, in AffectNet's "
                    "order (00 neutral, 01 happiness, 02 sadness, …), not in RAF-DB's; rename each to its expression, "
                    f"there and in test or valid. Its images tell which it is: here are {here}; RAF-DB trains on "
                    f"{TRAIN_COUNTS}")


def compared(root: Source, found: Found, used: list[str]) -> Found:
    """The same, with a note for every list besides the used ones that gives a face another label."""
    labels = {name: label for rows in found.splits.values() for name, label in zip(rows.ids, rows.labels, strict=True)}
    for file in (*LISTS, *SPLIT_LISTS, *TABLES):
        if file in used or not root.exists(file):
            continue
        lines = (" ".join(words).replace(",", " ").split() for _, words in read_words(root, file, errors="replace"))
        said = {raf_name(words[0]): int(words[1]) - 1 for words in lines
                if len(words) == 2 and words[1].isdecimal() and len(words[1]) < 3}
        other = [name for name, label in said.items() if labels.get(name, label) != label]
        if other:
            found.notes.append(f"{file} gives {len(other)} faces another label ({first_names(other)}); labels are "
                               f"those of {' and '.join(used) or 'the folders'}")
    return found
