"""Recorded steps: every method replayed gives the bits of every method called, and what cannot be replayed is found."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from cases import CASES
from tape import NotCapturable, Tape, record
from tinydata import CPU, fit, make_faces, outcome, reference, tiny_data, tiny_inputs
from torch import nn

from fer_bench.engine.capture import Captured, Surroundings
from fer_bench.engine.device import settle
from fer_bench.engine.lane import Lane
from fer_bench.engine.state import same_but_values, snapshot, state_of, take_over
from fer_bench.method import Method
from fer_bench.protocols.prepare import Prepared


def run(lane: Lane, inputs, folder: Path, said: list[str] | None = None):
    settle(CPU, 1, "fp32")
    return fit(inputs, lane, folder, lambda row: None, (said if said is not None else []).append)


@pytest.mark.parametrize("case", [name for name, (method, _) in CASES.items() if not method.not_capturable])
def test_a_replayed_run_has_the_bits_of_a_called_one(case, tmp_path):
    said: list[str] = []
    found = run(Lane(CPU, "graph", record), tiny_inputs(*CASES[case]), tmp_path, said)
    assert said == [] and found["cost"]["engine"] == "graph"
    expected, found = reference(*CASES[case]), outcome(found)
    assert found["result"]["predictions"] == expected["result"]["predictions"]
    assert found == expected


def test_the_next_seed_on_a_lane_uses_the_same_recordings_and_gives_its_own_bits(tmp_path):
    lane = Lane(CPU, "graph", record)
    run(lane, tiny_inputs(*CASES["nla"], seed=0), tmp_path / "0")
    trainer = lane.kept[0]
    found = run(lane, tiny_inputs(*CASES["nla"], seed=1), tmp_path / "1")
    assert lane.kept == [trainer], "the trainer was built anew"
    expected = run(Lane(CPU), tiny_inputs(*CASES["nla"], seed=1), tmp_path / "2")
    assert outcome(found) == outcome(expected)


def test_a_run_resumed_on_a_used_lane_has_the_same_bits(tmp_path):
    class Stop(Exception):
        pass

    def stop(row):
        raise Stop

    inputs = tiny_inputs(*CASES["scn"])
    with pytest.raises(Stop):
        fit(inputs, Lane(CPU), tmp_path / "part", stop, lambda line: None)
    lane = Lane(CPU, "graph", record)
    run(lane, tiny_inputs(*CASES["scn"], seed=7), tmp_path / "other")
    assert outcome(run(lane, inputs, tmp_path / "part")) == reference(*CASES["scn"])


def test_another_dataset_size_recipe_or_parameter_is_recorded_anew(tmp_path):
    lane = Lane(CPU, "graph", record)
    smaller = Prepared(tiny_data().classes, make_faces(40, 3), None, tiny_data().test)
    others = [tiny_inputs(*CASES["nla"]), tiny_inputs(*CASES["nla"], data=smaller),
              tiny_inputs(*CASES["nla"], lr=1e-3), tiny_inputs(*CASES["naw"]), tiny_inputs(*CASES["ce"])]
    for number, inputs in enumerate(others):
        found = run(lane, inputs, tmp_path / str(number))
        expected = run(Lane(CPU), inputs, tmp_path / f"{number}-plain")
        assert outcome(found) == outcome(expected), number


class Peeks(Method):
    """Reads a value in every step, as many published losses do."""

    def loss(self, batch, clock):
        loss = nn.functional.cross_entropy(self.net(batch.images), batch.labels)
        return loss * 2 if loss.item() > 100 else loss


class Refuses(Method):
    not_capturable = "its neighbours are searched on the host"

    def loss(self, batch, clock):
        return nn.functional.cross_entropy(self.net(batch.images), batch.labels)


@pytest.mark.parametrize(("method", "reason"), [(Peeks, "value was read"), (Refuses, "searched on the host")])
def test_what_cannot_be_recorded_runs_eagerly_and_says_why_once(method, reason, tmp_path):
    said: list[str] = []
    lane = Lane(CPU, "graph", record)
    found = [run(lane, tiny_inputs(method, seed=seed), tmp_path / str(seed), said) for seed in (0, 1)]
    assert len(said) == 1 and reason in said[0]
    assert all(f["cost"]["engine"] == "eager" and reason in f["cost"]["why_not_faster"] for f in found)
    assert outcome(found[0]) == outcome(run(Lane(CPU), tiny_inputs(method), tmp_path / "plain"))


class Counts(nn.Module):
    def __init__(self, number: int) -> None:
        super().__init__()
        self.part = nn.Linear(2, 2)
        self.register_buffer("seen", torch.zeros(()))
        self.number = number


def surroundings(module: nn.Module, optimiser: torch.optim.Optimizer) -> Surroundings:
    """Of a step whose inputs are the same everywhere."""
    return Surroundings(lambda: state_of(module, optimiser), lambda: snapshot(module, optimiser),
                        lambda size: (None for _ in range(2)))


def test_recording_leaves_no_trace_in_the_state():
    module = Counts(1)
    optimiser = torch.optim.Adam(module.parameters(), fused=True)
    before = {name: value.clone() for name, value in module.state_dict().items()}

    def step(size: int) -> torch.Tensor:
        optimiser.zero_grad(set_to_none=True)
        loss = module.part(torch.ones(size, 2)).sum()
        loss.backward()
        optimiser.step()
        with torch.no_grad():
            module.seen.add_(1)
        return loss.detach()

    captured = Captured(step, surroundings(module, optimiser), record)
    captured.prepare(3)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert all(not value.any() for state in optimiser.state.values() for value in state.values())
    captured(3)
    assert module.seen == 1 and not torch.equal(module.part.weight, before["part.weight"])


def test_a_module_with_other_attributes_is_not_taken_over():
    one, same, other, odd = Counts(1), Counts(1), Counts(2), Counts(1)
    odd.cache = torch.zeros(3)
    optimiser = torch.optim.Adam(one.parameters())
    assert same_but_values(one, same) and not same_but_values(one, other) and not same_but_values(one, odd)
    odd_twin = Counts(1)
    odd_twin.cache = torch.zeros(3)
    assert not same_but_values(odd, odd_twin), "a tensor outside of the buffers cannot be taken over"
    address = one.part.weight.data_ptr()
    assert take_over(one, optimiser, same) and one.part.weight.data_ptr() == address
    assert torch.equal(one.part.weight, same.part.weight)


def test_the_tape_sees_what_a_graph_would_not():
    """The recorder of these tests is itself right: a branch taken while recording stays taken."""
    switch, seen = {"on": True}, torch.zeros(())
    with Tape() as tape:
        seen.add_(1 if switch["on"] else 100)
    switch["on"] = False
    tape.replay()
    assert seen == 2
    for bad in (lambda: float(seen), lambda: seen.nonzero(), lambda: torch.tensor([1.0, 2.0]), lambda: torch.rand(2)):
        with pytest.raises(NotCapturable), Tape():
            bad()
