"""Class folders, as adapters read them: ``train/<class>/*``, ``test/<class>/*``, optionally a validation one."""

from __future__ import annotations

from fer_bench.data.adapter import Found, Rows, Source
from fer_bench.errors import UserError

VALID = ("valid", "val", "validation")


def split_folders(source: Source) -> dict[str, str]:
    """Split -> folder: train, test, and valid where there is such a folder."""
    valid = next((name for name in VALID if source.exists(name)), None)
    return {"train": "train", **({"valid": valid} if valid else {}), "test": "test"}


def read_class_folders(source: Source, folders: dict[str, str], label_of: dict[str, int],
                       ignored: tuple[str, ...] = ()) -> Found:
    """Every split's images, label by the name of the class folder; ids are the names below the root.

    UserError for a class folder that is missing, empty, or of no known class.
    """
    result = Found({})
    for split, folder in folders.items():
        names: list[str] = []
        labels: list[int] = []
        present = source.folders(folder)
        for inner in present:
            if inner not in label_of and inner not in ignored:
                raise UserError(f"{source.where(f'{folder}/{inner}')}: no class of this dataset; expected "
                                f"{', '.join(label_of)}; rename or remove it")
        for inner, label in label_of.items():
            images = [f"{folder}/{inner}/{image}" for image in source.files(f"{folder}/{inner}")]
            if not images:
                what = "holds no images" if inner in present else "is not there"
                raise UserError(f"{source.where(f'{folder}/{inner}')}: this class folder {what}; "
                                f"every split needs images of every class ({', '.join(label_of)})")
            names += images
            labels += [label] * len(images)
        result.splits[split] = Rows(names, labels, names)
    return result


def class_names(folders: list[str]) -> tuple[str, ...]:
    """Class order of a dataset that states none: by number when all names are numbers, else by name."""
    return tuple(sorted(folders, key=int) if all(name.isdecimal() for name in folders) else sorted(folders))
