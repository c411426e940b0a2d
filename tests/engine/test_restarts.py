"""Stages of training: with each, the optimiser and the recipe's schedule begin anew; and cRT, which has two."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from tinydata import RECIPE, batch_of, begun, changed, state_of, tiny_trainer, train_epoch
from torch.nn import functional as F

from fer_bench.engine.optim import lr_factor
from fer_bench.method import Method
from fer_bench.registry import load_class, methods

CRT = load_class(methods()[0]["crt"])


class Plain(Method):
    def loss(self, batch, clock):
        return F.cross_entropy(self.net(batch.images), batch.labels)


class Staged(Plain):
    def restarts(self):
        return (1,)


def test_the_schedule_runs_once_per_stage():
    recipe = RECIPE.model_copy(update={"epochs": 6, "warmup_epochs": 0, "schedule": "cosine"})

    def cosine(step: int, steps: int) -> float:
        return (1 + math.cos(math.pi * step / steps)) / 2

    expected = [cosine(step, steps) for steps in (20, 30, 10) for step in range(steps)]
    assert [lr_factor(recipe, s, 10, (2, 5)) for s in range(60)] == pytest.approx(expected, abs=1e-12)
    warm = recipe.model_copy(update={"warmup_epochs": 1.0})
    assert lr_factor(warm, 20, 10, (2,)) == pytest.approx(1 / 11) == pytest.approx(lr_factor(warm, 0, 10))
    stepped = recipe.model_copy(update={"schedule": "exponential", "gamma": 0.5})
    assert [lr_factor(stepped, 10 * epoch, 10, (2,)) for epoch in range(6)] == [1, 0.5, 1, 0.5, 0.25, 0.125]


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
def test_a_stage_begins_with_a_fresh_optimiser(optimiser):
    """Its first step is that of an optimiser which has seen nothing; without a restart it is not."""
    steps = {}
    for kind in (Plain, Staged):
        trainer = begun(kind, {}, optimiser=optimiser, warmup_epochs=0.0)
        train_epoch(trainer, 0)
        twin = tiny_trainer(kind, {}, optimiser=optimiser, warmup_epochs=0.0)
        twin.method.load_state_dict(copy.deepcopy(trainer.method.state_dict()))
        for one in (trainer, twin):
            one.begin(1)
            one.advance(0)
        steps[kind] = changed(state_of(twin), state_of(trainer))
    assert not [name for name in steps[Staged] if "running" not in name] and steps[Plain]


def test_crt_has_two_stages_where_the_epochs_allow():
    stages = {epochs: begun(CRT, {}, epochs=epochs).method.restarts() for epochs in (1, 2, 3, 10, 12)}
    assert stages == {1: (), 2: (), 3: (), 10: (8,), 12: (10,)}
    assert begun(CRT, {"start": 0.0}).method.restarts() == (1,)


def test_second_stage_of_crt_is_cross_entropy_of_the_head_on_fixed_features():
    trainer = begun(CRT, {"start": 1 / 3}, warmup_epochs=0.0)
    train_epoch(trainer, 0)
    trainer.begin(1)
    method, batch = trainer.method, batch_of(trainer, 16)
    method.zero_grad()
    loss = method.loss(batch, trainer.clock)
    loss.backward()
    with torch.no_grad():
        features = method.eval().net.embed(batch.images)
    weight, bias = (value.detach().clone().requires_grad_() for value in method.net.head.parameters())
    expected = F.cross_entropy(features @ weight.T + bias, batch.labels)
    expected.backward()
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close([method.net.head.weight.grad, method.net.head.bias.grad], [weight.grad, bias.grad])
    assert all(p.grad is None for name, p in method.named_parameters() if "head" not in name)
    losses = [train_epoch(trainer, epoch)["loss"] for epoch in (1, 2)]
    assert losses[1] < losses[0]
