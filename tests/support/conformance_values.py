"""Rules of one value each: hyper-parameters, drawn numbers, orders, what is logged, the loss."""

from __future__ import annotations

import inspect
import json
from typing import Any

import tinydata as tiny
import torch
from tinydata import CPU, Parameters, tiny_trainer

from fer_bench.engine.data import set_clock
from fer_bench.engine.keyed import generator


def check_hyper_parameters(method_class: Any, parameters: Parameters) -> None:
    """Each has a default, and a value that survives JSON, since it is part of the run's identity."""
    signature = inspect.signature(method_class.__init__).parameters.values()
    keywords = {p.name: p.default for p in signature if p.kind is p.KEYWORD_ONLY}
    assert set(parameters) == set(keywords), f"{set(parameters) ^ set(keywords)} only on one side"
    assert all(p is not inspect.Parameter.empty for p in keywords.values()), "a hyper-parameter has no default"
    try:
        assert json.loads(json.dumps(parameters)) == parameters, "a hyper-parameter changes when written as JSON"
    except TypeError as error:
        raise AssertionError(f"a hyper-parameter cannot be written as JSON: {error}") from error


def check_draw(method_class: Any, parameters: Parameters) -> None:
    """CPU tensors [size, ...], a function of the generator alone."""
    method = tiny.begun(method_class, parameters).method
    for size in (1, 16):
        first, second = (method.draw(generator("draw", size), size) for _ in range(2))
        for name, value in first.items():
            shape = tuple(value.shape)
            assert value.device == CPU and len(value) == size, f"draw '{name}' is {shape} on {value.device}"
            assert torch.equal(value, second[name]), f"draw '{name}' does not come from the generator"


def check_order(method_class: Any, parameters: Parameters) -> None:
    """A method's own order has as many rows of the training set as there are faces, and comes from the generator."""
    trainer = tiny_trainer(method_class, parameters)
    for epoch in range(3):
        set_clock(trainer.clock, epoch * trainer.data.steps)
        first, second = (trainer.method.order(trainer.clock, generator("order", epoch)) for _ in range(2))
        if first is None:
            continue
        assert first.shape == (len(trainer.data),) and first.dtype == torch.int64 and first.device == CPU
        assert 0 <= int(first.min()) <= int(first.max()) < len(trainer.data), "a row outside of the training set"
        assert torch.equal(first, second), "the order does not come from the generator"


def check_logged(method_class: Any, parameters: Parameters) -> None:
    trainer = tiny.begun(method_class, parameters)
    batch = tiny.batch_of(trainer, 14)
    trainer.method.loss(batch, trainer.clock)
    for name, value in batch.logged.items():
        assert value.shape == (14,), f"logged '{name}' has shape {tuple(value.shape)}, not one number per face"
        assert torch.isfinite(value).all() and not value.requires_grad, f"logged '{name}' is not finite and detached"


def check_loss(method_class: Any, parameters: Parameters) -> None:
    """A float32 scalar whose gradient reaches a backbone."""
    trainer = tiny.begun(method_class, parameters)
    loss = trainer.method.loss(tiny.batch_of(trainer, 16), trainer.clock)
    assert loss.dtype == torch.float32 and loss.shape == (), f"the loss is {loss.dtype} {tuple(loss.shape)}"
    loss.backward()
    gradients = [p.grad for name, p in trainer.method.named_parameters() if "trunk." in name and p.grad is not None]
    assert any(g.abs().sum() > 0 for g in gradients), "no gradient reaches the backbone"
    assert all(torch.isfinite(g).all() for g in gradients), "a gradient is not finite"
