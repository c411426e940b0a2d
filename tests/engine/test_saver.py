"""Saving by time: at most so much work is lost, no step waits for the disk, and what is saved is whole."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import torch
from tinydata import CPU, fit, outcome, reference, tiny_inputs, tiny_run
from torch import nn

from fer_bench.engine import checkpoint, saver
from fer_bench.engine.fit import fitting
from fer_bench.engine.lane import Lane
from fer_bench.engine.saver import Saver
from fer_bench.method import Method


class Plain(Method):
    def loss(self, batch, clock):
        return nn.functional.cross_entropy(self.net(batch.images), batch.labels)


class Clock:
    """Time as a test says."""

    def __init__(self, monkeypatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(saver.time, "monotonic", lambda: self.now)


def saved(folder: Path) -> dict:
    state = checkpoint.load(folder, "tiny", print)
    assert state is not None
    return state


def wait_for(folder):
    """Until the writer has put a checkpoint there, however busy the machine is."""
    while not list(folder.glob("*.pt")):
        time.sleep(0.01)


def test_a_save_is_due_once_every_so_many_seconds(tmp_path, monkeypatch):
    clock, keeper = Clock(monkeypatch), Saver(tmp_path, 60)
    assert not keeper.due()
    clock.now = 59.9
    assert not keeper.due()
    clock.now = 60
    assert keeper.due()
    keeper.save({"id": "tiny", "value": 1})
    keeper.wait()
    assert not keeper.due() and saved(tmp_path)["value"] == 1
    clock.now = 120
    assert keeper.due()
    keeper.end(None)


def test_a_kill_costs_no_more_than_the_time_between_saves(tmp_path, monkeypatch):
    """Each step takes 7 s on this clock, each epoch 42; the process is gone after any of them."""
    clock, steps = Clock(monkeypatch), 0
    run = fitting(tiny_inputs(Plain), Lane(CPU), tmp_path, lambda row: None, print, 60)
    while next(run, "end") != "end":
        steps += 1
        clock.now += 7
        time.sleep(0.03)  # the writer's
        state = checkpoint.load(tmp_path, "tiny", print)
        at = state["steps"] + 6 * len(state["curve"]) if state else 0
        assert clock.now - 7 * at < 60 + 4 * 7 + 7 * 3, "pauses of evaluations count as steps here"
    assert steps > 18


def test_no_step_waits_for_the_disk(tmp_path, monkeypatch):
    """The disk takes a save in when it likes; meanwhile the run goes on to its end."""
    ready, real = threading.Event(), checkpoint.save

    def slow(*arguments):
        assert ready.wait(60)
        real(*arguments)

    monkeypatch.setattr(checkpoint, "save", slow)
    run = fitting(tiny_inputs(Plain, epochs=1), Lane(CPU), tmp_path, lambda row: None, print, 0)
    for _ in range(7):  # all six steps
        next(run)
    assert not list(tmp_path.iterdir())
    ready.set()
    wait_for(tmp_path)
    while next(run, "end") != "end":
        pass
    assert saved(tmp_path)["id"] == "tiny"


def test_what_is_saved_is_what_was_and_not_what_became_of_it(tmp_path):
    keeper, weight = Saver(tmp_path, 60), torch.zeros(3)
    keeper.keep({"id": "tiny", "weight": weight})
    weight.add_(1)
    keeper.end(keeper.kept)
    assert not saved(tmp_path)["weight"].any()


def test_a_run_that_breaks_off_in_an_epoch_has_its_last_whole_one_on_disk(tmp_path):
    class Broken(Plain):
        def loss(self, batch, clock):
            if clock.step == 8:
                raise KeyboardInterrupt
            return super().loss(batch, clock)

    with pytest.raises(KeyboardInterrupt):
        tiny_run(tiny_inputs(Broken), tmp_path)
    state = saved(tmp_path)
    assert len(state["curve"]) == 1 and state["steps"] == 0
    assert outcome(tiny_run(tiny_inputs(Plain), tmp_path)) == reference(Plain, {})


def test_a_run_that_is_closed_goes_on_with_the_next_step(tmp_path):
    run = fitting(tiny_inputs(Plain), Lane(CPU), tmp_path, lambda row: None, print)
    for _ in range(4):
        next(run)
    run.close()
    state = saved(tmp_path)
    assert state["steps"] == 4 and not state["curve"] and state["spent"] > 0
    assert outcome(tiny_run(tiny_inputs(Plain), tmp_path)) == reference(Plain, {})


def test_a_state_after_a_loss_that_is_not_finite_is_not_saved(tmp_path):
    """A retry goes on from before it."""
    class Diverges(Plain):
        def loss(self, batch, clock):
            return super().loss(batch, clock) * torch.where(clock.step == 8, torch.nan, 1.0)

    run = fitting(tiny_inputs(Diverges), Lane(CPU), tmp_path, lambda row: None, print)
    for _ in range(6 + 3 + 4):  # an epoch, its evaluation, and four steps
        next(run)
    run.close()
    assert saved(tmp_path)["steps"] == 0 and len(saved(tmp_path)["curve"]) == 1
    assert outcome(tiny_run(tiny_inputs(Plain), tmp_path)) == reference(Plain, {})


def test_whoever_lost_the_run_saves_nothing(tmp_path):
    mine = [True]
    run = fitting(tiny_inputs(Plain), Lane(CPU), tmp_path, lambda row: None, print, 0, lambda: mine[0])
    for _ in range(3):
        next(run)
    wait_for(tmp_path)
    mine[0] = False
    for _ in range(5):
        next(run)
    run.close()
    assert saved(tmp_path)["steps"] <= 3 and not list(tmp_path.glob(".*"))


def test_a_save_that_fails_fails_the_run_at_the_next_one_and_is_said_at_its_end(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save", full)
    with pytest.raises(OSError, match="No space left"):
        fit(tiny_inputs(Plain), Lane(CPU), tmp_path, lambda row: None, print, 0)
    said: list[str] = []
    keeper = Saver(tmp_path, 60, warn=said.append)
    keeper.end({"id": "tiny"})
    assert said == ["the last state could not be saved ([Errno 28] No space left on device)"]


def test_the_checkpoint_of_another_run_is_not_used(tmp_path):
    checkpoint.save(tmp_path, {"id": "other"})
    said: list[str] = []
    assert checkpoint.load(tmp_path, "made", said.append) is None and "belongs to run other" in said[0]


def test_saving_and_loading_a_checkpoint_is_exact(tmp_path):
    state = {"id": "made", "method": {"w": torch.rand(3)}, "curve": [{"loss": 0.1}]}
    checkpoint.save(tmp_path, state)
    loaded = checkpoint.load(tmp_path, "made", print)
    assert torch.equal(loaded["method"]["w"], state["method"]["w"]) and loaded["curve"] == state["curve"]
