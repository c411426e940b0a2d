"""Lists of labels that others published, or that ``export`` wrote: where one lies, what it says, whom it means.

Two forms are read. "name label" lines with labels from ``base`` (EAC, ReSup: 1; SCN's generator: 0), whatever follows
on the line; and what ``run_bench.py export`` writes: the header id,given,true and labels from 0.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from fer_bench.data.archive import Source
from fer_bench.data.pack import Pack
from fer_bench.errors import UserError
from fer_bench.protocols.protocol import Protocol

EXPORTED = "id,given,true"
WITHIN = 0.01  # a list's share of changed labels may differ by a point from the rate that its protocol names
LINE = re.compile(r"\s*(\S.*?)\s+(-?[0-9]{1,9})(?:\s.*)?")  # a name may hold spaces
EXPORTED_LINE = re.compile(r"(.+),([0-9]{1,9}),([0-9]{1,9})\s*")  # and commas, in quotation marks then


@dataclass(frozen=True)
class Entry:
    """One line of a list. label: given class from 0. true: the class that it was made from, where the list says it."""

    line: int
    label: int
    true: int | None = None


@dataclass(frozen=True)
class NoiseList:
    """A list as it was found. where: how an error names it, for example ``/data/raf.zip/EmoLabel/noise01.txt``."""

    where: str
    content: bytes

    @property
    def name(self) -> str:
        """The name of its file."""
        return self.where.replace("\\", "/").rsplit("/", 1)[-1]

    @cached_property
    def sha256(self) -> str:
        """64 hex digits over its bytes."""
        return hashlib.sha256(self.content).hexdigest()

    def entries(self, base: int, classes: int) -> dict[str, Entry]:
        """Face -> what the list says of it. Raises UserError for what is no list, a label outside the classes, and a
        face with two labels."""
        found: dict[str, Entry] = {}
        for line, name, label, true in self._rows():
            lowest = base if true is None else 0
            entry = Entry(line, int(label) - lowest, None if true is None else int(true))
            if not 0 <= entry.label < classes:
                hint = "use the list of this dataset" if true is not None else (
                    f"set 'base: {1 - base}' in the protocol if the list counts from {1 - base}")
                raise UserError(f"{self.where}:{line}: label {label} is outside {lowest}..{lowest + classes - 1}; "
                                f"{hint}")
            first = found.setdefault(face(name), entry)
            if first.label != entry.label:
                raise UserError(f"{self.where}:{line}: '{name}' has label {label} here, {first.label + lowest} in line "
                                f"{first.line}; give each face one label")
        return found

    def _rows(self) -> Iterator[tuple[int, str, str, str | None]]:
        """(line, name, label, true label or None) of each line that is not empty."""
        try:
            lines = self.content.decode("utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise UserError(f"noise list {self.where}: byte {error.start} is not UTF-8; save it as UTF-8 "
                            "text") from None
        exported = bool(lines) and lines[0].strip() == EXPORTED
        for number, line in enumerate(lines[exported:], 1 + exported):
            if not line.strip():
                continue
            if not (parts := (EXPORTED_LINE if exported else LINE).fullmatch(line)):
                raise UserError(f"{self.where}:{number}: found '{line.strip()[:60]}', expected "
                                f"{f'{EXPORTED} as export writes them' if exported else repr('name label')}")
            if exported:
                yield number, next(csv.reader([parts[1]]))[0], parts[2], parts[3]
            else:
                yield number, parts[1], parts[2], None


def find_list(protocol: Protocol, place: Path | None, named: Path | None = None) -> NoiseList | None:
    """The list that a protocol reads, None for one that reads none: ``named`` (--noise-list); else its file in
    ``place``, the folder or .zip of the dataset, or in an EmoLabel folder there, both also one folder deeper; else the
    file as a path of its own. Raises UserError."""
    if protocol.noise is None or protocol.noise.file is None:
        return None
    file, tried = protocol.noise.file, ""
    if named is None and place is not None:
        root = Source(place)
        for source in (root, *(root.below(folder) for folder in root.folders(""))):
            for name in (file, f"EmoLabel/{file}"):
                with contextlib.suppress(KeyError, FileNotFoundError, IsADirectoryError, NotADirectoryError):
                    return NoiseList(source.where(name), source.read(name))
        tried = f"{file} and EmoLabel/{file} in {place} and in the folders there, and for "
    path = (Path(file) if named is None else named).expanduser()
    if path.is_file():
        return NoiseList(str(path), path.read_bytes())
    raise UserError(f"protocol '{protocol.name}': noise list not found, looked for {tried}{path}; give its path with "
                    "--noise-list")


def listed_labels(found: NoiseList, pack: Pack, protocol: Protocol) -> np.ndarray:
    """What the list of a protocol says of each training face, int64 [N], -1 where it does not name it. Raises UserError
    when it was made from other labels, or changes another share of them than the protocol says."""
    noise, true = protocol.noise, pack.train.labels
    assert noise is not None
    entries = _matched(found, pack, found.entries(noise.base, len(pack.classes)))
    for name, entry, label in zip(pack.train.ids, entries, true.tolist(), strict=True):
        if entry and entry.true not in (None, label):
            raise UserError(f"{found.where}:{entry.line}: the true label of {name} is {entry.true} there, {label} in "
                            f"dataset '{pack.name}'; use a list of this dataset and of the same classes")
    labels = np.array([-1 if entry is None else entry.label for entry in entries], dtype=np.int64)
    named = labels >= 0
    if noise.rate is not None and named.any():
        changed = float((labels != true)[named].mean())
        if abs(changed - noise.rate) > max(WITHIN, 0.5 / named.sum()) + 1e-9:  # or by what rounding to whole faces does
            raise UserError(f"noise list {found.name}: {100 * changed:.2f} % of its labels are changed, protocol "
                            f"'{protocol.name}' expects {100 * noise.rate:g} %, one point more or less; give it the "
                            "list of that rate")
    return labels


def face(name: str) -> str:
    """The face that a name means: with forward slashes, and without RAF-DB's ``_aligned``."""
    folder, slash, base = name.replace("\\", "/").removeprefix("./").rpartition("/")
    return folder + slash + base.replace("_aligned", "")


