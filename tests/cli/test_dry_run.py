"""--dry-run: the list of runs, what they will take here and on a card, and what to ask a cluster for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tinyfolder import Place, call

from fer_bench.estimate import cards

PEEKS = '''
from fer_bench.method import Method
from fer_bench.registry import register


@register("peeks")
class Peeks(Method):
    def loss(self, batch, clock):
        loss = self.net(batch.images).mean()
        return loss * 2 if loss.item() > 1 else loss
'''


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    return Place(tmp_path_factory.mktemp("dry"))


def dry(place: Place, *more: str) -> int:
    return call(*place.words("--method", "ce,nla", "--protocol", "noise30", "--seeds", "2", "--dry-run", *more))


def test_runs_are_listed_with_what_they_will_take(place, capsys):
    assert dry(place, "--card", "h100") == 0
    shown = capsys.readouterr()
    assert shown.out.count(" absent ") == 4 and "a run on h100" in shown.out
    assert "doctor` measures this processor" in shown.out and "on H100 SXM 80 GB: " in shown.out
    assert "--pack up to 8 fits" in shown.out and "counting 2 method(s)" in shown.err
    assert not place.records()


def test_a_cluster_is_asked_for_a_time_that_fits(place, capsys):
    assert dry(place, "--card", "h100", "--slurm", "partition=gpu", "--tasks", "2") == 0
    assert "2 task(s) for 4 run(s)" in (shown := capsys.readouterr().out) and "timeout_min=6 " in shown


def test_a_card_that_is_too_small_is_said(place, capsys, monkeypatch):
    monkeypatch.setitem(cards.CARDS, "t4", replace(cards.CARDS["t4"], memory=0.7e9))
    assert dry(place, "--card", "t4", "--pack", "8") == 0
    assert "do not fit into the 1 GB of T4 16 GB; " in capsys.readouterr().out


def test_a_method_that_cannot_be_counted_is_said_and_the_others_are_told(place, tmp_path, capsys):
    plugin = tmp_path / "peeks.py"
    plugin.write_text(PEEKS)
    words = place.words("--method", "peeks,ce", "--plugin", str(plugin), "--protocol", "clean", "--dry-run")
    assert call(*words) == 0
    shown = capsys.readouterr().out
    assert "not counted" in shown and "a value is read from the device" in shown and "ce " in shown


@pytest.mark.parametrize(("words", "line"), [
    (("--dry-run", "--card", "h1000"), "--card h1000: did you mean h100"),
    (("--card", "h100"), "--card h100: only tells what --dry-run says")])
def test_a_wrong_card_and_one_without_effect_are_refused_in_one_line(place, capsys, words, line):
    assert call(*place.words("--method", "ce", *words)) == 2
    shown = capsys.readouterr().err.strip()
    assert line in shown and len(shown.splitlines()) == 1


@pytest.mark.parametrize(("content", "line"), [
    (b"", "an empty file"), (b"<html>", "a web page"), (b"PK", "not a whole")])
def test_weights_that_no_run_could_begin_from_are_refused(place, tmp_path, capsys, content, line):
    (tmp_path / "w.pth").write_bytes(content)
    assert dry(place, "--weights", str(tmp_path / "w.pth")) == 2
    shown = capsys.readouterr()
    assert line in shown.err and "a run here" not in shown.out


def test_nothing_is_told_when_all_is_done(place, capsys):
    words = place.words("--method", "ce", "--protocol", "clean", "--set-recipe", "epochs=1", results="done")
    assert call(*words) == 0
    capsys.readouterr()
    assert call(*words, "--dry-run") == 0
    shown = capsys.readouterr().out
    assert " done " in shown and "launches" not in shown
