"""Score tables made by the command: out of fold, resumable, found by the runs that need them, part of their ids."""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tinydata import CPU, train_epoch
from tinyfolder import Place, call, refused

from fer_bench.engine.device import settle
from fer_bench.engine.lane import Lane
from fer_bench.engine.trainer import Trainer
from fer_bench.errors import UserError
from fer_bench.protocols.corrupt import uniform
from fer_bench.protocols.prepare import Faces, Prepared
from fer_bench.protocols.scores import EMBEDDED, read_scores, write_scores
from fer_bench.runs.claims import take
from fer_bench.runs.plan import make_plans
from fer_bench.runs.reference import FOLDS, folds_of, held_out, make_scores, reference_request
from fer_bench.runs.request import general_protocols
from fer_bench.runs.settings import Settings
from fer_bench.runs.store import Store
from fer_bench.runs.worker import make_inputs


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    return Place(tmp_path_factory.mktemp("reference"), epochs=2, train=21)  # no batch of one face, whatever the fold


def words(place: Place, *more: str, cache: str = "cache") -> list[str]:
    """Arguments of the command ``scores`` on the tiny dataset."""
    return ["scores", "--dataset", f"folder:{place.data}", "--recipe", str(place.recipe), "--device", "cpu",
            "--cache", str(place.root / cache), "--work", str(place.root / "work" / cache), *more]


@pytest.fixture(scope="module")
def table(place) -> Path:
    """The table of the tiny dataset, where the command put it."""
    assert call(*words(place)) == 0
    found = list(place.cache.glob("scores-*.npz"))
    assert len(found) == 1
    return found[0]


def request_of(place: Place, cache: str = "cache"):
    return reference_request(f"folder:{place.data}", place.root / cache, recipe=str(place.recipe))


def settings_of(place: Place, work: str) -> Settings:
    return Settings(Store(place.results, place.root / "work" / work), "cpu", save_every=0)


def test_each_face_is_scored_by_a_network_that_was_trained_on_the_other_folds(place, table):
    """One fold literally: the engine's trainer, epoch by epoch, and torch's softmax."""
    inputs, found = make_inputs(make_plans(request_of(place), print)[0]), read_scores(table)
    faces = inputs.data.train
    pixels = [hashlib.sha256(np.asarray(image).tobytes()).hexdigest() for image in faces.images]
    fold = np.array([int(u * 5) for u in uniform("fold", 0, pixels)])
    inside = np.flatnonzero(fold == 3)
    data = Prepared(inputs.data.classes, faces.take(np.flatnonzero(fold != 3)), None, faces.take(inside))
    settle(CPU, 1, "fp32")
    trainer = Trainer(replace(inputs, data=data), Lane(CPU))
    for epoch in range(inputs.recipe.epochs):
        train_epoch(trainer, epoch)
    expected = torch.softmax(torch.from_numpy(trainer.predict("test")).double(), 1).numpy()
    assert found.ids == faces.ids and found.probabilities[inside] == pytest.approx(expected, abs=1e-3)
    assert found.about["overall"] == (found.probabilities.argmax(1) == faces.true).mean()


def test_a_face_that_is_stored_twice_is_in_one_fold():
    images = np.random.default_rng(0).integers(0, 256, (200, 4, 4), dtype=np.uint8)
    images = np.concatenate([images, images[::-1]])
    labels = np.arange(400) % 3
    faces = Faces(images, labels, labels, tuple(map(str, range(400))), None)
    fold = folds_of(faces)
    assert (fold[:200] == fold[200:][::-1]).all() and set(fold) == set(range(FOLDS))
    assert np.bincount(fold).min() > 400 / FOLDS / 2
    data = held_out(Prepared(("a", "b", "c"), faces, None, faces), fold, 1)
    assert not {i.tobytes() for i in data.train.images} & {i.tobytes() for i in data.test.images}
    assert len(data.train) + len(data.test) == 400 and not set(data.train.ids) & set(data.test.ids)


def test_faces_that_fill_no_folds_are_refused():
    labels = np.zeros(2, np.int64)
    faces = Faces(np.zeros((2, 4, 4), np.uint8), labels, labels, ("a", "b"), None)
    with pytest.raises(UserError, match="2 training faces do not fill 5 folds"):
        held_out(Prepared(("a", "b"), faces, None, faces), folds_of(faces), 0)


def test_a_second_call_trains_nothing_and_says_the_same(place, table, capsys):
    before = table.stat().st_mtime_ns
    capsys.readouterr()
    assert call(*words(place)) == 0
    shown = capsys.readouterr()
    assert table.stat().st_mtime_ns == before and "epoch" not in shown.err
    assert read_scores(table).digest in shown.out and "right out of fold" in shown.out
    assert not list((place.root / "work" / "cache").glob("scores/*")), "checkpoints of a finished table"


def test_an_interrupted_table_goes_on_where_it_stopped(place, table):
    begun: list[str] = []

    def stop(event):
        begun.append(event["run"])
        if event["kind"] == "epoch" and event["run"].startswith("fold 3"):
            raise KeyboardInterrupt

    out = place.root / "again.npz"
    with pytest.raises(KeyboardInterrupt):
        make_scores(request_of(place), settings_of(place, "again"), out, stop, print)
    assert not out.exists() and begun[-1] == "fold 3 of 5"
    events: list[dict] = []
    make_scores(request_of(place), settings_of(place, "again"), out, events.append, print)
    epochs = [(event["run"][:6], event["epoch"]) for event in events if event["kind"] == "epoch"]
    assert epochs == [("fold 3", 2), ("fold 4", 1), ("fold 4", 2), ("fold 5", 1), ("fold 5", 2)]
    assert read_scores(out).digest == read_scores(table).digest


