"""Runs that take turns on one device: each has the bits it has alone, and each ends in its own way."""

from __future__ import annotations

import json

import pytest
import torch
from tape import record
from tinydata import CPU, outcome, tiny_inputs, tiny_run
from torch import nn

from fer_bench.cli import main
from fer_bench.engine.device import settle
from fer_bench.engine.fit import fitting
from fer_bench.engine.lane import Lane
from fer_bench.method import Method
from fer_bench.nets.backbone import Backbone, make_trunk
from fer_bench.runs import worker

RUN = ["run", "--method", "ce,nla", "--protocol", "noise30", "--seeds", "2", "--set-recipe", "epochs=1",
       "--set-recipe", "image_size=16", "--threads", "1"]


def records(folder) -> dict:
    found = [json.loads(path.read_text()) for path in (folder / "records").glob("*/*.json")]
    return {r["id"]: (r["result"], r["diagnosis"]) for r in found}


def folders(tmp_path, name: str, cache) -> list[str]:
    return ["--results", str(tmp_path / name), "--work", str(tmp_path / f"{name}-work"), "--cache", str(cache)]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def test_packed_runs_have_the_bits_of_solo_ones(tmp_path, cache):
    for name, pack in (("solo", "1"), ("packed", "3")):
        with pytest.raises(SystemExit) as ended:
            main([*RUN, "--pack", pack, *folders(tmp_path, name, cache)])
        assert ended.value.code == 0
    assert len(records(tmp_path / "solo")) == 4
    assert records(tmp_path / "packed") == records(tmp_path / "solo")


def test_a_failing_run_does_not_stop_those_beside_it(tmp_path, cache):
    plugin = tmp_path / "breaks.py"
    plugin.write_text('from fer_bench.method import Method\nfrom fer_bench.registry import register\n\n\n'
                      '@register("breaks")\nclass Breaks(Method):\n    def loss(self, batch, clock):\n'
                      '        raise ValueError("as planned")\n')
    with pytest.raises(SystemExit) as ended:
        main([*RUN, "--method", "breaks,ce", "--plugin", str(plugin), "--pack", "4", *folders(tmp_path, "r", cache)])
    assert ended.value.code == 1 and len(records(tmp_path / "r")) == 2
    assert len(list((tmp_path / "r-work").glob("*/*/error.txt"))) == 2
    assert not list((tmp_path / "r-work").rglob("claim*")), "a claim was left behind"


def test_a_lost_device_ends_the_process_and_fails_no_other_run(tmp_path, cache, monkeypatch, capsys):
    plugin = tmp_path / "breaks.py"
    plugin.write_text('from fer_bench.method import Method\nfrom fer_bench.registry import register\n\n\n'
                      '@register("breaks")\nclass Breaks(Method):\n    def loss(self, batch, clock):\n'
                      '        raise RuntimeError("CUDA error: an illegal memory access was encountered")\n')
    monkeypatch.setattr(worker, "answers", lambda device: False)
    with pytest.raises(SystemExit) as ended:
        main([*RUN, "--method", "ce,breaks", "--plugin", str(plugin), "--pack", "4", *folders(tmp_path, "r", cache)])
    assert ended.value.code == 2 and "does not answer any more" in capsys.readouterr().err
    assert len(list((tmp_path / "r-work").glob("*/*/error.txt"))) == 1, "only the run that broke it has failed"
    assert not list((tmp_path / "r-work").rglob("claim*"))


def test_runs_that_others_had_are_looked_at_again_at_the_end(tmp_path, cache, monkeypatch):
    busy = ["0" * 16]
    real = worker.running

    def running(plan, lane, settings, emit):
        if busy and plan.spec.content["method"]["name"] == "ce":  # held by another the first time
            busy.pop()
            return "busy"
        return (yield from real(plan, lane, settings, emit))

    monkeypatch.setattr(worker, "running", running)
    with pytest.raises(SystemExit) as ended:
        main([*RUN, *folders(tmp_path, "r", cache)])
    assert ended.value.code == 0 and len(records(tmp_path / "r")) == 4


def test_an_interruption_releases_every_claim(tmp_path, cache, monkeypatch):
    taken = []

    def interrupted(*arguments):
        for turn, _ in enumerate(fitting(*arguments)):
            taken.append(turn)
            if len(taken) == 9:
                raise KeyboardInterrupt
            yield

    monkeypatch.setattr(worker, "fitting", interrupted)
    with pytest.raises(SystemExit) as ended:
        main([*RUN, "--pack", "3", *folders(tmp_path, "r", cache)])
    assert ended.value.code == 130 and taken[:6] == [0, 0, 0, 1, 1, 1]
    assert not list((tmp_path / "r-work").rglob("claim*"))


class Drops(Backbone):
    """A backbone with dropout, whose numbers come from torch's own generator."""

    def embed(self, images):
        return nn.functional.dropout(super().embed(images), 0.3, self.training)


class Plain(Method):
    def loss(self, batch, clock):
        return nn.functional.cross_entropy(self.net(batch.images), batch.labels)


def dropping(seed: int):
    inputs = tiny_inputs(Plain, seed=seed)
    return type(inputs)(**{**vars(inputs), "make_backbone": lambda: Drops(make_trunk("resnet10-w16", 1), 4, False)})


def in_turns(inputs: list, lanes: list[Lane], folder) -> list:
    """What the runs return when each does one step after the other."""
    settle(CPU, 1, "fp32")
    turns = {n: fitting(i, lane, folder / str(n), lambda row: None, print)
             for n, (i, lane) in enumerate(zip(inputs, lanes, strict=True))}
    ended: dict = {}
    while turns:
        for number, run in list(turns.items()):
            try:
                next(run)
            except StopIteration as end:
                ended[number] = end.value
                del turns[number]
    return [outcome(ended[number]) for number in sorted(ended)]


def test_dropout_does_not_depend_on_who_else_has_a_turn(tmp_path):
    found = in_turns([dropping(0), dropping(1)], [Lane(CPU), Lane(CPU)], tmp_path)
    torch.manual_seed(123)
    assert found == [outcome(tiny_run(dropping(seed))) for seed in (0, 1)]
    assert found[0] != outcome(tiny_run(tiny_inputs(Plain, seed=0))), "dropout did nothing"


def test_recording_spends_no_random_numbers(tmp_path):
    """A lane that wants to record and cannot (dropout draws) ends as one that never tried."""
    found = in_turns([dropping(0)], [Lane(CPU, "graph", record)], tmp_path)
    assert found == [outcome(tiny_run(dropping(0)))]


def test_replayed_runs_take_turns_too(tmp_path):
    lanes = [Lane(CPU, "graph", record) for _ in range(2)]
    found = in_turns([tiny_inputs(Plain, seed=seed) for seed in (0, 1)], lanes, tmp_path)
    assert found == [outcome(tiny_run(tiny_inputs(Plain, seed=seed))) for seed in (0, 1)]
