"""The conformance of every method on a CUDA device: called, recorded and compiled steps, packing, resuming.

Run with ``pytest -m gpu`` where there is one. Compiled losses are compared in fp32 (tight) and bf16 (loose); all
else is compared bit for bit.
"""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from cases import CASES
from tinydata import fit, outcome, tiny_data, tiny_inputs

from fer_bench.engine.augment import augment_batch, draw_view
from fer_bench.engine.device import settle
from fer_bench.engine.fit import fitting
from fer_bench.engine.lane import Lane
from fer_bench.engine.pixels import Pixels
from fer_bench.engine.resize import resize
from fer_bench.engine.trainer import Trainer
from fer_bench.method import Method
from fer_bench.protocols.protocol import Augment

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")]
GPU = torch.device("cuda")
STEPS = 50


def losses(case: str, engine: str, *, bf16: bool = False, fast: bool = False) -> np.ndarray:
    """The losses of the first 50 steps."""
    settle(GPU, 1, "bf16" if bf16 else "fp32", fast)
    lane, said = Lane(GPU, engine), []
    inputs = tiny_inputs(*CASES[case], bf16=bf16, epochs=9)
    with lane.active():
        trainer, found = Trainer(inputs, lane, said.append), []
        for step in range(STEPS):
            epoch, step = divmod(step, trainer.data.steps)
            if step == 0:
                trainer.begin(epoch)
            trainer.advance(step)
            found.append(trainer.losses[step].clone())
        expected = inputs.method.not_capturable if engine != "eager" else ""
        assert [line for line in said if not expected or expected not in line] == []
        return torch.stack(found).cpu().numpy()


@pytest.mark.parametrize("bf16", [False, True], ids=["fp32", "bf16"])
@pytest.mark.parametrize("case", CASES)
def test_replayed_losses_are_the_called_ones(case, bf16):
    assert np.array_equal(losses(case, "graph", bf16=bf16), losses(case, "eager", bf16=bf16))


@pytest.mark.parametrize("case", CASES)
def test_compiled_losses_stay_near_the_called_ones(case):
    near, loose = (np.abs(losses(case, "compiled", bf16=b, fast=True) / losses(case, "eager", bf16=b) - 1)
                   for b in (False, True))
    assert near[:10].max() < 1e-4 and near.max() < 0.05
    assert loose[:10].max() < 0.05 and loose.mean() < 0.1


@pytest.mark.parametrize("case", CASES)
def test_the_first_loss_is_the_cpu_s(case):
    """The first only: Adam's first steps turn the sign of a gradient near zero into a whole step."""
    settle(GPU, 1, "fp32")
    found = []
    for device in (torch.device("cpu"), GPU):
        lane = Lane(device)
        with lane.active():
            trainer = Trainer(tiny_inputs(*CASES[case], epochs=9, augment=Augment(flip=0.5)), lane)
            trainer.begin(0)
            trainer.advance(0)
            found.append(trainer.losses[0].item())
    assert found[1] == pytest.approx(found[0], rel=1e-3)


class Stop(Exception):
    pass


def stop(row):
    raise Stop


def run(engine: str, folder: Path, case: str, report=lambda row: None, seed: int = 0):
    settle(GPU, 1, "fp32")
    lane = Lane(GPU, engine)
    with lane.active():
        return fit(tiny_inputs(*CASES[case], seed=seed), lane, folder, report, print)


@pytest.mark.parametrize("engine", ["eager", "graph"])
@pytest.mark.parametrize("case", CASES)
def test_a_resumed_run_has_the_bits_of_an_undisturbed_one(case, engine, tmp_path):
    expected = outcome(run(engine, tmp_path / "whole", case))
    for _ in range(3):
        with pytest.raises(Stop):
            run(engine, tmp_path / "part", case, stop)
    assert outcome(run(engine, tmp_path / "part", case)) == expected


