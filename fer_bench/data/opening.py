"""``open_dataset``, the one way in: from a dataset that was asked for to its pack, decoded once."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fer_bench.data import cache as store
from fer_bench.data import images, layouts, official
from fer_bench.data.adapter import Found, Options
from fer_bench.data.archive import Source
from fer_bench.data.catalog import ADAPTERS, Dataset
from fer_bench.data.drawn import synthetic
from fer_bench.data.forms import first_names
from fer_bench.data.pack import IMAGES, Pack, Split, make_pack, write_pack
from fer_bench.data.unread import unread
from fer_bench.errors import UserError
from fer_bench.python_files import imported

Say = Callable[[str], None]
MOST_NAMES = 2**28  # characters of the names of a split, each as long as the longest


def open_dataset(dataset: Dataset, cache: Path, *, size: int | None = None, progress: Say | None = None) -> Pack:
    """A dataset as a pack, decoded on the first call and from the cache (< 0.1 s) afterwards.

    size: pixels a side; None keeps the images' own, or 112 where they differ. progress: called with one line about once
    a second. Raises UserError for a wrong root or bad data.
    """
    if size is not None and size < 8:
        raise UserError(f"dataset '{dataset.name}': size {size}, expected at least 8 pixels a side")
    if dataset.info.file is None:
        return _synthetic(dataset, size)
    if dataset.place is None:
        raise UserError(f"dataset '{dataset.name}' needs --data-root, the folder or .zip that holds it "
                        f"({dataset.info.source}; docs/datasets.md)")
    locate, signature = layouts.find(dataset, dataset.place)
    key = [dataset.info.version, dataset.info.name, dataset.name, size, str(dataset.place.resolve()), *signature]
    say = progress or (lambda line: None)

    def build(folder: Path, scratch: Path) -> None:
        source, layout = locate()
        found = read(dataset, source, layout, say)
        _build(dataset, found, source, size, say, folder, scratch)

    return store.open_or_build(store.pack_folder(Path(cache), dataset.name, key), build, say)


def read(dataset: Dataset, source: Source, layout: str, say: Say) -> Found:
    """What the dataset's adapter finds in a source."""
    info, chosen = dataset.info, dict(dataset.options)
    values = {key: chosen.get(key, choices[0]) for key, choices in info.options.items()}
    assert info.file is not None
    code = hashlib.sha256(bytes(info.file) + str(info.version).encode()).hexdigest()[:12]
    module = imported(info.file, code, f"dataset '{info.name}'")
    asked = Options(info.name, info.classes, layout, dataset.file, values, say)
    try:
        found: Found = getattr(module, info.function)(source, asked)
    except UserError:
        raise
    except Exception as error:
        if info.file.parent == ADAPTERS:
            raise
        raise UserError(f"{info.file}: read of dataset '{info.name}' failed ({type(error).__name__}: {error}); mend "
                        "the file") from error
    found.notes.extend(unread(source))
    return found


def _build(dataset: Dataset, found: Found, source: Source, size: int | None, say: Say, folder: Path,
           scratch: Path) -> None:
    """Decode what an adapter found and write it as a pack."""
    _refuse_unusable(found, source)
    ready = scratch / IMAGES
    pixels = images.load(found, source, size, say, ready)
    splits = {split: Split(pixels[split], np.asarray(rows.labels, np.int64), tuple(rows.ids), rows.votes,
                           rows.columns) for split, rows in found.splits.items()}
    pack = make_pack(dataset.name, found.classes or dataset.info.classes, splits)
    pack = replace(pack, notes=(*source.notes(), *found.notes, *official.check_counts(pack)))
    about: dict[str, Any] = {"dataset": dataset.asked, "size": size, "source": source.where()}
    write_pack(pack, folder, about, ready if ready.exists() else None)


def _refuse_unusable(found: Found, source: Source) -> None:
    """UserError for duplicated ids, or a training set that is not there; without a test set there are folds."""
    for split in {"train", *found.splits}:
        if split not in found.splits or not len(found.splits[split].ids):
            raise UserError(f"{source.where()}: no {split} images found; a dataset needs some")
    for split, rows in found.splits.items():
        odd = [one for one in rows.ids if not _is_text(one)]
        if odd:
            raise UserError(f"{source.where()}: {len(odd)} names in {split} are not UTF-8: "
                            f"{first_names([ascii(one) for one in odd])}; rename these files")
        longest = max(rows.ids, key=len, default="")
        if len(longest) * len(rows.ids) > MOST_NAMES:  # they are stored at one length
            raise UserError(f"{source.where()}: a name in {split} has {len(longest):,} characters ({longest[:60]}…), "
                            f"expected {MOST_NAMES // len(rows.ids)} at most in so large a split; rename it")
        twice = [one for one, count in Counter(rows.ids).items() if count > 1]
        if twice:
            raise UserError(f"{source.where()}: {len(twice)} duplicated ids in {split}: "
                            f"{first_names(twice)}; list each image once")


def _is_text(name: str) -> bool:
    """Can a name be stored? One that the file system holds in another encoding cannot."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _synthetic(dataset: Dataset, size: int | None) -> Pack:
    """The built-in faces; nothing is cached."""
    faces = synthetic.load()
    splits = {}
    for split in ("train", "test"):
        rows = np.flatnonzero(np.asarray(faces.split) == split)
        splits[split] = Split(images.resized(faces.images[rows], size), faces.labels[rows].astype(np.int64),
                              tuple(faces.ids[i] for i in rows), faces.votes[rows].astype(np.float32))
    return make_pack(dataset.name, dataset.info.classes, splits)
