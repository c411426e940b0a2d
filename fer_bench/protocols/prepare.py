"""What a protocol does to a dataset: a pack goes in, the training, validation and test sets of one run come out."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fer_bench.data.pack import Pack, Split
from fer_bench.data.selection import Images, select
from fer_bench.errors import UserError, near
from fer_bench.protocols import corrupt
from fer_bench.protocols.instance_noise import instance_noise, one_annotator
from fer_bench.protocols.protocol import Noise, Protocol
from fer_bench.protocols.scores import Scores


@dataclass(frozen=True)
class Faces:
    """A set of faces. given: int64 [N], the labels a method sees. true: int64 [N], for the harness's diagnosis only."""

    images: Images  # uint8 [N, H, W] or [N, H, W, 3]
    given: np.ndarray
    true: np.ndarray
    ids: tuple[str, ...]
    votes: np.ndarray | None  # float32 [N, C]

    def __len__(self) -> int:
        return len(self.given)

    def take(self, rows: np.ndarray) -> Faces:
        """Some of the faces, int64 rows [M]; pixels are not copied."""
        votes = None if self.votes is None else self.votes[rows]
        return Faces(select(self.images, rows), self.given[rows], self.true[rows], tuple(self.ids[r] for r in rows),
                     votes)


@dataclass(frozen=True)
class Prepared:
    """The data of one run."""

    classes: tuple[str, ...]
    train: Faces
    validation: Faces | None
    test: Faces


def prepare(pack: Pack, protocol: Protocol, seed: int, noise_list: Path | None = None,
            scores: Scores | None = None) -> Prepared:
    """Apply a protocol: classes, duplicates, imbalance, noise, validation, in this order.

    noise_list, scores: what noise of kind list or instance is read from.
    Raises UserError when the dataset has not what the protocol asks for or a class would be left empty.
    """
    pack = _keep_classes(pack, protocol)
    train = _drop_duplicates(pack) if protocol.drop_duplicates else pack.train
    if protocol.imbalance:
        rows = corrupt.imbalanced_rows(train.ids, train.labels, len(pack.classes), protocol.imbalance.profile,
                                       protocol.imbalance.factor, seed)
        train = _take(train, rows)
    noise = protocol.noise
    given = add_noise(train, pack, noise, seed, noise_list, scores) if noise else train.labels.copy()
    faces = Faces(train.images, given, train.labels, train.ids, train.votes)
    held_out = corrupt.held_out_rows(train.ids, protocol.validation, seed)
    validation = faces.take(held_out) if len(held_out) else None
    faces = faces.take(np.setdiff1d(np.arange(len(faces)), held_out)) if len(held_out) else faces
    _refuse_empty(pack, protocol, faces)
    test = pack.test
    return Prepared(pack.classes, faces, validation, Faces(test.images, test.labels, test.labels, test.ids, test.votes))


def add_noise(train: Split, pack: Pack, noise: Noise, seed: int, noise_list: Path | None,
              scores: Scores | None) -> np.ndarray:
    """The given labels of a training set, int64 [N]."""
    count = len(pack.classes)
    if noise.kind == "symmetric":
        return corrupt.symmetric_noise(train.ids, train.labels, count, noise.rate or 0.0, seed)
    if noise.kind == "confusion":
        target = np.arange(count)
        for source, mistaken in (noise.confusion or {}).items():
            target[_class_index(pack, source)] = _class_index(pack, mistaken)
        return corrupt.confusion_noise(train.ids, train.labels, target, noise.rate or 0.0, seed)
    if noise.kind == "column":
        column = train.columns.get(noise.column or "")
        if column is None:
            have = f"it has {', '.join(sorted(train.columns))}" if train.columns else "it has none"
            raise UserError(f"dataset '{pack.name}' has no second annotation '{noise.column}' ({have}); FERPlus does: "
                            "use --dataset ferplus7")
        return np.where(column >= 0, column, train.labels)
    if noise.kind == "instance":
        assert scores is not None
        return instance_noise(train.ids, train.labels, scores.of(train.ids, pack.classes), noise.rate or 0.0)
    if noise.kind == "annotator":
        if train.votes is None:
            raise UserError(f"dataset '{pack.name}' has no annotators' votes; synthetic, ferplus7 and ferplus8 have: "
                            "use --dataset synthetic")
        return one_annotator(train.ids, train.labels, train.votes, seed)
    assert noise_list is not None
    return _from_list(train, noise_list, noise.base, count)