@pytest.mark.parametrize("engine", ["eager", "graph"])
def test_packed_runs_have_the_bits_of_solo_ones(engine, tmp_path):
    cases = ["ce", "nla", "scn", "focal"]
    expected = [outcome(run(engine, tmp_path / f"solo{n}", case, seed=n)) for n, case in enumerate(cases)]
    lanes = [Lane(GPU, engine) for _ in cases]
    turns = {}
    for number, (lane, case) in enumerate(zip(lanes, cases, strict=True)):
        turns[number] = fitting(tiny_inputs(*CASES[case], seed=number), lane, tmp_path / str(number),
                                lambda row: None, print)
    ended = {}
    while turns:
        for number, turn in list(turns.items()):
            try:
                with lanes[number].active():
                    next(turn)
            except StopIteration as end:
                ended[number] = outcome(end.value)
                del turns[number]
    assert [ended[n] for n in range(len(cases))] == expected


def test_the_next_seed_uses_the_same_recordings(tmp_path):
    settle(GPU, 1, "fp32")
    lane = Lane(GPU, "graph")
    with lane.active():
        fit(tiny_inputs(*CASES["nla"]), lane, tmp_path / "0", lambda row: None, print)
        trainer = lane.kept[0]
        found = fit(tiny_inputs(*CASES["nla"], seed=1), lane, tmp_path / "1", lambda row: None, print)
    assert lane.kept == [trainer]
    assert outcome(found) == outcome(run("eager", tmp_path / "2", "nla", seed=1))


def test_augmentation_on_the_device_is_that_on_the_cpu():
    recipe = tiny_inputs(*CASES["ce"]).recipe
    images = torch.from_numpy(tiny_data().train.images).unsqueeze(-1)
    draws = draw_view(recipe, len(images), 0, 0, 0)
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(1))
    expected = augment_batch(images, draws, recipe, noise)
    found = augment_batch(images.to(GPU), {k: v.to(GPU) for k, v in draws.items()}, recipe, noise.to(GPU))
    assert torch.allclose(found.cpu(), expected, atol=1e-5)
    face = torch.randint(0, 256, (4, 100, 100, 3), dtype=torch.uint8)
    assert torch.equal(resize(face.to(GPU), 224).cpu(), resize(face, 224))


def test_faces_are_on_the_device_once():
    images = tiny_data().train.images
    assert Pixels(images, GPU).stored is Pixels(images, GPU).stored


@pytest.mark.parametrize("case", CASES)
def test_a_step_reads_nothing_from_the_device(case):
    """torch raises at anything that waits for the device."""
    lane = Lane(GPU)
    settle(GPU, 1, "fp32")
    with lane.active():
        trainer = Trainer(tiny_inputs(*CASES[case]), lane)
        trainer.begin(0)
        trainer.advance(0)
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("error")
        try:
            trainer.advance(1)
        finally:
            torch.cuda.set_sync_debug_mode("default")


def test_a_capture_beside_a_busy_thread_is_not_spoilt(tmp_path):
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(0.001):
            with contextlib.suppress(RuntimeError):  # while a last warm-up forbids all waiting
                torch.ones(100, device=GPU).sum().item()

    busy = threading.Thread(target=work)
    busy.start()
    try:
        found = run("graph", tmp_path / "a", "ce")
    finally:
        ended.set()
        busy.join()
    assert found["cost"]["engine"] == "graph"


class Peeks(Method):
    """Reads a value in every step."""

    def loss(self, batch, clock):
        loss = torch.nn.functional.cross_entropy(self.net(batch.images), batch.labels)
        return loss * 2 if loss.item() > 100 else loss


def test_a_method_that_cannot_be_recorded_harms_no_other_on_its_lane(tmp_path):
    settle(GPU, 1, "fp32")
    lane, said = Lane(GPU, "graph"), []
    with lane.active():
        first = fit(tiny_inputs(Peeks), lane, tmp_path / "0", lambda row: None, said.append)
        second = fit(tiny_inputs(*CASES["ce"]), lane, tmp_path / "1", lambda row: None, said.append)
    assert first["cost"]["engine"] == "eager" and len(said) == 1
    assert second["cost"]["engine"] == "graph"
    assert outcome(second) == outcome(run("eager", tmp_path / "2", "ce"))
