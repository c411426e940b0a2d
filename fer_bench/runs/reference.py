"""Make a score table: the training faces fall into folds, and a fold's scores come from a network that was trained on
the others. Each network is a run of ``ce`` under ``clean`` by the engine, with the dataset's recipe, without a record.

A table that is interrupted goes on where its folds stopped; protocols/scores.py says what it is for.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.special import softmax

from fer_bench.engine.device import environment, settle
from fer_bench.engine.fit import training
from fer_bench.engine.inputs import Inputs
from fer_bench.engine.lane import Lane
from fer_bench.engine.trainer import NotFinite
from fer_bench.errors import UserError
from fer_bench.protocols.corrupt import uniform
from fer_bench.protocols.prepare import Faces, Prepared
from fer_bench.protocols.scores import Scores, embedded_scores, read_scores, table_path, write_scores
from fer_bench.runs.check import check_networks, loadable
from fer_bench.runs.claims import Claim, take
from fer_bench.runs.plan import Plan, make_plans
from fer_bench.runs.request import Request
from fer_bench.runs.settings import Settings, resolve
from fer_bench.runs.worker import ClaimLost, Emit, make_inputs, versions

METHOD, PROTOCOL, SEED, FOLDS = "ce", "clean", 0, 5


def reference_request(dataset: str, cache: Path, **more: Any) -> Request:
    """What a table's networks are runs of."""
    return Request((METHOD,), (PROTOCOL,), (dataset,), (SEED,), cache, **more)


def make_scores(request: Request, settings: Settings, out: Path | None, emit: Emit, say: Callable[[str], None]) -> Path:
    """The table of a request, made if it is not there; returns its place: ``out`` or in the cache. Raises UserError."""
    plan = make_plans(request, say)[0]
    dataset, key = plan.spec.content["dataset"], table_key(plan)
    if out is None and embedded_scores(dataset["fingerprint"]) is not None:
        raise UserError(f"scores: the table of '{dataset['name']}' comes with the suite; name a file with --out for "
                        "one of your own, which --scores reads")
    path = out or table_path(request.cache, dataset["name"], dataset["fingerprint"], key)
    if is_made(path, key):
        return path
    refuse_place(path)
    check_networks(loadable([plan], say))
    settings = resolve(settings, [plan])
    folder = settings.store.work / "scores" / key
    claim = take(folder)
    if claim is None:
        raise UserError(f"scores: another process is making this table ({folder}); wait for it")
    try:
        write_scores(table(plan, key, settings, folder, claim, emit), path)
    except (ClaimLost, NotFinite) as error:
        raise UserError(f"scores: {error or 'another process took this table over'}; it stopped there") from None
    finally:
        claim.release()
    shutil.rmtree(folder, ignore_errors=True)
    return path


def refuse_place(path: Path) -> None:
    """Raise UserError for a place where no table can be put, or where something else lies, before any training."""
    if path.exists():
        read_scores(path)  # a table made otherwise may be replaced, another file not
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {path}: its folder cannot be made ({error.strerror}); name another place") from None


def table_key(plan: Plan) -> str:
    """What a table is made by, 16 hex digits: method, recipe, weights, data, seed and code of its runs, and folds."""
    return hashlib.sha256(f"{plan.spec.id}|{FOLDS} folds".encode()).hexdigest()[:16]


def is_made(path: Path, key: str) -> bool:
    """Whether a whole table made in that way is there."""
    try:
        return read_scores(path).about.get("key") == key
    except UserError:
        return False


def table(plan: Plan, key: str, settings: Settings, folder: Path, claim: Claim, emit: Emit) -> Scores:
    """Train the folds that are not done and put the table together."""
    inputs, lane = make_inputs(plan), Lane(torch.device(settings.device), settings.engine)
    settle(lane.device, plan.recipe.threads, plan.recipe.precision, plan.recipe.fast)
    faces = inputs.data.train
    fold = folds_of(faces)
    found = np.zeros((len(faces), len(inputs.data.classes)), np.float16)
    for number in range(FOLDS):
        rows, kept = np.flatnonzero(fold == number), folder / f"fold{number}.npy"
        if not kept.exists():
            part = replace(inputs, id=f"{key}-{number}", data=held_out(inputs.data, fold, number))
            logits = one_fold(part, number, lane, settings, folder / f"fold{number}", claim, emit)
            keep(softmax(logits.astype(np.float64), axis=1).astype(np.float16), kept)
        found[rows] = np.load(kept, allow_pickle=False)
    right = float((found.argmax(1) == faces.true).mean())
    about = {"key": key, "folds": FOLDS, "spec": plan.spec.content, "overall": right,
             "environment": {**environment(lane.device, plan.recipe.threads), **versions()}}
    return Scores(plan.spec.content["dataset"]["fingerprint"], inputs.data.classes, faces.ids, found, about)


def folds_of(faces: Faces) -> np.ndarray:
    """The fold of each face, int64 [N], by a hash of its pixels: a face that is stored twice is in one fold."""
    pixels = [hashlib.sha256(image.tobytes()).hexdigest() for image in faces.images]
    places: np.ndarray = np.floor(uniform("fold", SEED, pixels) * FOLDS).astype(np.int64)
    return places


def held_out(data: Prepared, fold: np.ndarray, number: int) -> Prepared:
    """One fold's faces in the place of the test set, those of the others to train on. Raises UserError."""
    inside, outside = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
    if not len(inside) or not len(outside):
        raise UserError(f"scores: {len(fold)} training faces do not fill {FOLDS} folds; instance-dependent noise needs "
                        "more faces")
    return Prepared(data.classes, data.train.take(outside), None, data.train.take(inside))


def one_fold(inputs: Inputs, number: int, lane: Lane, settings: Settings, folder: Path, claim: Claim,
             emit: Emit) -> np.ndarray:
    """Train on the other folds; returns the logits of this one's faces, float32 [M, C]."""
    run = f"fold {number + 1} of {FOLDS}"
    emit({"kind": "start", "run": run, "title": f"{METHOD}, {run}", "epochs": inputs.recipe.epochs,
          "faces": len(inputs.data.train)})

    def report(row: dict[str, Any]) -> None:
        emit({"kind": "epoch", "run": run, **row})

    def warn(line: str) -> None:
        emit({"kind": "warning", "run": run, "text": line})

    with lane.active(), contextlib.closing(
            training(inputs, lane, folder, report, warn, settings.save_every, claim.held)) as steps:
        while True:
            try:
                next(steps)
            except StopIteration as end:
                logits: np.ndarray = end.value[1]
                emit({"kind": "done", "run": run})
                return logits
            if not claim.beat():
                raise ClaimLost


def keep(values: np.ndarray, path: Path) -> None:
    """Write an array beside its place and rename it there."""
    temporary = path.with_name(f".{path.name}")
    with temporary.open("wb") as file:
        np.save(file, values)
    os.replace(temporary, path)