def read_noise_list(path: Path, base: int, num_classes: int) -> dict[str, int]:
    """Published noise lists: one "name label" per line, labels from ``base`` (EAC, ReSup: 1; SCN's generator: 0).

    Folders and RAF-DB's ``_aligned`` are taken off the names. Returns name -> label from 0.
    """
    labels: dict[str, int] = {}
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"noise list {path}: cannot be read ({type(error).__name__}); give its path with "
                        "--noise-list") from None
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words:
            continue
        if len(words) < 2 or not re.fullmatch("-?[0-9]+", words[1]):
            raise UserError(f"{path}:{number}: found '{line.strip()[:60]}', expected 'name label'")
        label = int(words[1]) - base
        if not 0 <= label < num_classes:
            raise UserError(f"{path}:{number}: label {words[1]} is outside {base}..{base + num_classes - 1}; set "
                            f"'base: {1 - base}' in the protocol if the list counts from {1 - base}")
        name = words[0].replace("\\", "/").rsplit("/", 1)[-1].replace("_aligned", "")
        labels[name] = label
    return labels


def _from_list(train: Split, path: Path, base: int, num_classes: int) -> np.ndarray:
    labels = read_noise_list(path, base, num_classes)
    missing = [i for i in train.ids if i not in labels]
    if missing:
        raise UserError(f"noise list {path.name}: {len(missing)} of {len(train)} training faces are not in it, first "
                        f"{', '.join(missing[:5])}; use the list of this dataset")
    return np.array([labels[i] for i in train.ids], dtype=np.int64)


def _class_index(pack: Pack, name: str) -> int:
    if name not in pack.classes:
        raise UserError(f"dataset '{pack.name}' has no class '{name}': {near(name, pack.classes)}")
    return pack.classes.index(name)


def _keep_classes(pack: Pack, protocol: Protocol) -> Pack:
    if protocol.classes is None:
        return pack
    kept = [_class_index(pack, name) for name in protocol.classes]
    renumber = np.full(len(pack.classes), -1, dtype=np.int64)
    renumber[kept] = np.arange(len(kept))
    splits = {}
    for name, split in pack.splits.items():
        split = _take(split, np.flatnonzero(renumber[split.labels] >= 0))
        columns = {k: np.where(v >= 0, renumber[v], -1) for k, v in split.columns.items()}
        votes = None if split.votes is None else split.votes[:, kept]
        splits[name] = replace(split, labels=renumber[split.labels], votes=votes, columns=columns)
    return replace(pack, classes=protocol.classes, splits=splits)


def _drop_duplicates(pack: Pack) -> Split:
    seen = {hashlib.sha256(image.tobytes()).digest() for image in pack.test.images}
    rows = []
    for row, image in enumerate(pack.train.images):
        pixels = hashlib.sha256(image.tobytes()).digest()
        if pixels not in seen:
            seen.add(pixels)
            rows.append(row)
    return _take(pack.train, np.array(rows, dtype=np.int64))


def _take(split: Split, rows: np.ndarray) -> Split:
    votes = None if split.votes is None else split.votes[rows]
    columns = {name: values[rows] for name, values in split.columns.items()}
    return Split(select(split.images, rows), split.labels[rows], tuple(split.ids[r] for r in rows), votes, columns)


def _refuse_empty(pack: Pack, protocol: Protocol, train: Faces) -> None:
    for what, labels in (("true", train.true), ("given", train.given)):
        counts = np.bincount(labels, minlength=len(pack.classes))
        if (counts == 0).any():
            empty = [pack.classes[c] for c in np.flatnonzero(counts == 0)]
            raise UserError(f"protocol '{protocol.name}' on '{pack.name}' leaves no {what} training label of "
                            f"{', '.join(empty)}; lower its imbalance factor or noise rate, or name fewer 'classes'")
