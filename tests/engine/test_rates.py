"""What a recipe can say of a step beyond one rate: that of classifiers, milestones, and the length of the gradient."""

from __future__ import annotations

import math

import pytest
import torch
from cases import CASES
from tape import record
from tinydata import CPU, fit, outcome, tiny_inputs, tiny_run, tiny_trainer

from fer_bench.engine.device import settle
from fer_bench.engine.lane import Lane
from fer_bench.errors import UserError
from fer_bench.method import Method
from fer_bench.nets.backbone import Backbone

STEPPED = {"schedule": "step", "milestones": ((1, 0.5),), "warmup_epochs": 0, "lr": 1e-3, "head_lr": 10.0}


@pytest.mark.parametrize("case", ["ce", "cct", "rul", "soft"])
@pytest.mark.parametrize(("own", "shares"), [(None, (1, 0.5, 0.5)), (((2, 0.01),), (1, 1, 0.01))])
def test_classifiers_have_the_rate_and_the_milestones_of_the_recipe(case, own, shares):
    trainer = tiny_trainer(*CASES[case], **STEPPED, head_milestones=own)
    learns = {id(p) for p in trainer.method.parameters() if p.requires_grad}
    heads = {id(p) for net in trainer.method.modules() if isinstance(net, Backbone) for p in net.head.parameters()}
    for epoch in range(3):
        trainer.draw(epoch)
        trainer.seek(0, *trainer.lr_factors(epoch * trainer.data.steps))
        rates = {id(p): group["lr"] for group in trainer.optimiser.param_groups for p in group["params"]}
        assert rates.keys() == learns
        assert [rates[p] for p in heads & learns] == pytest.approx([1e-2 * shares[epoch]] * len(heads & learns))
        assert all(rates[p] == pytest.approx(1e-3 * (1, 0.5, 0.5)[epoch]) for p in learns - heads)


@pytest.mark.parametrize("case", ["ada-df", "dmue"])
def test_a_method_names_the_classifiers_of_its_branches(case):
    method = tiny_trainer(*CASES[case]).method
    names = ["net.head"] + {"ada-df": ["main_head"], "dmue": [f"branch_heads.{c}" for c in range(4)]}[case]
    assert {id(head) for head in method.classifiers()} == {id(method.get_submodule(name)) for name in names}


def test_a_rate_for_classifiers_that_are_not_there_is_refused():
    class Bare(Method):
        def classifiers(self):
            return []

    with pytest.raises(UserError, match="Bare trains no classifier that it names"):
        tiny_trainer(Bare, head_lr=2.0)


@pytest.mark.parametrize("limit", [0.05, 1e6])
def test_a_step_is_taken_with_the_clipped_gradient(limit):
    """Beside a literal one: the whole gradient as one vector, scaled to ``limit`` where it is longer."""
    trainer = tiny_trainer(*CASES["ce"], optimiser="sgd", momentum=0, weight_decay=0, lr=0.1, clip_grad_norm=limit)
    trainer.begin(0)
    trainer.seek(0, 1.0, 1.0)
    parameters, size = list(trainer.method.parameters()), trainer.data.size(0)
    before = [p.detach().clone() for p in parameters]
    gradients = torch.autograd.grad(trainer.method.loss(trainer.data.batch(size), trainer.clock), parameters)
    length = math.sqrt(sum(float(g.double().square().sum()) for g in gradients))
    assert (length > limit) == (limit < 1)
    trainer.step(size)
    for old, g, new in zip(before, gradients, parameters, strict=True):
        assert torch.allclose(new, old - 0.1 * g * min(1, limit / length), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("changes", [{"clip_grad_norm": 0.5}, STEPPED | {"head_milestones": ((2, 0.1),)}])
def test_a_replayed_run_has_the_bits_of_a_called_one(changes, tmp_path):
    said: list[str] = []
    settle(CPU, 1, "fp32")
    inputs = tiny_inputs(*CASES["nla"], **changes)
    found = fit(inputs, Lane(CPU, "graph", record), tmp_path, lambda row: None, said.append)
    assert said == [] and found["cost"]["engine"] == "graph"
    assert outcome(found) == outcome(tiny_run(inputs)) != outcome(tiny_run(tiny_inputs(*CASES["nla"])))


def test_a_run_resumed_between_milestones_has_the_same_bits(tmp_path):
    class Stop(Exception):
        pass

    def stop(row):
        if row["epoch"] == 2:
            raise Stop

    inputs = tiny_inputs(*CASES["cct"], **STEPPED, head_milestones=((1, 0.1), (2, 0.01)), clip_grad_norm=1.0)
    with pytest.raises(Stop):
        tiny_run(inputs, tmp_path, stop)
    assert outcome(tiny_run(inputs, tmp_path)) == outcome(tiny_run(inputs))
