"""What a protocol does to a dataset: a pack goes in, the training, validation and test sets of one run come out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fer_bench.data.pack import Pack, Split, take
from fer_bench.data.selection import Images, select
from fer_bench.errors import UserError
from fer_bench.protocols import corrupt
from fer_bench.protocols.classes import class_index, class_indices, keep_classes
from fer_bench.protocols.instance_noise import instance_noise, one_annotator
from fer_bench.protocols.noise_list import NoiseList, listed_labels
from fer_bench.protocols.protocol import Noise, Protocol
from fer_bench.protocols.scores import Scores

LISTED = "listed"  # the column that holds the labels of a list


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
    head: int | None = None  # faces of the largest class, where imbalance left fewer of it than its profile begins with
    noise_list: NoiseList | None = None


def prepare(pack: Pack, protocol: Protocol, seed: int, noise_list: NoiseList | None = None,
            scores: Scores | None = None) -> Prepared:
    """Apply a protocol: classes, duplicates, imbalance, noise, validation, in this order. seed: of the draws for which
    the protocol names none.

    noise_list, scores: what noise of kind list or instance is read from.
    Raises UserError when the dataset has not what the protocol asks for or a class would be left empty.
    """
    pack = keep_classes(pack, protocol)
    train = pack.train
    if protocol.noise and protocol.noise.kind == "list":
        assert noise_list is not None
        labels = listed_labels(noise_list, pack, protocol)
        train = replace(train, columns={**train.columns, LISTED: labels})
    train = _drop_duplicates(train, pack.test) if protocol.drop_duplicates else train
    train, head = imbalanced(train, pack, protocol, seed)
    if noise_list is not None:
        _refuse_missing(train, pack, noise_list)
    given = add_noise(train, pack, protocol.noise, seed, scores) if protocol.noise else train.labels.copy()
    faces = Faces(train.images, given, train.labels, train.ids, train.votes)
    held_out = corrupt.held_out_rows(train.ids, protocol.validation, seed)
    validation = faces.take(held_out) if len(held_out) else None
    faces = faces.take(np.setdiff1d(np.arange(len(faces)), held_out)) if len(held_out) else faces
    _refuse_empty(pack, protocol, faces)
    test = Faces(pack.test.images, pack.test.labels, pack.test.labels, pack.test.ids, pack.test.votes)
    return Prepared(pack.classes, faces, validation, test, head, noise_list)


def imbalanced(train: Split, pack: Pack, protocol: Protocol, seed: int) -> tuple[Split, int | None]:
    """The faces that an imbalance keeps, and how many of the largest class where fewer than there are: its head was
    shrunk. Raises UserError for a factor that leaves no face of a class, with the factors that do."""
    asked, counts = protocol.imbalance, np.bincount(train.labels, minlength=len(pack.classes))
    if asked is None:
        return train, None
    kept = corrupt.imbalance_counts(counts, asked.profile, asked.factor)
    if not kept.all():
        reach = [f"{first} to {last}" for first, last in corrupt.reachable_factors(counts, asked.profile)]
        empty = np.flatnonzero(kept == 0 if reach else counts == 0)
        mend = f"factors {' and '.join(reach)} can be reached" if reach else "it has none, name fewer 'classes'"
        raise UserError(f"protocol '{protocol.name}' on '{pack.name}', imbalance factor {asked.factor:g}: leaves no "
                        f"true training label of {', '.join(pack.classes[label] for label in empty)}; {mend}")
    rows = corrupt.imbalanced_rows(train.ids, train.labels, len(pack.classes), asked.profile, asked.factor,
                                   seed if asked.seed is None else asked.seed)
    return take(train, rows), int(kept.max()) if kept.max() < counts.max() else None


def add_noise(train: Split, pack: Pack, noise: Noise, seed: int, scores: Scores | None) -> np.ndarray:
    """The given labels of a training set, int64 [N]; seed: unless the noise names its own."""
    count, seed = len(pack.classes), seed if noise.seed is None else noise.seed
    if noise.kind == "symmetric":
        return corrupt.symmetric_noise(train.ids, train.labels, count, noise.rate or 0.0, seed)
    if noise.kind == "confusion":
        pairs, target = noise.confusion or {}, np.arange(count)
        sources = class_indices(pack, pairs, "noise of kind confusion")
        target[sources] = [class_index(pack, mistaken) for mistaken in pairs.values()]
        if len(same := [name for name, source in zip(pairs, sources, strict=True) if target[source] == source]):
            raise UserError(f"noise of kind confusion: '{same[0]}' and '{pairs[same[0]]}' are one class of "
                            f"'{pack.name}', so no label would change; name another one")
        return corrupt.confusion_noise(train.ids, train.labels, target, noise.rate or 0.0, seed)
    if noise.kind == "list":
        return train.columns[LISTED]
    if noise.kind == "instance":
        assert scores is not None
        return instance_noise(train.ids, train.labels, scores.of(train.ids, pack.classes), noise.rate or 0.0)
    if noise.kind == "annotator":
        if train.votes is None:
            raise UserError(f"dataset '{pack.name}' has no annotators' votes; synthetic, ferplus7 and ferplus8 have: "
                            "use --dataset synthetic")
        return one_annotator(train.ids, train.labels, train.votes, seed)
    column = train.columns.get(noise.column or "")
    if column is None:
        have = f"it has {', '.join(sorted(train.columns))}" if train.columns else "it has none"
        raise UserError(f"dataset '{pack.name}' has no second annotation '{noise.column}' ({have}); FERPlus does: use "
                        "--dataset ferplus7")
    return np.where(column >= 0, column, train.labels)


def _refuse_missing(train: Split, pack: Pack, noise_list: NoiseList) -> None:
    if missing := [train.ids[row] for row in np.flatnonzero(train.columns[LISTED] < 0)]:
        raise UserError(f"noise list {noise_list.name}: {len(missing)} of {len(train)} training faces of '{pack.name}' "
                        f"are not in it, first {', '.join(missing[:5])}; use the list of this dataset")


def trained_on(data: Prepared) -> dict[str, Any]:
    """What a protocol came to, for the record. faces: of the training set. counts: of each class, by true label.
    noise_rate: share of wrong given labels. imbalance_factor: largest class / smallest class, by true label. With a
    list: its name and sha256."""
    train = data.train
    counts = np.bincount(train.true, minlength=len(data.classes))
    found = {"faces": len(train), "counts": dict(zip(data.classes, counts.tolist(), strict=True)),
             "noise_rate": float((train.given != train.true).mean()),
             "imbalance_factor": float(counts.max() / counts.min())}
    if data.noise_list:
        found["noise_list"] = {"name": data.noise_list.name, "sha256": data.noise_list.sha256}
    return found


def _drop_duplicates(train: Split, test: Split) -> Split:
    seen = {hashlib.sha256(image.tobytes()).digest() for image in test.images}
    rows = []
    for row, image in enumerate(train.images):
        pixels = hashlib.sha256(image.tobytes()).digest()
        if pixels not in seen:
            seen.add(pixels)
            rows.append(row)
    return take(train, np.array(rows, dtype=np.int64))


def _refuse_empty(pack: Pack, protocol: Protocol, train: Faces) -> None:
    for what, labels in (("true", train.true), ("given", train.given)):
        counts = np.bincount(labels, minlength=len(pack.classes))
        if (counts == 0).any():
            empty = [pack.classes[c] for c in np.flatnonzero(counts == 0)]
            raise UserError(f"protocol '{protocol.name}' on '{pack.name}' leaves no {what} training label of "
                            f"{', '.join(empty)}; lower its imbalance factor or noise rate, or name fewer 'classes'")