def _matched(found: NoiseList, pack: Pack, entries: dict[str, Entry]) -> list[Entry | None]:
    """The entry of each training face: under its id, else under a name that ends as it does, or as which it ends.
    Raises UserError for a name that could mean two faces."""
    ids = [face(one) for one in pack.train.ids]
    known = {face(one) for split in pack.splits.values() for one in split.ids}
    others: dict[str, list[str]] = {}  # by name without folders
    for name in entries:
        if name not in known:  # whoever is named in full is not meant by half
            others.setdefault(name.rpartition("/")[2], []).append(name)
    alike: dict[str, list[str]] = {}
    for one in ids:
        if one not in entries:
            alike.setdefault(one.rpartition("/")[2], []).append(one)
    twice = {one for one, count in Counter(ids).items() if count > 1}
    matched: list[Entry | None] = []
    for face_id, one in zip(pack.train.ids, ids, strict=True):
        base = one.rpartition("/")[2]
        meant = [one] if one in entries else [name for name in others.get(base, []) if _ends_alike(name, one)]
        if meant and (len(meant) > 1 or one in twice or (
                one not in entries and sum(_ends_alike(meant[0], other) for other in alike[base]) > 1)):
            raise UserError(f"{found.where}:{entries[meant[0]].line}: '{base}' is not enough to tell which face is "
                            f"meant, first {face_id}; name the faces as the dataset does, with their folders")
        matched.append(entries[meant[0]] if meant else None)
    return matched


def _ends_alike(one: str, other: str) -> bool:
    """Whether one path is the other's end, folder by folder: "a/1.png" is that of "b/a/1.png", not of "ba/1.png"."""
    return f"/{one}".endswith(f"/{other}") or f"/{other}".endswith(f"/{one}")
