"""folder:PATH, folders of class folders of one's own."""

from __future__ import annotations

from fer_bench.data.adapter import Found, Options, Source, dataset
from fer_bench.data.class_folders import BY_EXPRESSION, class_names, read_class_folders, split_folders


@dataset("folder:PATH", title="folders train/<class>/* and test/<class>/*",
         layouts={"class folders": ["train", "test"], "no test": ["train"]}, watch=["valid", "val", "validation"],
         options={"classes": ["as written", "expressions"]})
def read(root: Source, options: Options) -> Found:
    """Classes in order of name, of number when all names are numbers, or of the expressions. Without a folder ``test``
    there is no test set."""
    names, label_of = class_names(root.folders("train"), options["classes"], root.where("train"))
    folders = split_folders(root)
    if options.layout == "no test":
        del folders["test"]
    found = read_class_folders(root, folders, label_of)
    found.classes = names
    order = "number" if all(name.isdecimal() for name in names) else "name"
    order = "the expressions" if options["classes"] == BY_EXPRESSION else order
    found.notes.append(f"classes in order of {order}: {', '.join(names)}")
    return found
