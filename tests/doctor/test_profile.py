"""``--profile`` and ``--fast``: what they show and what they change."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace

import pytest
import torch
from cases import CASES
from tinydata import tiny_trainer
from torch import nn
from torch.autograd import DeviceType

from fer_bench.cli import main
from fer_bench.doctor import profiling
from fer_bench.doctor.profiling import PARTS, Stopwatch, operations, traced, watched
from fer_bench.engine.lane import compiled_loss, plain_loss
from fer_bench.method import Method

RUN = ["run", "--method", "ce,nla", "--protocol", "noise30", "--set-recipe", "epochs=1", "--set-recipe",
       "image_size=16", "--threads", "1"]


def test_a_profile_shows_every_part_and_makes_no_record(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(profiling, "SECONDS", 0.3)
    with pytest.raises(SystemExit) as ended:
        main([*RUN, "--profile", *(f for o in ("results", "work", "cache") for f in (f"--{o}", str(tmp_path / o)))])
    assert not ended.value.code
    shown = capsys.readouterr().out
    assert all(part in shown for part in (*PARTS, "idle", "convolution"))
    assert shown.count("images/s") == 2, "one profile per method"
    traces = list((tmp_path / "work").rglob("trace.json"))
    assert len(traces) == 2 and not (tmp_path / "results" / "records").exists()
    names = {event.get("name") for event in json.loads(traces[0].read_text())["traceEvents"]}
    assert {"data", "forward", "backward", "optimiser"} <= names


def test_inner_parts_are_not_counted_twice():
    watch = Stopwatch(lambda: None)
    with watch("forward"):
        time.sleep(0.02)
        with watch("data"):
            time.sleep(0.05)
    assert 0.05 <= watch.seconds["data"] < 0.07 and 0.02 <= watch.seconds["forward"] < 0.04


def test_a_kernel_is_counted_once():
    """What torch's profiler gives for one operation that launched two kernels, under an annotation of ours."""
    def event(key: str, kind: str, device: float, cpu: float, annotation: bool = False) -> SimpleNamespace:
        return SimpleNamespace(key=key, device_type=getattr(DeviceType, kind), self_device_time_total=device,
                               self_cpu_time_total=cpu, is_user_annotation=annotation)

    events = [event("aten::conv", "CPU", 3e6, 1e6), event("small", "CUDA", 1e6, 0), event("large", "CUDA", 2e6, 0),
              event("forward", "CPU", 0, 4e6, True), event("forward", "CUDA", 3e6, 0, True)]
    assert operations(events, "cuda") == [("large", 2.0), ("small", 1.0)]
    assert operations(events, "cpu") == [("aten::conv", 1.0)]


def test_a_trace_names_operations_and_no_part(tmp_path):
    trainer, waits = tiny_trainer(Looks), []
    watched(trainer, lambda: waits.append(1))
    trainer.begin(0)
    waits.clear()
    idle, found = traced(trainer, tmp_path / "trace.json", lambda: waits.append(1))
    names = {name for name, _ in found}
    assert 0 <= idle < 1 and "aten::convolution_backward" in names and not names & {*PARTS, "Optimizer.step#Adam.step"}
    assert len(waits) == 1, "only when all is done: what overlaps may overlap"


class Looks(Method):
    def loss(self, batch, clock):
        batch.second_view()
        return nn.functional.cross_entropy(self.net(batch.images), batch.labels)


def test_views_that_a_loss_asks_for_count_as_data():
    trainer, seen = tiny_trainer(Looks), []
    watch = watched(trainer, lambda: None)

    class Spy(Stopwatch):
        def __call__(self, name):
            seen.append(name)
            return super().__call__(name)

    watch.__class__ = Spy
    trainer.begin(0)
    trainer.advance(0)
    assert seen == ["data", "data", "forward", "data", "backward", "optimiser"]


def test_fast_is_part_of_a_run_s_identity(tmp_path, capsys):
    ids = []
    for words in ([], ["--fast"], ["--set-recipe", "fast=true"]):
        with pytest.raises(SystemExit):
            main([*RUN, "--dry-run", *words, "--cache", str(tmp_path)])
        ids.append(capsys.readouterr().out.split()[0])
    assert ids[0] != ids[1] == ids[2]


@pytest.mark.parametrize(("words", "expected"), [
    (["--engine", "graph"], "needs a CUDA device"), (["--engine", "graf"], "did you mean graph?"),
    (["--engine", "compiled", "--fast"], "needs a CUDA device")])
@pytest.mark.skipif(torch.cuda.is_available(), reason="here is a CUDA device")
def test_engines_that_cannot_be_had_are_refused_in_one_line(words, expected, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main([*RUN, *words, *(f for o in ("results", "work", "cache") for f in (f"--{o}", str(tmp_path / o)))])
    shown = capsys.readouterr().err
    assert ended.value.code == 2 and expected in shown and shown.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("case", ["ce", "nla"])
def test_a_compiled_loss_is_the_loss(case):
    found = []
    for loss_of in (plain_loss, compiled_loss()):
        trainer, losses = tiny_trainer(*CASES[case]), []
        trainer.begin(0)
        for step in range(trainer.data.steps):
            trainer.data.seek(step)
            loss = loss_of(trainer.method, trainer.data.batch(trainer.data.size(step)), trainer.clock)
            trainer.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            trainer.optimiser.step()
            losses.append(loss.detach())
        found.append(torch.stack(losses))
    assert torch.allclose(*found, rtol=1e-4)
