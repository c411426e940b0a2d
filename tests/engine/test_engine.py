"""Training one run: checkpoints, learning rate, failures, and what the result says."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tinydata import fit
from tinyfolder import CLASSES, pattern

from fer_bench.engine import checkpoint
from fer_bench.engine.inputs import Inputs
from fer_bench.engine.lane import Lane
from fer_bench.engine.optim import lr_factor, make_optimiser, set_lr
from fer_bench.engine.saver import Saver
from fer_bench.engine.trainer import NotFinite, Trainer, build_method
from fer_bench.method import Method
from fer_bench.nets.backbone import backbone_maker
from fer_bench.protocols.prepare import Faces, Prepared
from fer_bench.protocols.protocol import Augment, Recipe

CPU = torch.device("cpu")
RECIPE = Recipe(name="t", title="t", backbone="resnet10-w16", image_size=16, colour="grey", epochs=3, batch_size=16,
                lr=0.002, schedule="cosine", mean=(0.5,), std=(0.25,), augment=Augment(flip=0.5, shift=2, erase=0.5))


@pytest.fixture(autouse=True)
def settled(monkeypatch):
    """One thread; each save is written before the next is due, else a busy machine leaves some out."""
    torch.set_num_threads(1)
    due = Saver.due
    monkeypatch.setattr(Saver, "due", lambda saver: saver.wait() or due(saver))


class Plain(Method):
    """Cross-entropy that logs a weight."""

    def loss(self, batch, clock):
        logits = self.net(batch.images)
        batch.log(weight=logits.softmax(1).gather(1, batch.labels[:, None]).squeeze(1))
        return torch.nn.functional.cross_entropy(logits, batch.labels)


class Diverging(Plain):
    """Its loss is not a number in the third step of the second epoch."""

    def loss(self, batch, clock):
        bad = torch.where((clock.epoch == 1) & (clock.step % clock.steps_per_epoch == 2), float("nan"), 1.0)
        return super().loss(batch, clock) * bad


class Twice(Plain):
    """Has a second backbone, and draws weights of its own before the first one."""

    def __init__(self, context):
        torch.nn.Module.__init__(self)
        self.own = torch.nn.Linear(3, 3)
        self.net = context.backbone()
        self.other = context.backbone()


def faces(count: int, seed: int, wrong: int = 0) -> Faces:
    generator = np.random.default_rng(seed)
    true = np.arange(count) % 3
    given = np.where(np.arange(count) < wrong, (true + 1) % 3, true)
    images = np.stack([pattern(int(label), generator) for label in true])
    return Faces(images, given, true, tuple(f"{seed}-{i}" for i in range(count)), None)


DATA = Prepared(CLASSES, faces(60, 0), None, faces(30, 1))


def inputs(method: type[Method] = Plain, seed: int = 0, data: Prepared = DATA, **changes) -> Inputs:
    recipe = RECIPE.model_copy(update=changes)
    return Inputs("made", method, {}, recipe, data, seed, backbone_maker(recipe.backbone, 1, 3, False, "none"))


def run(folder: Path, *arguments, **more):
    said: list[str] = []
    rows: list[dict] = []
    return fit(inputs(*arguments, **more), Lane(CPU), folder, rows.append, said.append, 0), rows, said


def test_a_result_has_every_field_of_a_record(tmp_path):
    parts, rows, _ = run(tmp_path)
    result = parts["result"]
    assert set(parts) == {"result", "diagnosis", "cost"}
    assert set(result) == {"last", "best", "val", "curve", "confusion", "predictions"}
    assert set(result["last"]) == {"epoch", "overall", "mean", "macro_f1", "nll", "ece", "recall"}
    assert [row["epoch"] for row in rows] == [row["epoch"] for row in result["curve"]] == [1, 2, 3]
    assert {"loss", "lr", "overall"} <= set(result["curve"][0])
    assert {"seconds", "training_seconds", "images_per_second", "parameters", "forward_passes", "peak_memory_bytes",
            "engine", "why_not_faster"} == set(parts["cost"])


def test_predictions_confusion_and_metrics_agree(tmp_path):
    result = run(tmp_path)[0]["result"]
    confusion, true = np.array(result["confusion"]), DATA.test.true
    assert confusion.sum() == 30 and (confusion.sum(1) == 10).all()
    assert result["last"]["overall"] == np.mean(np.array(result["predictions"]) == true) == confusion.trace() / 30


def test_the_last_epoch_is_reported_and_the_best_beside_it(tmp_path):
    result = run(tmp_path)[0]["result"]
    assert result["last"]["epoch"] == 3 and result["val"] is None
    assert result["best"]["overall"] == max(row["overall"] for row in result["curve"])


def test_the_task_is_learnt(tmp_path):
    assert run(tmp_path, epochs=15)[0]["result"]["last"]["overall"] > 0.75


def test_the_epoch_of_val_is_chosen_on_the_held_out_faces(tmp_path):
    data = replace(DATA, validation=faces(15, 2))
    result = run(tmp_path, data=data)[0]["result"]
    chosen = max(result["curve"], key=lambda row: row["validation_overall"])
    assert result["val"] == {name: chosen[name] for name in result["val"]}


def test_wrong_labels_are_followed(tmp_path):
    parts = run(tmp_path, data=replace(DATA, train=faces(60, 0, wrong=20)))[0]
    assert set(parts["diagnosis"]) == {"memorised", "corrected", "weight_auroc"}
    assert all("memorised" in row for row in parts["result"]["curve"])


def test_clean_labels_have_no_diagnosis(tmp_path):
    assert run(tmp_path)[0]["diagnosis"] == {}


def test_the_same_seed_gives_the_same_bits_and_another_does_not(tmp_path):
    one, same, other = (run(tmp_path / str(i), seed=s)[0]["result"]["curve"] for i, s in enumerate((0, 0, 1)))
    assert one == same and one != other


def test_the_result_does_not_depend_on_torch_s_generator(tmp_path):
    one = run(tmp_path / "a")[0]["result"]
    torch.manual_seed(99)
    assert run(tmp_path / "b")[0]["result"] == one


class Stop(Exception):
    pass


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_run_stopped_after_any_epoch_goes_on_to_the_same_bits(tmp_path, after):
    whole = run(tmp_path / "whole")[0]["result"]

    def stop(row):
        if row["epoch"] == after:
            raise Stop

    with pytest.raises(Stop):
        fit(inputs(), Lane(CPU), tmp_path / "part", stop, lambda line: None)
    parts, rows, said = run(tmp_path / "part")
    assert parts["result"] == whole and [row["epoch"] for row in rows] == list(range(after + 1, 4)) and not said


@pytest.mark.parametrize("damage", [b"", b"rubbish", None])
def test_a_damaged_checkpoint_is_named_and_the_one_before_used(tmp_path, damage):
    whole = run(tmp_path)[0]["result"]
    latest = tmp_path / "checkpoint.pt"
    latest.write_bytes(latest.read_bytes()[:-300] if damage is None else damage)
    parts, rows, said = run(tmp_path)
    assert parts["result"] == whole and [row["epoch"] for row in rows] == [3]
    assert len(said) == 1 and "checkpoint.pt is damaged" in said[0] and (tmp_path / "checkpoint.damaged").exists()


def test_a_run_whose_checkpoints_are_both_damaged_starts_over(tmp_path):
    whole = run(tmp_path)[0]["result"]
    for name in ("checkpoint.pt", "previous.pt"):
        (tmp_path / name).write_bytes(b"rubbish")
    parts, rows, said = run(tmp_path)
    assert parts["result"] == whole and len(rows) == 3 and len(said) == 2


def test_two_checkpoints_are_kept_and_nothing_else(tmp_path):
    run(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint.pt", "previous.pt"]


def test_a_loss_that_is_not_finite_names_epoch_and_step(tmp_path):
    with pytest.raises(NotFinite, match="the loss is not finite in epoch 2, step 3 of 4"):
        run(tmp_path, Diverging)
    assert checkpoint.load(tmp_path, "made", print)["curve"][-1]["epoch"] == 1


FACTORS = {
    "constant": ({}, lambda step: 1.0),
    "exponential": ({"schedule": "exponential", "gamma": 0.9}, lambda step: 0.9 ** (step // 10)),
    "cosine": ({"schedule": "cosine"}, lambda step: (1 + math.cos(math.pi * step / 30)) / 2),
    "warm-up": ({"schedule": "cosine", "warmup_epochs": 1},
                lambda step: (step + 1) / 11 if step < 10 else (1 + math.cos(math.pi * (step - 10) / 20)) / 2),
    "step": ({"schedule": "step", "milestones": ((1, 0.1), (2, 0.5))}, lambda step: (1, 0.1, 0.5)[step // 10]),
    "step past the end": ({"schedule": "step", "milestones": ((2, 0.1), (9, 0.01))},
                          lambda step: (1, 1, 0.1)[step // 10]),
    "step after warm-up": ({"schedule": "step", "milestones": ((2, 0.1),), "warmup_epochs": 0.5},
                           lambda step: (step + 1) / 6 if step < 5 else (1, 1, 0.1)[step // 10]),
}


@pytest.mark.parametrize("schedule", FACTORS)
def test_the_learning_rate_is_its_closed_form(schedule):
    changes, expected = FACTORS[schedule]
    recipe = RECIPE.model_copy(update={"schedule": "constant", **changes})
    assert [lr_factor(recipe, s, 10) for s in range(30)] == pytest.approx([expected(s) for s in range(30)], abs=1e-12)


@pytest.mark.parametrize(("name", "kind"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW),
                                            ("sgd", torch.optim.SGD)])
def test_the_recipe_names_the_optimiser(name, kind):
    trainer = Trainer(inputs(optimiser=name, weight_decay=0.01), Lane(CPU))
    assert type(trainer.optimiser) is kind and trainer.optimiser.param_groups[0]["weight_decay"] == 0.01


def test_every_group_keeps_its_own_rate():
    class Groups(Plain):
        def param_groups(self, lr):
            trunk, head = self.net.trunk.parameters(), self.net.head.parameters()
            return [{"params": list(trunk), "lr": lr / 10}, {"params": list(head)}]

    method = Trainer(inputs(Groups), Lane(CPU)).method
    optimiser = make_optimiser(method, RECIPE, CPU)
    set_lr(optimiser, 0.5)
    assert [group["lr"] for group in optimiser.param_groups] == pytest.approx([1e-4, 1e-3])


def test_methods_of_one_seed_start_from_the_same_backbone():
    labels = torch.arange(60) % 3
    one, other = (build_method(inputs(m, seed=4), labels, 4).net.state_dict() for m in (Plain, Twice))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_backbones_of_one_method_and_of_other_seeds_differ():
    labels = torch.arange(60) % 3
    twice, seed = build_method(inputs(Twice, seed=4), labels, 4), build_method(inputs(Plain, seed=5), labels, 4)
    starts = [net.head.weight for net in (twice.net, twice.other, seed.net)]
    assert not any(torch.equal(a, b) for a, b in ((starts[0], starts[1]), (starts[0], starts[2])))
