"""Values that a method cannot take, and settings that change nothing, are said before anything runs."""

from __future__ import annotations

import pytest
from tinyfolder import Place, call, refused

from fer_bench.protocols.scores import read_scores


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    return Place(tmp_path_factory.mktemp("idle"), epochs=1)


@pytest.mark.parametrize("how", [(), ("--dry-run",), ("--profile",)], ids=["run", "dry run", "profile"])
def test_a_value_that_the_method_refuses(place, capsys, how):
    words = place.words("--method", "nla", "--set", "ratio_true=0.5", *how, results="none")
    assert "method 'nla': ratio_true is 0.5, expected 1 (round) or more" in refused(capsys, *words)


def test_augmentation_that_all_views_have_of_their_own(place, capsys):
    words = place.words("--method", "eac", "--set-recipe", "augment.erase=0.9", results="none")
    assert "--set-recipe augment.erase: it has no effect on eac" in refused(capsys, *words)
    words = place.words("--method", "eac,ce", "--set-recipe", "augment.erase=0.9", "--dry-run", results="none")
    assert call(*words) == 0


def test_a_class_that_is_mistaken_for_itself(place, capsys, tmp_path):
    protocol = tmp_path / "own.yaml"
    protocol.write_text("title: t\nnoise: {kind: confusion, rate: 0.3, confusion: {bars: bars}}")
    words = place.words("--method", "ce", "--protocol", str(protocol), results="none")
    assert "'bars' and 'bars' are one class" in refused(capsys, *words)


def test_a_seed_of_thousands_of_digits(place, capsys):
    words = place.words("--method", "ce", "--protocol", "imb20_" + "1" * 5000, results="none")
    assert "unknown protocol 'imb20_1111" in refused(capsys, *words)


def test_scores_replace_no_file_that_is_no_table(capsys, tmp_path):
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    words = ("scores", "--dataset", "synthetic", "--out", str(precious), "--work", str(tmp_path / "w"))
    assert "precious.txt: not a whole one" in refused(capsys, *words) and precious.read_text() == "mine"
    assert "not a whole one" in refused(capsys, *words[:4], str(tmp_path), *words[5:])


def test_a_damaged_table_is_named(tmp_path):
    from fer_bench.errors import UserError
    from fer_bench.protocols.scores import EMBEDDED

    content = bytearray(EMBEDDED.read_bytes())
    content[2000:2100] = bytes(100)
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(UserError, match="bad.npz: not a whole one"):
        read_scores(tmp_path / "bad.npz")
