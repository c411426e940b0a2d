"""folder:PATH, folders of class folders of one's own."""

from __future__ import annotations

from fer_bench.data.adapter import Found, Options, Source, dataset
from fer_bench.data.class_folders import class_names, read_class_folders, split_folders
from fer_bench.errors import UserError


@dataset("folder:PATH", title="folders train/<class>/* and test/<class>/*",
         layouts={"class folders": ["train", "test"]}, watch=["valid", "val", "validation"])
def read(root: Source, options: Options) -> Found:
    """Classes in order of name, or of number when all names are numbers."""
    classes = class_names(root.folders("train"))
    if len(classes) < 2:
        raise UserError(f"{root.where('train')}: {len(classes)} class folders, expected at least two")
    found = read_class_folders(root, split_folders(root), {name: i for i, name in enumerate(classes)})
    found.classes = classes
    order = "number" if all(name.isdecimal() for name in classes) else "name"
    found.notes.append(f"classes in order of {order}: {', '.join(classes)}")
    return found
