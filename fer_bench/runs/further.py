"""Further tests that a user asks for: other datasets, parts of the test set, corrupted test faces, votes.

They come after training and change no number of it: a run is the same run with any of them or none.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_bench.data.catalog import Dataset, ask
from fer_bench.data.pack import Pack, Split, take
from fer_bench.errors import UserError
from fer_bench.protocols.protocol import Protocol
from fer_bench.runs.faces import cached_pack, pack_of
from fer_bench.runs.request import Part, Request

if TYPE_CHECKING:
    from fer_bench.engine.further import Trained

LISTED = 60  # training faces of each list
UNIQUE = "unique"  # the test faces that are no copies of training faces


@dataclass(frozen=True)
class FurtherTest:
    """kind and name: what tables call it. about: JSON data that tells two tests of one name apart. words: what asks for
    it on the command line, without paths. Whether it needs more than the labels that were predicted: ``of_network``."""

    kind: str
    name: str
    about: dict[str, Any]
    words: tuple[str, ...]
    of_network = True

    @property
    def digest(self) -> str:
        """12 hex digits of kind, name and about."""
        text = json.dumps([self.kind, self.name, self.about], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def run(self, trained: Trained) -> dict[str, Any]:
        """JSON data of a finished run."""
        raise NotImplementedError

    def content(self, found: dict[str, Any]) -> dict[str, Any]:
        """What is kept of a test and its outcome."""
        return {"kind": self.kind, "name": self.name, "about": self.about, "words": list(self.words), "result": found}


def further_tests(request: Request, part: Part, protocol: Protocol, seed: int) -> tuple[FurtherTest, ...]:
    """What runs are tested on besides. Raises UserError for what cannot be."""
    if not (request.test_subsets or request.test_on or request.test_corruptions or request.test_votes
            or request.test_training):
        return ()
    pack = pack_of(request, part, seed)
    classes = tuple(protocol.classes or pack.classes)
    known = pack.test.ids + (pack.train.ids if part.fold else ())
    tests: list[FurtherTest] = []
    for name, file in request.test_subsets.items():
        ids = unique_ids(pack) if file is None else listed_ids(file, known)
        tests.append(subset_test(name, ids, len(classes), file))
    tests += [dataset_test(request, word, pack, classes) for word in request.test_on]
    tests += [corruption_test()] if request.test_corruptions else []
    tests += [votes_test(pack)] if request.test_votes else []
    tests += [TrainingTest("training", "training", {}, ("--test-training",))] if request.test_training else []
    return tuple(tests)


@dataclass(frozen=True)
class SubsetTest(FurtherTest):
    """Accuracy on the test faces that have some ids."""

    ids: frozenset[str]
    classes: int
    of_network = False

    def run(self, trained: Trained) -> dict[str, Any]:
        from fer_bench.engine.further import accuracy_of_labels

        rows = np.flatnonzero([one in self.ids for one in trained.test.ids])
        if not len(rows):
            return {"faces": 0}
        return accuracy_of_labels(trained.predicted[rows], trained.test.true[rows], self.classes)


def subset_test(name: str, ids: set[str], classes: int, file: Path | None) -> SubsetTest:
    """Of some ids, which a file says or not."""
    about = {"sha256": hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest(), "faces": len(ids)}
    words = ("--test-subset", f"{name}=FILE" if file else name)
    return SubsetTest("subset", name, about, words, frozenset(ids), classes)


def parse_subsets(items: list[str]) -> dict[str, Path | None]:
    """["pose=pose.txt", "unique"] to {"pose": Path("pose.txt"), "unique": None}. Raises UserError."""
    found: dict[str, Path | None] = {}
    for item in items:
        name, equals, file = item.partition("=")
        if not (equals and name and file) and item != UNIQUE:
            raise UserError(f"--test-subset {item}: expected NAME=FILE, or '{UNIQUE}' for the test faces that are no "
                            "copies of training faces")
        if name in found or (name == UNIQUE and file):
            raise UserError(f"--test-subset {item}: '{name}' is taken; give it another name")
        found[name] = Path(file).expanduser() if file else None
    return found


def unique_ids(pack: Pack) -> set[str]:
    """The ids of the test faces that are byte for byte no training face."""
    seen = {pixels_of(image) for image in pack.train.images}
    return {one for one, image in zip(pack.test.ids, pack.test.images, strict=True) if pixels_of(image) not in seen}


def pixels_of(image: np.ndarray) -> bytes:
    """What tells an image from every other one."""
    return hashlib.sha256(image.tobytes()).digest()


def listed_ids(file: Path, known: tuple[str, ...]) -> set[str]:
    """The ids of a list: one a line, or the first column of a CSV. Raises UserError for ids that are no test faces."""
    try:
        rows = list(csv.reader(io.StringIO(file.read_text(encoding="utf-8-sig"))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"--test-subset {file}: not a readable list in UTF-8 ({error}); give one id a line") from None
    ids = [row[0].strip() for row in rows if row and row[0].strip()]
    if ids and ids[0].lower() == "id":
        ids = ids[1:]
    of_test = set(known)
    if strange := [one for one in ids if one not in of_test]:
        raise UserError(f"--test-subset {file}: {len(strange)} of {len(ids)} ids are no test faces, first "
                        f"'{strange[0]}'; expected ids such as '{known[0]}'")
    if not ids:
        raise UserError(f"--test-subset {file}: names no face; give one id a line")
    return set(ids)


@dataclass(frozen=True)
class DatasetTest(FurtherTest):
    """Accuracy on another dataset's test set, or on all of it if it has none, through the classes that both have."""

    dataset: Dataset
    cache: Path
    size: int | None
    classes: tuple[str, ...]  # that the network knows

    def run(self, trained: Trained) -> dict[str, Any]:
        from fer_bench.engine.further import accuracy

        pack, shared = cached_pack(self.dataset, self.cache, self.size), self.about["classes"]
        faces, labels = of_classes(pack.splits[self.about["split"]], pack.classes, shared)
        return accuracy(trained.predict(faces.images)[:, [self.classes.index(name) for name in shared]], labels)


