"""The true classes of test faces, once for each test set beside the records, so that statistics can tell which faces a
run had right. Records keep predictions alone, as the true classes are the same for all runs of a dataset.

results/test-faces/<digest>.json   the test set of some runs; the digest is of what the set depends on
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fer_bench.protocols.classes import keep_classes
from fer_bench.runs.faces import cached_pack, pack_of
from fer_bench.runs.plan import Plan
from fer_bench.runs.store import Record, Store, write_whole


def depends_on(spec: dict[str, Any]) -> dict[str, Any]:
    """What of a run's spec decides which faces it is tested on."""
    fold = spec["dataset"].get("fold")
    drawn = {"fold": fold, "seed": spec["seed"]} if fold else {}
    return {"fingerprint": spec["dataset"]["fingerprint"], "classes": spec["protocol"].get("classes"), **drawn}


def path_of(results: Path, spec: dict[str, Any]) -> Path:
    """Where the true classes of a run's test faces lie."""
    digest = hashlib.sha256(json.dumps(depends_on(spec), sort_keys=True).encode()).hexdigest()[:16]
    return results / "test-faces" / f"{digest}.json"


def keep_all(store: Store, plans: Sequence[Plan], say: Callable[[str], None]) -> None:
    """Write what is not there yet for those of the runs that have a record; a disk that is full is said, and no run's
    fault."""
    for plan in plans:
        if store.record_path(plan.spec.id).exists():
            try:
                keep_test_faces(store.results, plan)
            except OSError as error:
                say(f"the true classes of test faces could not be kept under {store.results} ({error.strerror}): "
                    "compare lacks them until the same command is given again")
                return


def keep_test_faces(results: Path, plan: Plan) -> None:
    """Write the true classes of a run's test faces if they are not there yet; of a fold, which faces of the dataset
    they are, too."""
    spec = plan.spec.content
    path = path_of(results, spec)
    if path.exists():
        return
    faces = keep_classes(pack_of(plan.request, plan.part, spec["seed"]), plan.protocol).test
    content = {"dataset": spec["dataset"]["name"], **depends_on(spec), "labels": faces.labels.tolist()}
    if plan.part.fold:
        ids = cached_pack(plan.part.dataset, plan.request.cache, plan.request.pack_size).train.ids
        place = {name: row for row, name in enumerate(ids)}
        content["rows"] = [place[name] for name in faces.ids]
    write_whole(path, json.dumps(content) + "\n")


def with_test_faces(records: list[Record], results: Path, warn: Callable[[str], None]) -> list[Record]:
    """The records with the test faces that they have under "test_faces": labels and rows, int64 [N]; damaged files are
    said and left out."""
    found: dict[Path, dict[str, np.ndarray] | None] = {}
    for record in records:
        if (path := path_of(results, record["spec"])) not in found:
            found[path] = _read(path, warn) if path.exists() else None
    return [{**record, "test_faces": faces} if (faces := found[path_of(results, record["spec"])]) else record
            for record in records]


def _read(path: Path, warn: Callable[[str], None]) -> dict[str, np.ndarray] | None:
    try:
        content = json.loads(path.read_text())
        labels = np.array(content["labels"], np.int64)
        rows = np.array(content.get("rows", range(len(labels))), np.int64)
        assert labels.ndim == 1 and labels.shape == rows.shape
        return {"labels": labels, "rows": rows}
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError):
        warn(f"test faces {path} are damaged; not used: delete the file and give the command of the runs again")
        return None
