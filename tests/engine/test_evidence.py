"""A recording is used only where it was seen to do what the called step does: recorders that lie are found out."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from cases import CASES
from tape import LyingTape, Tape, record, record_on
from tinydata import CPU, fit, outcome, reference, tiny_inputs, tiny_run
from torch import nn

from fer_bench.engine import capture
from fer_bench.engine.capture import cuda_recorder, same_bits
from fer_bench.engine.device import choose_engine, settle
from fer_bench.engine.lane import Lane
from fer_bench.engine.trainer import Trainer
from fer_bench.method import Method

CUDA = torch.device("cuda")


def run(recorder, method: str, folder: Path, said: list[str]):
    settle(CPU, 1, "fp32")
    return fit(tiny_inputs(*CASES[method]), Lane(CPU, "graph", recorder), folder, lambda row: None, said.append)


def operations(method: str) -> int:
    """How many operations, views apart, a recorded training step has."""
    settle(CPU, 1, "fp32")
    trainer, tape = Trainer(tiny_inputs(*CASES[method]), Lane(CPU)), Tape()
    trainer.begin(0)
    trainer.advance(0)
    record_on(tape, lambda: trainer.step(16))
    return sum(not function.is_view for function, *_ in tape.operations)


@pytest.mark.slow
@pytest.mark.parametrize("lie", ["skipped", "stale"])
def test_a_recorder_that_lies_is_found_out_or_did_no_harm(lie, tmp_path):
    """Every 46th operation of NLA's step in turn; some lies change nothing, as one of a gradient of ones.
    Whatever the lie, the run's numbers are those of a called run."""
    places, found = range(3, operations("nla"), 46), []
    for place in places:
        said: list[str] = []
        result = run(lambda f, p=place: record_on(LyingTape(p, lie), f), "nla", tmp_path / str(place), said)
        assert outcome(result) == reference(*CASES["nla"]), f"{lie} {place} was not found: {said}"
        if said:
            assert "Differs: replayed, the step leaves another" in said[0]
            assert result["cost"]["engine"] == "eager" and "replayed" in result["cost"]["why_not_faster"]
            found.append(place)
    assert len(found) > len(places) / 2


class Stages(Method):
    """Python tells its loss which stage it is in, as many published codes do."""

    def __init__(self, context) -> None:
        super().__init__(context)
        self.second = False

    def begin_epoch(self, clock, sweep) -> None:
        self.second = bool(clock.epoch >= 1)

    def loss(self, batch, clock):
        loss = nn.functional.cross_entropy(self.net(batch.images), batch.labels)
        return loss * 0.1 if self.second else loss


def test_a_method_that_changes_an_attribute_between_epochs_is_recorded_anew(tmp_path):
    settle(CPU, 1, "fp32")
    recorded, said = [], []

    def count(function):
        recorded.append(function)
        return record(function)

    found = fit(tiny_inputs(Stages), Lane(CPU, "graph", count), tmp_path, lambda row: None, said.append)
    assert said == [] and outcome(found) == outcome(tiny_run(tiny_inputs(Stages)))
    assert len(recorded) == 2 * (2 + 2), "both batch sizes, and the prediction of test and wrong faces, in each stage"


class Replaces(Stages):
    """A buffer is another tensor in every epoch, and the prediction is told the stage."""

    def __init__(self, context) -> None:
        super().__init__(context)
        self.register_buffer("scale", torch.ones(()))

    def begin_epoch(self, clock, sweep) -> None:
        super().begin_epoch(clock, sweep)
        self.scale = 1 / (clock.epoch + 1.0)

    def loss(self, batch, clock):
        return super().loss(batch, clock) * self.scale

    def predict(self, images):
        return super().predict(images) * (-1 if self.second else 1)


def test_a_tensor_that_is_replaced_and_a_prediction_with_stages_are_recorded_anew(tmp_path):
    said: list[str] = []
    settle(CPU, 1, "fp32")
    found = fit(tiny_inputs(Replaces), Lane(CPU, "graph", record), tmp_path, lambda row: None, said.append)
    assert said == [] and found["cost"]["engine"] == "graph"
    assert outcome(found) == outcome(tiny_run(tiny_inputs(Replaces)))


@pytest.mark.parametrize("case", CASES)
def test_no_method_of_the_library_is_recorded_in_every_epoch(case):
    """Its plain attributes stay as they are, so that a recording serves all epochs: cRT freezes its backbone once, DISC
    ends its warm-up once."""
    trainer = Trainer(tiny_inputs(*CASES[case]), Lane(CPU))
    forgotten = []
    trainer.run.forget = lambda: forgotten.append(1)
    for epoch in range(trainer.recipe.epochs):
        trainer.begin(epoch)
        trainer.advance(0)
    assert len(forgotten) == (case in ("crt-early", "disc"))


def test_the_trial_stands_where_training_stood_and_went_elsewhere():
    """Other batch, epoch and learning rate at each point; then everything is back."""
    settle(CPU, 1, "fp32")
    trainer = Trainer(tiny_inputs(*CASES["nla"]), Lane(CPU))
    trainer.begin(0)
    trainer.advance(1)

    def where():
        return (float(trainer.clock.step), float(trainer.clock.epoch), float(trainer.clock.progress),
                float(trainer.data.start), trainer.data.order.tolist(), trainer.data.views["0"]["flip"].tolist(),
                trainer.optimiser.param_groups[0]["lr"], torch.get_rng_state().tolist())

    here = where()
    points = []
    for _ in trainer.elsewhere(16):
        points.append(where())
    assert where() == here and len(points) == 2
    for point in points:
        assert all(one != other for one, other in zip(point, here, strict=True))


def test_bits_are_compared_not_values():
    nan = torch.tensor([float("nan"), 1.0])
    assert same_bits(nan, nan.clone()) and not same_bits(torch.zeros(()), -torch.zeros(()))
    assert not same_bits(nan, torch.tensor([float("nan"), 1.0000001]))


def test_auto_is_graph_on_cuda_and_eager_elsewhere():
    assert choose_engine("auto", CUDA, False) == "graph" and choose_engine("auto", CPU, False) == "eager"
    assert choose_engine("eager", CUDA, False) == "eager"


def test_before_torch_2_13_nothing_is_recorded_after_a_capture_that_failed(monkeypatch):
    monkeypatch.setattr(capture, "_failed", ["a value was read"])
    monkeypatch.setattr(capture, "torch_version", lambda: (2, 12))
    with pytest.raises(RuntimeError, match="records no more after a capture that failed .a value was read."):
        cuda_recorder(None)(lambda: None)
