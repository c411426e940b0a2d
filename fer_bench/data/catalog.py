"""All datasets by name, and ``open_dataset``, the one way in. ``DATASETS`` needs no numpy and no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_bench.errors import UserError, unknown

if TYPE_CHECKING:
    from fer_bench.data.archive import Source
    from fer_bench.data.images import Found
    from fer_bench.data.pack import Pack

# One name per expression in every dataset, so that protocols can speak of classes; the order is each dataset's own.
_RAF = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
_FERPLUS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
_AFFECTNET = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")
_FER2013 = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")


@dataclass(frozen=True)
class DatasetInfo:
    """One line of the catalog. classes: label order, empty where the data says it. source: its origin."""

    name: str
    title: str
    classes: tuple[str, ...]
    needs_root: bool
    source: str
    reader: str = ""  # module of fer_bench.data


_FERPLUS_SOURCE = "fer2013.csv from Kaggle's FER challenge, fer2013new.csv from github.com/microsoft/FERPlus"
_BY_REQUEST = "by request to its authors"
DATASETS: dict[str, DatasetInfo] = {entry.name: entry for entry in (
    DatasetInfo("synthetic", "drawn faces with ten simulated annotators", _RAF, False, "built in"),
    DatasetInfo("rafdb", "RAF-DB basic, aligned", _RAF, True, _BY_REQUEST, "rafdb"),
    DatasetInfo("ferplus7", "FERPlus, majority vote, without contempt", _FERPLUS[:7], True, _FERPLUS_SOURCE,
                "ferplus"),
    DatasetInfo("ferplus8", "FERPlus, majority vote", _FERPLUS, True, _FERPLUS_SOURCE, "ferplus"),
    DatasetInfo("fer2013", "FER2013, original labels", _FER2013, True, "Kaggle's FER challenge", "ferplus"),
    DatasetInfo("affectnet7", "AffectNet without contempt", _AFFECTNET[:7], True, _BY_REQUEST, "affectnet"),
    DatasetInfo("affectnet8", "AffectNet", _AFFECTNET, True, _BY_REQUEST, "affectnet"),
    DatasetInfo("folder:PATH", "folders train/<class>/* and test/<class>/*", (), False, "yours", "folder"),
    DatasetInfo("csv:PATH", "any CSV with columns path, label, split", (), False, "yours", "csvfile"),
)}


def info(name: str) -> DatasetInfo:
    """The catalog's line for a dataset; UserError with near matches for an unknown name."""
    kind, colon, path = name.partition(":")
    key = f"{kind}:PATH" if colon else name
    if key not in DATASETS or (colon and not path):
        raise unknown("dataset", name, DATASETS)
    if name == key and key.endswith(":PATH"):
        raise UserError(f"dataset '{name}': PATH stands for your own path; write {kind}:/data/… instead")
    return DATASETS[key]


def open_dataset(name: str, root: Path | None, cache: Path, *, size: int | None = None,
                 progress: Callable[[str], None] | None = None) -> Pack:
    """The dataset ``name`` as a pack, decoded on the first call and from the cache (< 0.1 s) afterwards.

    root: folder or .zip (not needed for synthetic, folder:PATH, csv:PATH). size: pixels a side; None keeps
    the images' own, or 112 where they differ. progress: called with one line about once a second.
    Raises UserError for an unknown name, a wrong root, or bad data.
    """
    entry = info(name)
    if size is not None and size < 8:
        raise UserError(f"dataset '{name}': size {size}, expected at least 8 pixels a side")
    if entry.name == "synthetic":
        return _synthetic(entry, size)
    if (place := place_of(name, root)) is None:
        raise UserError(f"dataset '{name}' needs --data-root, the folder or .zip that holds it "
                        f"({entry.source}; docs/datasets.md)")
    from fer_bench.data import archive
    from fer_bench.data import cache as store

    say = progress or (lambda line: None)
    reader = import_module(f"fer_bench.data.{entry.reader}")
    locate, signature = archive.find(place, reader.layouts(name), name)
    key = [reader.VERSION, name, size, str(place.resolve()), *signature]

    def build(folder: Path, scratch: Path) -> None:
        source, layout = locate()
        _build(entry, name, layout.read(source, name, say), source, size, say, folder, scratch)

    return store.open_or_build(store.pack_folder(Path(cache), name, key), build, say)


def place_of(name: str, root: Path | None) -> Path | None:
    """The folder or .zip that a dataset lies in: --data-root, or where folder:PATH and csv:PATH point; None for the
    built-in one. Raises UserError."""
    entry = info(name)
    if ":" in name:
        place: Path = import_module(f"fer_bench.data.{entry.reader}").root_of(name)
        return place
    return Path(root).expanduser() if root is not None and entry.needs_root else None


def own_name(name: str) -> str:
    """What a pack is called: the dataset's name, without the folders above one's own data ("folder:faces")."""
    kind, colon, path = name.partition(":")
    return f"{kind}:{Path(path).name or path}" if colon else name


def _build(entry: DatasetInfo, name: str, found: Found, source: Source, size: int | None,
           say: Callable[[str], None], folder: Path, scratch: Path) -> None:
    """Decode what a reader found and write it as a pack."""
    import numpy as np

    from fer_bench.data import images, official
    from fer_bench.data.pack import Split, make_pack, write_pack

    _refuse_unusable(found, source)
    pixels = images.load(found, source, size, say, scratch / "images.npy")
    splits = {split: Split(pixels[split], np.asarray(rows.labels, np.int64), tuple(rows.ids), rows.votes,
                           rows.columns) for split, rows in found.splits.items()}
    label = own_name(name)
    pack = make_pack(label, found.classes or entry.classes, splits)
    pack = replace(pack, notes=(*found.notes, *official.check_counts(pack)))
    ready = scratch / "images.npy"
    about: dict[str, Any] = {"dataset": name, "size": size, "source": source.where()}
    write_pack(pack, folder, about, ready if ready.exists() else None)


def _refuse_unusable(found: Found, source: Source) -> None:
    """UserError for duplicated ids, or a training or test set that is not there."""
    from fer_bench.data.images import first_names

    for split in ("train", "test"):
        if split not in found.splits or not len(found.splits[split].ids):
            raise UserError(f"{source.where()}: no {split} images found; both train and test are needed")
    for split, rows in found.splits.items():
        twice = [one for one, count in Counter(rows.ids).items() if count > 1]
        if twice:
            raise UserError(f"{source.where()}: {len(twice)} duplicated ids in {split}: "
                            f"{first_names(twice)}; list each image once")


def _synthetic(entry: DatasetInfo, size: int | None) -> Pack:
    """The built-in faces; nothing is cached."""
    import numpy as np

    from fer_bench.data import images
    from fer_bench.data.drawn import synthetic
    from fer_bench.data.pack import Split, make_pack

    faces = synthetic.load()
    splits = {}
    for split in ("train", "test"):
        rows = np.flatnonzero(np.asarray(faces.split) == split)
        splits[split] = Split(images.resized(faces.images[rows], size), faces.labels[rows].astype(np.int64),
                              tuple(faces.ids[i] for i in rows), faces.votes[rows].astype(np.float32))
    return make_pack(entry.name, entry.classes, splits)
