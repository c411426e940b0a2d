"""Every registered method keeps the rules, and every broken method is caught by the check that is named with it."""

from __future__ import annotations

import inspect

import pytest
import torch
from cases import CASES, DEFAULTS, INFOS, PROBLEMS
from conformance import CHECKS, check_all, check_no_host_reads
from mutants import MUTANTS, Plain
from tinydata import CLASSES, batch_of, batches, begun, reference, tiny_trainer, train_epoch

from fer_bench.engine.data import make_clock
from fer_bench.method import Method


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("case", CASES)
def test_method_keeps(case, check):
    check(*CASES[case])


@pytest.mark.parametrize(("mutant", "check"), MUTANTS, ids=lambda part: part.__name__)
def test_broken_method_is_caught(mutant, check):
    signature = inspect.signature(mutant.__init__).parameters.values()
    with pytest.raises(AssertionError):
        check(mutant, {p.name: p.default for p in signature if p.kind is p.KEYWORD_ONLY})


def test_a_method_that_breaks_nothing_passes_all_checks():
    check_all(Plain, {})


def test_scalars_made_on_the_host_are_no_false_alarm():
    class WithScalars(Plain):
        def each(self, batch, logits, clock):
            losses = super().each(batch, logits, clock)
            ramp = torch.where(clock.epoch >= 2, torch.tensor(2.0), 1.0) * torch.tensor(0.5)
            return losses * ramp.clamp(max=len(logits) / clock.epochs)

    check_no_host_reads(WithScalars, {})


def test_registry_reads_every_file():
    assert not PROBLEMS


@pytest.mark.parametrize("name", INFOS)
def test_registry_reads_the_defaults_that_python_sees(name):
    """A variant differs from them by its preset, and one name of each class by nothing."""
    signature = inspect.signature(CASES[name][0].__init__).parameters.values()
    seen = {p.name: p.default for p in signature if p.kind is p.KEYWORD_ONLY}
    same_file = [DEFAULTS[other] for other, info in INFOS.items() if info.file == INFOS[name].file]
    assert list(DEFAULTS[name]) == list(seen)
    assert same_file.count(seen) == 1


def test_cross_entropy_learns_the_tiny_faces():
    curve = reference(*CASES["ce"])["result"]["curve"]
    assert curve[-1]["overall"] > 2 / len(CLASSES)
    assert curve[-1]["loss"] < curve[0]["loss"]


def test_early_relabelling_happens_in_the_tiny_runs():
    """Otherwise the SCN cases above would test no per-sample state."""
    trainer = tiny_trainer(*CASES["scn-early-all"])
    given = trainer.method.labels.clone()
    train_epoch(trainer, 0)
    assert (trainer.method.labels != given).any()


def test_second_view_is_another_augmentation_of_the_same_faces():
    batch = batch_of(begun(*CASES["ce"]), 16)
    first, second = batch.images.clone(), batch.second_view()
    assert torch.equal(second, batch.second_view())
    assert torch.equal(first, batch.images)
    assert (first != second).flatten(1).any(1).float().mean() > 0.8


def test_asking_for_the_second_view_does_not_change_the_first():
    class Looks(Plain):
        seen: list[torch.Tensor] = []

        def loss(self, batch, clock):
            batch.second_view()
            self.seen.append(batch.images)
            return super().loss(batch, clock)

    trainer, plain = tiny_trainer(Looks), tiny_trainer(Plain)
    train_epoch(trainer, 1)
    expected = [batch.images for batch in batches(plain.data, plain.method, 1)]
    assert all(torch.equal(a, b) for a, b in zip(Looks.seen, expected, strict=True))


def test_every_face_comes_once_an_epoch_and_the_order_changes():
    trainer = tiny_trainer(*CASES["ce"])
    orders = [torch.cat([batch.index for batch in batches(trainer.data, trainer.method, e)]) for e in (0, 1)]
    assert all(torch.equal(order.sort().values, torch.arange(94)) for order in orders)
    assert not torch.equal(*orders)


def test_all_methods_of_a_seed_start_from_the_same_backbone():
    trunks = [tiny_trainer(*case).method.net.trunk.state_dict() for case in CASES.values()]
    assert all(torch.equal(value, other[name]) for other in trunks[1:] for name, value in trunks[0].items())


def test_method_without_a_loss_says_so():
    with pytest.raises(NotImplementedError):
        tiny_trainer(Method).method.loss(batch_of(tiny_trainer(Method), 2), make_clock(1, 1, torch.device("cpu")))