def dataset_test(request: Request, word: str, pack: Pack, classes: tuple[str, ...]) -> DatasetTest:
    """Of one dataset that --test-on names. Raises UserError for the run's own, and for one that shares no classes."""
    dataset = ask(word, request.roots, request.data_options, request.plugins)
    other = cached_pack(dataset, request.cache, request.pack_size)
    if other.fingerprint == pack.fingerprint:
        raise UserError(f"--test-on {word}: the runs train on it; name another dataset")
    shared = [name for name in classes if name in other.classes]
    if len(shared) < 2:
        raise UserError(f"--test-on {word}: shares {len(shared)} classes with '{pack.name}' ({', '.join(classes)}), "
                        f"found {', '.join(other.classes)}; expected two or more (--data-option classes=expressions "
                        "gives own data the usual names)")
    split = "test" if "test" in other.splits else "train"
    faces, _ = of_classes(other.splits[split], other.classes, shared)
    about = {"fingerprint": other.fingerprint, "split": split, "classes": shared, "faces": len(faces)}
    words = ("--test-on", other.name)
    return DatasetTest("test-on", other.name, about, words, dataset, request.cache, request.pack_size, classes)


def of_classes(split: Split, classes: tuple[str, ...], kept: list[str]) -> tuple[Split, np.ndarray]:
    """The faces of some classes, and their labels int64 [M] as places in ``kept``."""
    place = np.array([kept.index(name) if name in kept else -1 for name in classes])
    rows = np.flatnonzero(place[split.labels] >= 0)
    return take(split, rows), place[split.labels[rows]]


@dataclass(frozen=True)
class CorruptionTest(FurtherTest):
    """Accuracy on corrupted test faces: by kind, five strengths."""

    def run(self, trained: Trained) -> dict[str, Any]:
        from fer_bench.engine.corruptions import CORRUPTIONS, SEVERITIES, corrupted
        from fer_bench.engine.metrics import evaluate

        def numbers(name: str, severity: int) -> dict[str, float]:
            test = trained.test
            found = evaluate(trained.predict(corrupted(test.images, test.ids, name, severity)), test.true)
            return {key: found[key] for key in ("overall", "mean")}

        return {name: [numbers(name, severity + 1) for severity in range(SEVERITIES)] for name in CORRUPTIONS}


def corruption_test() -> CorruptionTest:
    """Of the present version of the corruptions."""
    from fer_bench.engine.corruptions import CORRUPTIONS, VERSION

    return CorruptionTest("corruptions", "corruptions", {"version": VERSION, "kinds": list(CORRUPTIONS)},
                          ("--test-corruptions",))


@dataclass(frozen=True)
class VotesTest(FurtherTest):
    """How far the network's probabilities are from the annotators' votes."""

    def run(self, trained: Trained) -> dict[str, Any]:
        from fer_bench.engine.votes import vote_metrics

        assert trained.test.votes is not None
        return vote_metrics(trained.predict(trained.test.images), trained.test.votes)


def votes_test(pack: Pack) -> VotesTest:
    """Of a dataset's test faces. Raises UserError where they have no votes."""
    if pack.test.votes is None:
        raise UserError(f"--test-votes: '{pack.name}' has no annotators' votes; synthetic, ferplus7 and ferplus8 have; "
                        "leave it out")
    return VotesTest("votes", "votes", {}, ("--test-votes",))


@dataclass(frozen=True)
class TrainingTest(FurtherTest):
    """What became of single training faces: wrong labels learnt by heart, the least and the greatest weights."""

    def run(self, trained: Trained) -> dict[str, Any]:
        from fer_bench.engine.further import training_faces

        return training_faces(trained, LISTED)
