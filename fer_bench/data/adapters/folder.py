"""folder:PATH, folders of class folders of one's own."""

from __future__ import annotations

from fer_bench.data.adapter import Found, Options, Source, dataset
from fer_bench.data.class_folders import (
    BY_EXPRESSION,
    class_names,
    read_class_folders,
    refuse_spellings,
    split_folders,
)
from fer_bench.data.expressions import expression_of_label


@dataset("folder:PATH", title="folders train/<class>/* and test/<class>/*",
         layouts={"class folders": ["train", "test"], "no test": ["train"]}, watch=["valid", "val", "validation"],
         options={"classes": ["as written", "expressions"]})
def read(root: Source, options: Options) -> Found:
    """Classes in order of name, of number when all names are numbers, or of the expressions. Without a folder ``test``
    there is no test set."""
    folders = split_folders(root)
    if options.layout == "no test":
        del folders["test"]
    names, label_of = class_names(root.folders("train"), options["classes"], root.where("train"))
    found = Found({}, classes=names)
    for split, folder in folders.items():
        labels = labels_of(root, folder, label_of, names, options["classes"])
        found.splits |= read_class_folders(root, {split: folder}, labels).splits
    order = "number" if all(name.isdecimal() for name in names) else "name"
    order = "the expressions" if options["classes"] == BY_EXPRESSION else order
    found.notes.append(f"classes in order of {order}: {', '.join(names)}")
    return found


def labels_of(root: Source, folder: str, label_of: dict[str, int], names: tuple[str, ...],
              option: str) -> dict[str, int]:
    """Class folder -> label of one split, a class without a folder under its own name. Raises UserError for a folder
    that is likely to be a class of training in another spelling."""
    if option != BY_EXPRESSION:
        refuse_spellings(sorted({*label_of, *root.folders(folder)}), root.where(folder))
        return label_of
    spelled = {inner: str(expression_of_label(inner)) for inner in root.folders(folder)}
    found = {inner: names.index(word) for inner, word in spelled.items() if word in names}
    return found | {name: label for label, name in enumerate(names) if label not in found.values()}
