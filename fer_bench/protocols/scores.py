"""Score tables: the class probabilities that reference networks give to each training face; instance-dependent noise is
read from them. Here is what a table holds and where one is looked for; runs/reference.py makes them.

The table of the embedded faces comes with the suite, those of other datasets lie in the cache, and ``--scores`` names
any other. A table is plain arrays; what identifies it is the hash of its content, not its file.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import uuid
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from fer_bench.errors import UserError
from fer_bench.paths import PACKAGE

EMBEDDED = PACKAGE / "data" / "drawn" / "scores.npz"


@dataclass(frozen=True)
class Scores:
    """A score table. probabilities: float16 [N, C]; row i is of the face ids[i], by a network that never trained on it.
    fingerprint: the dataset's. about: how the table was made, plain JSON data."""

    fingerprint: str
    classes: tuple[str, ...]
    ids: tuple[str, ...]
    probabilities: np.ndarray
    about: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def digest(self) -> str:
        """sha256 (64 hex digits) of classes, ids and probabilities: all that a label can depend on."""
        found = hashlib.sha256("\n".join(self.classes).encode() + b"|" + "\n".join(self.ids).encode() + b"|")
        found.update(np.ascontiguousarray(self.probabilities, "<f2").tobytes())
        return found.hexdigest()

    @cached_property
    def rows(self) -> dict[str, int]:
        """Row of each face."""
        return {name: row for row, name in enumerate(self.ids)}

    def of(self, ids: Sequence[str], classes: Sequence[str]) -> np.ndarray:
        """The probabilities of some faces and classes, float64 [len(ids), len(classes)]. Raises UserError for a face
        that is not in the table."""
        if missing := [name for name in ids if name not in self.rows]:
            raise UserError(f"score table {self.digest[:12]}: {len(missing)} of {len(ids)} faces are not in it, first "
                            f"{', '.join(missing[:3])}; use the table of this dataset")
        if missing := [name for name in classes if name not in self.classes]:
            raise UserError(f"score table {self.digest[:12]}: it has no class '{missing[0]}', but "
                            f"{', '.join(self.classes)}; make it anew")
        found: np.ndarray = self.probabilities.astype(np.float64)[[self.rows[name] for name in ids]]
        return found[:, [self.classes.index(name) for name in classes]]


def table_path(cache: Path, dataset: str, fingerprint: str, made_by: str) -> Path:
    """Where the table of a dataset lies. made_by: hex digest of the recipe that it was made by."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", dataset)[:40].strip("-")
    return cache / f"scores-{name}-{fingerprint[:12]}-{made_by[:8]}.npz"


def find_scores(dataset: str, fingerprint: str, cache: Path, given: Path | None, command: str) -> Scores:
    """The score table of a dataset: ``given``, else the embedded one, else the only one in the cache.

    command: what makes one. Raises UserError when there is none, more than one, or that of another dataset.
    """
    if given is not None:
        found = read_scores(given.expanduser())
        if found.fingerprint != fingerprint:
            raise UserError(f"--scores {given}: it is of the dataset with fingerprint {found.fingerprint[:12]}, "
                            f"'{dataset}' has {fingerprint[:12]}; make its own: {command}")
        return found
    if (own := embedded_scores(fingerprint)) is not None:
        return own
    tables = sorted(cache.glob(f"scores-*-{fingerprint[:12]}-*.npz"))
    if not tables:
        raise UserError(f"instance-dependent noise on '{dataset}': there is no score table of it in {cache}; make it, "
                        f"once: {command}")
    if len(tables) > 1:
        raise UserError(f"instance-dependent noise on '{dataset}': {len(tables)} score tables of it in {cache} "
                        f"({', '.join(table.name for table in tables)}); name one with --scores")
    return read_scores(tables[0])


def embedded_scores(fingerprint: str) -> Scores | None:
    """The table that comes with the suite, if it is that of a dataset."""
    found = read_scores(EMBEDDED) if EMBEDDED.is_file() else None
    return found if found is not None and found.fingerprint == fingerprint else None


@lru_cache(maxsize=8)
def read_scores(path: Path) -> Scores:
    """A table from its file; nothing in it is executed. Raises UserError."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            head = json.loads(str(arrays["head"]))
            ids, probabilities = arrays["ids"], arrays["probabilities"]
        found = Scores(str(head["fingerprint"]), tuple(map(str, head["classes"])),
                       tuple(name.decode() for name in ids.tolist()), probabilities, dict(head["about"]))
        if probabilities.dtype != np.float16 or probabilities.shape != (len(found.ids), len(found.classes)):
            raise ValueError(f"probabilities {probabilities.dtype} {list(probabilities.shape)}")
        if not (np.isfinite(probabilities).all() and (probabilities >= 0).all() and len(found.rows) == len(ids)):
            raise ValueError("no probabilities, or a face that stands in it twice")
    except FileNotFoundError:
        raise UserError(f"score table {path}: no such file; make one with 'run_bench.py scores'") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, RuntimeError, zipfile.BadZipFile,
            zlib.error) as error:  # RuntimeError: also of a member that is encrypted, or packed in an unknown way
        reason = " ".join(str(error).split())[:80]
        raise UserError(f"score table {path}: not a whole one ({type(error).__name__}: {reason}); make it anew with "
                        "'run_bench.py scores'") from None
    return found


def write_scores(scores: Scores, path: Path) -> None:
    """Write a table beside its place and rename it there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    head = {"fingerprint": scores.fingerprint, "classes": scores.classes, "about": scores.about}
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with temporary.open("wb") as file:
            np.savez_compressed(file, head=np.array(json.dumps(head)), probabilities=scores.probabilities,
                                ids=np.array([name.encode() for name in scores.ids], dtype=bytes))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    read_scores.cache_clear()
