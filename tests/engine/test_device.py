"""What is chosen by the device: batches of evaluation, which GPU a process takes, what is said of precisions."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tinydata import CPU, tiny_inputs, tiny_trainer

from fer_bench.engine import device as device_module
from fer_bench.engine import trainer as trainer_module
from fer_bench.engine.data import sweep_batch
from fer_bench.engine.device import environment, name_of, slow_precision, spread
from fer_bench.engine.pixels import MAPS, eval_batch
from fer_bench.method import Method
from fer_bench.runs.dispatch import on_device
from fer_bench.runs.execute import device_notes
from fer_bench.runs.settings import Settings
from fer_bench.runs.store import Store

GPU = torch.device("cuda", 0)


@pytest.fixture
def card(monkeypatch):
    """Two GPUs as torch would tell them; tests change their memory and compute capability."""
    told = SimpleNamespace(memory=80e9, compute=(9, 0), count=2)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (int(told.memory / 3), int(told.memory)))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: told.compute)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: told.count)
    return told


def test_the_batch_of_evaluation_follows_the_faces_size_and_the_card(card):
    assert [eval_batch(GPU, size) for size in (24, 48, 100, 224)] == [1024, 1024, 419, 83]
    assert eval_batch(GPU, 224) * 224**2 * MAPS < 1.5e9
    card.memory = 4e9
    assert eval_batch(GPU, 224) * 224**2 * MAPS <= 4e9 / 16 < (eval_batch(GPU, 224) + 1) * 224**2 * MAPS
    card.memory = 1e6
    assert eval_batch(GPU, 224) == 1
    assert [eval_batch(CPU, 24), eval_batch(CPU, 224), sweep_batch(CPU, 224)] == [128, 128, 256]
    assert sweep_batch(GPU, 24) == eval_batch(GPU, 24)


def test_processes_take_the_gpus_in_turn_unless_one_was_named(card):
    assert [spread("cuda", number) for number in range(4)] == ["cuda:0", "cuda:1", "cuda:0", "cuda:1"]
    assert [spread(name, 1) for name in ("cuda:0", "cpu", "mps")] == ["cuda:0", "cpu", "mps"]
    settings = Settings(Store(Path("a"), Path("b")), "cuda", jobs=3)
    assert [on_device(settings, number).device for number in range(3)] == ["cuda:0", "cuda:1", "cuda:0"]
    card.count = 1
    assert spread("cuda", 1) == "cuda"


def test_idle_gpus_and_slow_precisions_are_said(card):
    settings = Settings(Store(Path("a"), Path("b")), "cuda")
    plan = SimpleNamespace(recipe=tiny_inputs(Method).recipe.model_copy(update={"name": "paper", "precision": "bf16"}))
    assert device_notes(plan, settings, 5) == ("2 GPUs are here, 1 of them in use: --jobs 2 uses 2",)
    assert device_notes(plan, settings, 1) == ()
    card.count, card.compute = 1, (7, 5)
    (line,) = device_notes(plan, settings, 5)
    assert line.startswith("paper: cuda has no bf16 in hardware (compute capability 7.5, 8.0 has)")
    assert device_notes(plan, Settings(settings.store, "cpu"), 5) == ()


def test_only_what_a_card_lacks_is_slow(card):
    assert slow_precision("bf16", GPU) == slow_precision("fp32", GPU) == slow_precision("bf16", CPU) == ""
    card.compute = (7, 0)
    assert "kernels are slow" in slow_precision("bf16", GPU) and "runs as fp32" in slow_precision("tf32", GPU)
    assert slow_precision("fp32", GPU) == ""


def test_a_device_that_is_lost_can_still_be_named_in_the_error(monkeypatch):
    def lost(device):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "A card")
    device_module.name_of.cache_clear()
    assert name_of(GPU) == "A card"
    monkeypatch.setattr(torch.cuda, "get_device_name", lost)
    assert environment(GPU, 1)["device"] == "A card"
    assert "does not answer" in name_of(torch.device("cuda", 1))
    device_module.name_of.cache_clear()


def test_another_method_is_told_apart_before_any_data_is_moved(monkeypatch):
    class One(Method):
        pass

    class Other(Method):
        pass

    trainer = tiny_trainer(One)
    monkeypatch.setattr(trainer_module, "TrainingData", lambda *arguments: pytest.fail("data was moved"))
    assert not trainer.take_over(tiny_inputs(Other))