def test_a_table_that_another_process_makes_is_left_to_it(place, table, capsys):
    claim = take(place.root / "work" / "taken" / "scores" / read_scores(table).about["key"])
    line = refused(capsys, *words(place, "--out", str(place.root / "taken.npz"), cache="taken"))
    assert "another process is making this table" in line and claim is not None and claim.held()


def test_a_loss_that_is_not_finite_is_one_line(place, tmp_path, capsys):
    recipe = tmp_path / "wild.yaml"
    recipe.write_text(place.recipe.read_text().replace("lr: 2.0e-3", "lr: 1.0e+38"))
    changed = [str(recipe) if word == str(place.recipe) else word for word in words(place, cache="wild")]
    capsys.readouterr()
    assert call(*changed) == 2
    assert "finite" in capsys.readouterr().err.strip().splitlines()[-1]


def exported(place: Place, capsys, *more: str) -> list[list[str]]:
    capsys.readouterr()
    assert call("export", "--dataset", f"folder:{place.data}", "--cache", str(place.cache), *more) == 0
    return list(csv.reader(io.StringIO(capsys.readouterr().out)))


def test_a_run_finds_the_table_and_names_it_in_its_identity(place, table, capsys):
    assert call(*place.words("--method", "ce", "--protocol", "idn30", results="idn")) == 0
    record, found = place.records("idn")[0], read_scores(table)
    assert record["spec"]["protocol"]["noise"] == {
        "kind": "instance", "rate": 0.3, "confusion": None, "file": None, "base": 1, "column": None, "seed": None,
        "scores": f"sha256:{found.digest}"}
    rows = exported(place, capsys, "--protocol", "idn30")[1:]
    assert sum(given != true for _, given, true in rows) == 19
    assert {"memorised", "corrected"} <= set(record["diagnosis"])


def test_another_table_is_another_run_and_another_place_of_it_is_not(place, table, tmp_path):
    one, copy, other = read_scores(table), tmp_path / "copy.npz", tmp_path / "other.npz"
    write_scores(one, copy)
    write_scores(replace(one, probabilities=one.probabilities[::-1].copy()), other)
    base = replace(request_of(place), protocols=("idn20",))
    ids = [make_plans(replace(base, scores=path), print)[0].spec.id for path in (None, copy, other)]
    assert ids[0] == ids[1] != ids[2]


BAD = {
    "no table": (("--protocol", "idn20", "--cache", "elsewhere"), "run_bench.py scores --dataset folder:"),
    "absent": (("--protocol", "idn20", "--scores", "absent.npz"), "absent.npz: no such file"),
    "without effect": (("--protocol", "clean,noise30", "--scores", "a.npz"), "found clean, noise30; leave it out"),
    "no votes": (("--protocol", "one-annotator"), "has no annotators' votes"),
}


@pytest.mark.parametrize("problem", BAD)
def test_bad_words_are_one_line(place, table, capsys, problem, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    more, expected = BAD[problem]
    assert expected in refused(capsys, *place.words("--method", "ce", *more, results="none"))


def test_a_table_of_another_dataset_is_refused(place, table, tmp_path, capsys):
    write_scores(replace(read_scores(table), fingerprint="0" * 64), tmp_path / "foreign.npz")
    line = refused(capsys, *place.words("--method", "ce", "--protocol", "idn20", "--scores",
                                        str(tmp_path / "foreign.npz"), results="none"))
    assert "foreign.npz: it is of the dataset with fingerprint 000000000000" in line


@pytest.mark.parametrize(("more", "expected"), [
    (("scores", "--dataset", "synthetic"), "comes with the suite; name a file with --out"),
    (("scores", "--dataset", "a,b"), "one dataset at a time"), (("scores",), "--dataset"),
    (("scores", "--dataset", "synthetic", "--device", "gpu"), "--device gpu: no such kind"),
    (("export", "--protocol", "noise30", "--scores", "a.npz"), "found noise30; leave it out")])
def test_bad_words_of_other_commands_are_one_line(capsys, more, expected):
    assert expected in refused(capsys, *more)


def test_protocol_all_names_no_protocol_that_needs_more_than_labels():
    assert {"clean", "noise30", "clean-val", "noise30-val"} <= set(general_protocols())
    assert not {"idn20", "idn30", "idn40", "one-annotator", "eac-noise10", "fer2013-labels"} & set(general_protocols())


@pytest.mark.slow
def test_the_embedded_table_is_what_its_recipe_makes(tmp_path):
    out = tmp_path / "made.npz"
    assert call("scores", "--dataset", "synthetic", "--out", str(out), "--device", "cpu", "--work", str(tmp_path)) == 0
    made, kept = read_scores(out), read_scores(EMBEDDED)
    agree = (made.probabilities.argmax(1) == kept.probabilities.argmax(1)).mean()
    same = all(made.about["environment"][key] == kept.about["environment"][key] for key in ("device", "torch"))
    assert made.ids == kept.ids and (made.digest == kept.digest if same else agree > 0.93)
