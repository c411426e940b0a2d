"""Score tables: what identifies one, what is refused, where one is found, and what the embedded one says."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2_contingency

from fer_bench.data.catalog import ask
from fer_bench.data.opening import open_dataset
from fer_bench.errors import UserError
from fer_bench.protocols.corrupt import symmetric_noise
from fer_bench.protocols.instance_noise import instance_noise
from fer_bench.protocols.prepare import prepare
from fer_bench.protocols.protocol import Protocol, load_protocol
from fer_bench.protocols.scores import EMBEDDED, Scores, find_scores, read_scores, table_path, write_scores

PROBABILITIES = np.array([[0.5, 0.25, 0.25], [0, 1, 0], [0.125, 0.125, 0.75]], np.float16)
TABLE = Scores("f" * 64, ("fear", "anger", "surprise"), ("a.png", "b.png", "ü.png"), PROBABILITIES,
               {"key": "00", "overall": 0.9})


def refusal(act, *arguments) -> str:
    with pytest.raises(UserError) as refused:
        act(*arguments)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_table_is_read_as_it_was_written(tmp_path):
    write_scores(TABLE, tmp_path / "table.npz")
    found = read_scores(tmp_path / "table.npz")
    assert (found.fingerprint, found.classes, found.ids, found.about) == (TABLE.fingerprint, TABLE.classes, TABLE.ids,
                                                                          TABLE.about)
    assert (found.probabilities == TABLE.probabilities).all() and found.digest == TABLE.digest


def test_a_table_that_was_written_anew_is_read_anew(tmp_path):
    write_scores(TABLE, tmp_path / "table.npz")
    first = read_scores(tmp_path / "table.npz").digest
    write_scores(replace(TABLE, probabilities=TABLE.probabilities[::-1].copy()), tmp_path / "table.npz")
    assert read_scores(tmp_path / "table.npz").digest != first


@pytest.mark.parametrize("change", [
    {"classes": ("fear", "anger", "happiness")}, {"ids": ("a.png", "b.png", "c.png")},
    {"probabilities": TABLE.probabilities + np.float16(0.01)}])
def test_whatever_can_change_a_label_changes_the_digest(change):
    assert replace(TABLE, **change).digest != TABLE.digest


@pytest.mark.parametrize("change", [{"about": {}}, {"fingerprint": "0" * 64}])
def test_what_cannot_change_a_label_leaves_the_digest(change):
    assert replace(TABLE, **change).digest == TABLE.digest


def test_rows_and_columns_are_found_by_name():
    found = TABLE.of(["ü.png", "a.png"], ["surprise", "fear"])
    assert found.tolist() == [[0.75, 0.125], [0.25, 0.5]] and found.dtype == np.float64
    assert "1 of 2 faces are not in it, first c.png" in refusal(TABLE.of, ["a.png", "c.png"], ["fear"])


class Trap:
    def __init__(self, path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def arrays(**changes):
    head = {"fingerprint": "f", "classes": ["x", "y"], "about": {}}
    return {"head": np.array(json.dumps(head)), "ids": np.array([b"a", b"b"]),
            "probabilities": np.zeros((2, 2), np.float16), **changes}


BAD = {
    "one face twice": {"ids": np.array([b"a", b"a"])}, "a row too few": {"probabilities": np.zeros((1, 2), np.float16)},
    "not a number": {"probabilities": np.full((2, 2), np.nan, np.float16)},
    "negative": {"probabilities": np.full((2, 2), -1, np.float16)},
    "other numbers": {"probabilities": np.zeros((2, 2))}, "no head": {"head": np.array("[")},
    "a head of something else": {"head": np.array("[1]")},
}


@pytest.mark.parametrize("problem", BAD)
def test_a_damaged_table_is_named_in_one_line(tmp_path, problem):
    path = tmp_path / "table.npz"
    np.savez(path, **arrays(**BAD[problem]))
    assert "table.npz: not a whole one" in refusal(read_scores, path)


def test_code_in_a_table_is_not_run(tmp_path):
    path = tmp_path / "table.npz"
    np.savez(path, **arrays(ids=np.array([Trap(tmp_path / "sprung")], dtype=object)))
    assert "not a whole one" in refusal(read_scores, path) and not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"title: t"])
def test_a_file_of_another_kind_is_named_in_one_line(tmp_path, content):
    path = tmp_path / "table.npz"
    path.write_bytes(content)
    assert "not a whole one" in refusal(read_scores, path)
    assert "no such file; make one with 'run_bench.py scores'" in refusal(read_scores, tmp_path / "absent.npz")


def test_the_only_table_of_the_cache_is_taken_and_two_must_be_told_apart(tmp_path):
    find = ("faces", TABLE.fingerprint, tmp_path, None, "make it so")
    assert refusal(find_scores, *find).endswith(f"no score table of it in {tmp_path}; make it, once: make it so")
    write_scores(replace(TABLE, fingerprint="0" * 64), table_path(tmp_path, "faces", "0" * 64, "cafe1234"))
    assert "no score table" in refusal(find_scores, *find), "that of another dataset is none"
    write_scores(TABLE, table_path(tmp_path, "folder:a b", TABLE.fingerprint, "cafe1234"))
    assert find_scores(*find).digest == TABLE.digest
    write_scores(TABLE, table_path(tmp_path, "faces", TABLE.fingerprint, "beef5678"))
    assert "2 score tables of it" in refusal(find_scores, *find)
    given = table_path(tmp_path, "faces", TABLE.fingerprint, "beef5678")
    assert find_scores("faces", TABLE.fingerprint, tmp_path, given, "").digest == TABLE.digest
    assert "'faces' has 000000000000" in refusal(find_scores, "faces", "0" * 64, tmp_path, given, "")


@pytest.fixture(scope="module")
def faces():
    return open_dataset(ask("synthetic"), None)


def test_the_embedded_table_is_that_of_the_embedded_faces(faces, tmp_path):
    table = find_scores("synthetic", faces.fingerprint, tmp_path, None, "")
    assert (table.fingerprint, table.classes) == (faces.fingerprint, faces.classes) and table.ids == faces.train.ids
    assert table.probabilities.sum(1) == pytest.approx(1, abs=2e-3)
    right = (table.probabilities.argmax(1) == faces.train.labels).mean()
    assert right == table.about["overall"] and 0.85 < right < 0.97, "above: its networks saw these faces"
    assert table.about["folds"] == 5 and table.about["spec"]["recipe"]["name"] == "quick"
    assert EMBEDDED.stat().st_size < 64_000


@pytest.mark.parametrize("rate", [0.2, 0.3, 0.4])
def test_idn_of_the_embedded_faces_is_exact_nested_and_shared_by_all_seeds(faces, rate):
    table, protocol = read_scores(EMBEDDED), load_protocol(f"idn{100 * rate:.0f}")
    one, other = (prepare(faces, protocol, seed, scores=table).train for seed in (0, 1))
    changed = one.given != one.true
    assert changed.sum() == round(3000 * rate) and (one.given == other.given).all()
    less = prepare(faces, load_protocol("idn20"), 0, scores=table).train.given
    assert (one.given[less != one.true] == less[less != one.true]).all()


def flips(labels: np.ndarray, given: np.ndarray) -> np.ndarray:
    found = np.zeros((7, 7), np.int64)
    np.add.at(found, (labels[given != labels], given[given != labels]), 1)
    return found


def test_idn_of_the_embedded_faces_has_a_structure_that_symmetric_noise_has_not(faces):
    train, table = faces.train, read_scores(EMBEDDED)
    instance = instance_noise(train.ids, train.labels, table.probabilities, 0.3)
    symmetric = symmetric_noise(train.ids, train.labels, 7, 0.3, 0)
    plausible, probabilities = [], []
    for given in (instance, symmetric):
        found = flips(train.labels, given)
        off = [chi2_contingency(np.stack([row[np.arange(7) != c], np.full(6, row.sum() / 6)])).pvalue
               for c, row in enumerate(found)]
        probabilities.append(max(off) if given is instance else min(off))
        wrong = given != train.labels
        plausible.append((train.votes[np.flatnonzero(wrong), given[wrong]] > 0).mean())
    assert plausible[0] > 3 * plausible[1], "annotators, too, confuse what the network confuses"
    assert probabilities[0] < 0.05 and probabilities[1] > 1e-3


def test_classes_that_are_left_out_are_no_targets(faces):
    kept = ("anger", "fear", "surprise", "sadness")
    protocol = Protocol.model_validate({"name": "four", "title": "t", "classes": kept,
                                        "noise": {"kind": "instance", "rate": 0.3}})
    table = read_scores(EMBEDDED)
    train = prepare(faces, protocol, 0, scores=table).train
    columns = [table.classes.index(name) for name in kept]
    for name, given, true in zip(train.ids, train.given.tolist(), train.true.tolist(), strict=True):
        if given != true:
            row = table.probabilities[table.rows[name]][columns].astype(float)
            row[true] = -1
            assert given == row.argmax()
    assert (train.given != train.true).sum() == int(0.3 * len(train) + 0.5)


def test_one_annotator_of_the_embedded_faces(faces):
    train = prepare(faces, load_protocol("one-annotator"), 0).train
    assert (faces.train.votes[np.arange(3000), train.given] > 0).all()
    expected = 1 - (faces.train.votes[np.arange(3000), faces.train.labels] / 10).mean()
    assert (train.given != train.true).mean() == pytest.approx(expected, abs=0.015)


def test_one_annotator_without_votes_is_one_line(faces):
    bare = replace(faces, splits={name: replace(split, votes=None) for name, split in faces.splits.items()})
    assert "has no annotators' votes" in refusal(prepare, bare, load_protocol("one-annotator"), 0)
