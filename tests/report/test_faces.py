"""Telling faces: the ones that a literal count over predictions would choose, drawn only where they may be."""

from __future__ import annotations

import base64
import io
import math

import made_records as made
import numpy as np
import pytest
from PIL import Image
from tinyfolder import CLASSES, Place, refused
from tinyfolder import call as call_with

from fer_bench.data.pack import Split, make_pack
from fer_bench.report.faces import MOST, sheets

METHODS = ("ce", "nla", "scn")


def split(count: int, seed: int, prefix: str, votes: bool = False) -> Split:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 200, (count, 8, 8)).astype(np.uint8)
    return Split(images, np.arange(count) % 3, tuple(f"{prefix}{i}" for i in range(count)),
                 rng.integers(1, 5, (count, 3)).astype(np.float32) if votes else None)


@pytest.fixture
def pack():
    return make_pack("toy", ("a", "b", "c"), {"train": split(20, 1, "t"), "test": split(40, 2, "f", votes=True)}, ())


@pytest.fixture
def rows(pack):
    rng, found = np.random.default_rng(3), {}
    for method in METHODS:
        found[method] = []
        for seed in range(4):
            one = made.record(method, seed=seed)
            one["spec"]["dataset"]["fingerprint"] = pack.fingerprint
            wrong = rng.random(40) < 0.4
            one["result"]["predictions"] = np.where(wrong, rng.integers(0, 3, 40), pack.test.labels).tolist()
            found[method].append(one)
    return found


def literal_scores(rows, pack):
    """By title, each test face's score, counted one by one."""
    scores = {"What methods disagree on most": [], "What nearly all get wrong": [],
              "What nla gets and ce does not": [], "What ce gets and nla does not": []}
    for face, label in enumerate(pack.test.labels):
        share = [np.mean([np.mean([run["result"]["predictions"][face] == c for run in rows[m]]) for m in METHODS])
                 for c in range(3)]
        right = {m: np.mean([run["result"]["predictions"][face] == label for run in rows[m]]) for m in METHODS}
        scores["What methods disagree on most"].append(-sum(s * math.log(s) for s in share if s))
        scores["What nearly all get wrong"].append(1 - share[label])
        scores["What nla gets and ce does not"].append(right["nla"] - right["ce"])
        scores["What ce gets and nla does not"].append(right["ce"] - right["nla"])
    return scores


def test_sheets_hold_the_faces_of_the_highest_scores(rows, pack):
    found = {sheet.title: sheet for sheet in sheets(0, "clean", rows, pack)}
    for title, scores in literal_scores(rows, pack).items():
        names = [face.name for face in found[title].faces]
        chosen = [round(scores[int(name[1:])], 9) for name in names]
        assert chosen == [round(score, 9) for score in sorted(scores, reverse=True) if score > 0][:MOST]
        for face in found[title].faces:
            row = int(face.name[1:])
            data = base64.b64decode(face.uri.removeprefix("data:image/png;base64,"))
            assert (np.array(Image.open(io.BytesIO(data))) == pack.test.images[row]).all()
            assert face.lines[0] == f"label: {pack.classes[pack.test.labels[row]]}" and "votes: " in face.lines[2]


def test_training_faces_come_from_the_outcome(rows, pack):
    listed = [[f"t{i}", (i + 1) % 3, i % 3, 0.9] for i in range(20)]
    outcome = {"kind": "training", "name": "training", "about": {}, "words": [],
               "result": {"memorised": listed, "lowest": [], "highest": [["t4", 1, 1, 1.5], ["gone", 0, 0, 1.4]]}}
    rows["nla"][1]["further"] = [outcome]
    found = {sheet.title: sheet for sheet in sheets(0, "clean", rows, pack)}
    memorised = found["Wrong labels that nla has learnt by heart"].faces
    assert [face.name for face in memorised] == [f"t{i}" for i in range(MOST)]
    assert memorised[0].lines == ["given: b (true: a)", "sure: 0.90"]
    assert [face.lines for face in found["What nla weighs most"].faces] == [["given: b", "weight: 1.500"]]
    assert "What nla weighs least" not in found


@pytest.mark.parametrize("change", ["data", "classes", "count", "fold"])
def test_nothing_is_shown_where_predictions_are_of_other_faces(rows, pack, change):
    one = rows["ce"][0]
    if change == "data":
        one["spec"]["dataset"]["fingerprint"] = "0" * 64
    elif change == "classes":
        one["spec"]["protocol"]["classes"] = ["a", "b"]
    elif change == "fold":
        one["spec"]["dataset"]["fold"] = [1, 5]
    else:
        one["result"]["predictions"].pop()
    assert sheets(0, "clean", rows, pack) == []


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    made_place = Place(tmp_path_factory.mktemp("faces"), epochs=1)
    assert call_with(*made_place.words("--method", "ce", results="runs")) == 0
    return made_place


def test_faces_of_ones_own_are_drawn_when_asked(place, capsys):
    words = ["report", "--results", str(place.root / "runs"), "--cache", str(place.cache)]
    words += ["-o", str(place.root / "page")]
    assert call_with(*words) == 0
    assert "data:image/png" not in (place.root / "page" / "index.html").read_text().split('id="plotly"')[0]
    assert call_with(*words, "--faces", f"folder:{place.data}") == 0
    page = (place.root / "page" / "index.html").read_text()
    assert "data:image/png" in page.split('id="plotly"')[0] and all(name in page for name in CLASSES)
    assert "no record is of these faces" in refused(capsys, *words, "--faces", "synthetic")
    assert "no such dataset is asked for" in refused(capsys, *words, "--data-root", "ferplus7=x")
