"""What a method's registration says of its needs and its cost is what it does, under the quick recipe."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tinydata import CPU, tiny_data

from fer_bench.engine.cost import passes, swept
from fer_bench.engine.inputs import Inputs
from fer_bench.engine.lane import Lane
from fer_bench.engine.trainer import Trainer
from fer_bench.method import NEEDS, Batch, Method
from fer_bench.nets.backbone import Backbone, backbone_maker
from fer_bench.protocols.prepare import Faces
from fer_bench.protocols.protocol import load_recipe
from fer_bench.registry import load_class, methods

INFOS = methods()[0]


def enlarged(faces: Faces) -> Faces:
    votes = np.pad(faces.votes, ((0, 0), (0, 3)))  # for seven classes
    return replace(faces, images=np.repeat(np.repeat(faces.images, 3, 1), 3, 2), votes=votes)


@pytest.fixture(scope="module")
def trainers() -> dict[str, Trainer]:
    recipe, data = load_recipe("quick"), tiny_data()
    train, test = enlarged(data.train), enlarged(data.test)
    data = replace(data, classes=tuple("abcdefg"), train=train, test=test, validation=None)
    make = backbone_maker(recipe.backbone, 1, len(data.classes), False, "none")
    return {name: Trainer(Inputs("0" * 16, load_class(info), {k: p.default for k, p in info.parameters.items()}, recipe,
                                 data, 0, make), Lane(CPU)) for name, info in INFOS.items()}


@pytest.mark.parametrize("name", INFOS)
def test_cost_is_as_declared(trainers, name):
    trainer = trainers[name]
    trainer.begin(trainer.recipe.epochs - 1)
    assert passes(trainer) == pytest.approx(INFOS[name].passes, abs=0.1)


@pytest.mark.parametrize("name", INFOS)
def test_needs_are_as_declared(trainers, name):
    trainer, asked = trainers[name], []
    trainer.begin(trainer.recipe.epochs - 1)
    trainer.data.seek(0)
    batch = trainer.data.batch(trainer.data.size(0))
    views, own = batch._second_view, batch._view
    batch._second_view = lambda: asked.append("second view") or views()
    batch._view = lambda name: asked.append("second view") or own(name)

    class Asked(Batch):
        @property
        def votes(self):
            asked.append("votes")
            return super().votes

    batch.__class__ = Asked
    trainer.method.loss(batch, trainer.clock)
    found = set(asked)
    assert INFOS[name].needs_votes == trainer.method.needs_votes == ("votes" in found)
    networks = sum(isinstance(module, Backbone) for module in trainer.method.modules())
    found |= {f"{networks} networks"} if networks > 1 else set()
    state = [value for key, value in trainer.method.named_buffers() if key != "given" and value.shape[:1] == (94,)]
    found |= {"per-sample state"} if state else set()  # "given": the given labels, which do not change
    found |= {"sweeps"} if swept(trainer) else set()
    found |= {"own order"} if type(trainer.method).order is not Method.order else set()
    found |= {"noise rate"} if "oracle_rate" in INFOS[name].parameters else set()
    assert set(INFOS[name].needs) == found and found <= set(NEEDS)


def test_only_who_asks_is_told_the_noise_rate(trainers):
    told = {}

    class Spy(Method):
        def __init__(self, context, *, oracle_rate: bool = False) -> None:
            super().__init__(context)
            told[oracle_rate] = context.noise_rate

    base = trainers["ce"].inputs
    for oracle in (False, True):
        Trainer(replace(base, method=Spy, parameters={"oracle_rate": oracle}), Lane(CPU))
    train = base.data.train
    assert told == {False: None, True: float((train.given != train.true).mean())}
    assert told[True] > 0


def test_the_shape_of_maps_is_found_without_touching_the_network(trainers):
    method = trainers["ce"].method
    before = {key: value.clone() for key, value in method.net.state_dict().items()}
    from fer_bench.method import Context

    context = Context(4, torch.zeros(1, dtype=torch.int64), torch.ones(4), 1, 1, lambda: method.net, (1, 48, 48))
    assert context.map_shape(method.net) == (128, 3, 3) and method.net.training
    assert all(torch.equal(value, before[key]) for key, value in method.net.state_dict().items())
