"""Every method on a pretended CUDA device: no rule broken, under any recipe; and the counts are what they should be."""

from __future__ import annotations

import os

import pytest
import torch
from cases import CASES
from fake_jobs import DRIVEN, RECIPES, as_its_source, at_full_size, ready, under_all_recipes
from tinydata import CPU, tiny_trainer
from torch.utils.flop_counter import FlopCounterMode

from fer_bench.engine.device import settle
from fer_bench.engine.inputs import Inputs
from fer_bench.engine.lane import Lane
from fer_bench.engine.trainer import Trainer
from fer_bench.fake.backward import backward
from fer_bench.fake.children import Crashed, apart
from fer_bench.fake.counts import Work
from fer_bench.fake.drive import blank_data
from fer_bench.nets.backbone import backbone_maker
from fer_bench.protocols.protocol import load_recipe

COMPARED = ("ce", "nla")
QUICK = (*COMPARED, "scn", "dividemix")  # driven in every test run; the others with -m slow


@pytest.fixture(scope="module")
def reports(request):
    """Reports of the methods that were asked for, by method and recipe."""
    asked = [item for item in request.session.items if item.path == request.path and hasattr(item, "callspec")]
    cases = {item.callspec.params["case"] for item in asked if "case" in item.callspec.params}
    names = sorted(cases | set(COMPARED))
    return {names[place]: report for place, report in apart(under_all_recipes, [(n,) for n in names], 2, ready)}


@pytest.mark.parametrize("case", [pytest.param(case, marks=[pytest.mark.slow] * (case not in QUICK))
                                  for case in DRIVEN])
def test_a_method_breaks_no_rule_of_a_card(case, reports):
    for recipe, report in reports[case].items():
        assert report.passed, f"{recipe}: {report.error} {report.problems}"
    assert list(reports[case]) == list(RECIPES)


@pytest.mark.slow
def test_what_sources_ask_of_a_step_breaks_no_rule_either():
    """Rates and milestones of classifiers, a gradient that is cut, frozen stages: none reads a value back."""
    for place, report in apart(as_its_source, [("rul",), ("dmue",), ("mek",), ("ada-df",)], 2, ready):
        assert report.passed, f"{place}: {report.error} {report.problems}"


def test_two_passes_are_twice_the_work_of_one(reports):
    for recipe in RECIPES:
        one, two = (reports[name][recipe].counts.step["forward"] for name in COMPARED)
        assert two.flops == pytest.approx(2 * one.flops, rel=0.01) and 1.8 < two.launches / one.launches < 4.5


def test_the_optimiser_is_few_launches(reports):
    for report in reports["ce"].values():
        assert report.counts.step["optimiser"].launches <= 4


@pytest.mark.slow
def test_evaluation_at_224_pixels_needs_no_more_than_training_does():
    """In batches of 1,024 it took 4.5 GB; DACL has the largest maps and weights of all methods."""
    for place, report in apart(at_full_size, [("ce",), ("dacl",)]):
        counts = report.counts
        assert counts.evaluation_peak_bytes - counts.resident_bytes < 0.5e9, place
        assert counts.evaluation_peak_bytes < max(1.5e9, counts.step_peak_bytes)


def test_memory_holds_what_must_be_there(reports):
    for recipe, report in reports["ce"].items():
        counts, size = report.counts, load_recipe(recipe).batch_size
        least = 16 * counts.parameters + (size + 6 + 40) * 100 * 100 * 3  # weights, gradients, moments, stored faces
        assert least < counts.resident_bytes < 1.3 * least + 2**22
        assert counts.resident_bytes < counts.evaluation_peak_bytes < counts.step_peak_bytes < 2**30


def test_flops_are_those_of_the_same_step_on_the_cpu(reports):
    recipe = load_recipe("quick")
    make = backbone_maker(recipe.backbone, len(recipe.mean), 7, False, "none")
    settle(CPU, 2, "fp32")  # with one thread a helper computes the gradients of weights, where no counter looks
    data = blank_data(recipe.batch_size + 6, 40, 100, 7, 0.3)
    trainer = Trainer(Inputs("x", *CASES["ce"], recipe, data, 0, make), Lane(CPU))
    trainer.begin(0)
    with FlopCounterMode(display=False) as counted:
        trainer.advance(0)
    settle(CPU, 1, "fp32")
    assert reports["ce"]["quick"].counts.whole_step.flops == counted.get_total_flops()


@pytest.mark.parametrize("method", ["ce", "nla", "dmue", "dividemix", "ada-df", "scn"])
def test_the_walked_backward_gives_the_bits_of_torch_s(method):
    found = []
    for walk in (torch.Tensor.backward, backward):
        trainer = tiny_trainer(*CASES[method])
        trainer.begin(0)
        trainer.data.seek(0)
        walk(trainer.method.loss(trainer.data.batch(16), trainer.clock))
        found.append({name: p.grad for name, p in trainer.method.named_parameters()})
    for name, gradient in found[0].items():
        same = found[1][name] is None if gradient is None else torch.equal(gradient, found[1][name])
        assert same, name


def test_works_add_up():
    assert Work(1, 2, 3) + Work(10, 20, 30) == Work(11, 22, 33) and Work(1, 2, 3) * 2.5 == Work(2, 5, 8)


def fails_on(number: int) -> int:
    """In a child: dies, raises or answers."""
    if number == 1:
        os.abort()
    if number == 2:
        raise ValueError("two")
    return number * 10


def test_children_that_die_or_raise_are_told_from_others():
    answers = dict(apart(fails_on, [(0,), (1,), (2,), (3,)]))
    assert answers[0] == 0 and answers[3] == 30
    assert isinstance(answers[1], Crashed) and "3 times" in str(answers[1])
    assert isinstance(answers[2], RuntimeError) and str(answers[2]).startswith("ValueError: ")
