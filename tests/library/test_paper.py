"""Track `paper`: each method's recipe is whole, each value has its source, and what it says is what the source does."""

from __future__ import annotations

import re

import pytest
import torch

from fer_bench.engine.optim import lr_factor
from fer_bench.errors import UserError
from fer_bench.library.paper import NOTES, REQUIRED, classes, entries, text, without
from fer_bench.protocols.protocol import Augment, load_recipe
from fer_bench.registry import method_info, methods, resolve_parameters
from fer_bench.runs.plan import make_plans
from fer_bench.runs.request import Request

INFOS = methods()[0]
FER = [name for name, info in INFOS.items() if info.family == "fer"]
PLACE = re.compile(r"[\w./-]+\.(py|md|sh|txt):\d+([-,]\d+)*")  # "src/train.py:166", "main.py:20-21,30"


@pytest.mark.parametrize("name", FER)
def test_a_method_made_for_faces_has_a_whole_recipe_with_sources(name):
    info = INFOS[name]
    assert set(REQUIRED) <= info.paper_recipe.keys(), "a value that no source states is there, too, as ours"
    assert {"exponential": "gamma", "step": "milestones"}.get(info.paper_recipe["schedule"], "lr") in info.paper_recipe
    assert (info.paper_recipe["optimiser"] == "sgd") == ("momentum" in info.paper_recipe)
    keys = {entry.key.split(".")[-1] for entry in entries(info)}
    left = info.paper_sources.keys() - NOTES.keys() - keys
    assert keys <= info.paper_sources.keys(), "a value without a source"
    assert left <= info.parameters.keys(), "a source without a value; a variant may have another value than its class"
    assert re.search(r" at [0-9a-f]{7}\b", info.paper_sources["code"]) and "weights" in info.paper_sources
    for entry in entries(info):
        assert PLACE.search(entry.source) or entry.source.startswith("ours: "), f"{entry.key}: {entry.source}"
        assert entry.ours == entry.source.startswith("ours")


@pytest.mark.parametrize("name", INFOS)
def test_a_stated_recipe_is_one_of_this_suite_on_any_recipe(name):
    stated = INFOS[name].paper_recipe
    for base in ("paper", "quick", "fer48"):
        recipe = load_recipe(base, {}, stated)
        for key, value in stated.items():
            assert getattr(recipe, key) == (Augment(**value) if key == "augment" else value), key


def stepped(*stones):
    """The rate by epoch as DMUE's config.py has it: [epoch, rate], where the rate holds below the epoch."""
    return lambda epoch: next(rate for last, rate in stones if epoch < last)


def torch_s(kind, lr, **how):
    """The rate by epoch as one of torch's schedulers makes it."""
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    scheduler, rates = kind(optimiser, **how), []
    for _ in range(100):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return lambda epoch: rates[epoch]


SCHEDULERS = torch.optim.lr_scheduler
FIRST = stepped((6, 1e-4), (12, 5e-5), (20, 1e-5), (22, 1e-5), (25, 5e-5), (60, 1e-5))  # DMUE's config.py:34
SECOND = stepped((4, 1e-3), (8, 5e-4), (14, 1e-4), (22, 1e-5), (25, 5e-5), (60, 1e-5))  # and :35
RATES = {  # method: the rates of its source by epoch, of all and of classifiers
    "scn": (torch_s(SCHEDULERS.ExponentialLR, 1e-3, gamma=0.9), None),
    "rul": (torch_s(SCHEDULERS.ExponentialLR, 2e-4, gamma=0.9), torch_s(SCHEDULERS.ExponentialLR, 2e-3, gamma=0.9)),
    "eac": (torch_s(SCHEDULERS.ExponentialLR, 2e-4, gamma=0.9), None),
    "nla": (torch_s(SCHEDULERS.ExponentialLR, 1e-4, gamma=0.9), None),
    "mek": (torch_s(SCHEDULERS.ExponentialLR, 1e-4, gamma=0.9), None),
    "man": (torch_s(SCHEDULERS.ExponentialLR, 1e-3, gamma=0.9), None),
    "dare-loss": (lambda epoch: 4e-5 * 0.98**epoch, None),
    "smec": (torch_s(SCHEDULERS.ExponentialLR, 1e-4, gamma=0.9), None),
    "ada-df": (torch_s(SCHEDULERS.ExponentialLR, 1e-3, gamma=0.9), None),
    "resup": (torch_s(SCHEDULERS.MultiStepLR, 2e-4, milestones=[10, 20], gamma=0.1), None),
    "dan": (torch_s(SCHEDULERS.StepLR, 0.1, step_size=10, gamma=0.1), None),
    "dacl": (torch_s(SCHEDULERS.StepLR, 0.01, step_size=20, gamma=0.1), None),
    "center-loss": (torch_s(SCHEDULERS.StepLR, 0.01, step_size=20, gamma=0.1), None),
    "cct": (lambda epoch: 1e-3 * 0.95**epoch, lambda epoch: 1e-2 * 0.95**epoch),
    "soft": (lambda epoch: 1e-4, None),
    "dmue": (FIRST, SECOND),
}


@pytest.mark.parametrize("name", RATES)
def test_the_rates_of_all_epochs_are_those_of_the_source(name):
    recipe, (rate, of_heads) = load_recipe("paper", {}, INFOS[name].paper_recipe), RATES[name]
    for epoch in range(recipe.epochs):
        for step in (3 * epoch, 3 * epoch + 2):
            assert recipe.lr * lr_factor(recipe, step, 3) == pytest.approx(rate(epoch)), epoch
            head = recipe.lr * recipe.head_lr * lr_factor(recipe, step, 3, head=True)
            assert head == pytest.approx((of_heads or rate)(epoch)), epoch


def test_warm_ups_and_ramps_have_the_lengths_of_the_sources_on_track_paper():
    """By epochs: DMUE config.py:29, MAN main.py:34, SOFT run_exp.sh:3, Ada-DF train.py:28, SCN train.py:23."""
    lengths = {"dmue": ("turn", 10), "man": ("warmup", 10), "soft": ("ramp", 5), "ada-df": ("turn", 3)}
    for name, (key, epochs) in lengths.items():
        info = INFOS[name]
        assert info.defaults("paper")[key] * info.paper_recipe["epochs"] == pytest.approx(epochs), name
    assert INFOS["scn"].defaults("paper")["relabel_epoch"] == 10
    assert INFOS["ada-df"].defaults("paper")["freeze"] is True and INFOS["ada-df"].defaults()["freeze"] is False


def test_a_method_s_own_schedule_is_that_of_the_training_it_is_stated_for():
    for name in FER:
        if INFOS[name].schedule_epochs:
            assert INFOS[name].schedule_epochs == INFOS[name].paper_recipe["epochs"] == INFOS[name].made_for("paper")
    assert (INFOS["eac"].made_for("fair"), INFOS["eac"].made_for("paper")) == (0, 60)
    assert not any(INFOS[name].schedule_epochs for name in ("ce", "jsd", "l1", "cam", "rul", "mek"))


OWN = '''"""Mine."""
from typing import Literal
from fer_bench.method import Method
from fer_bench.registry import register

@register("mine", schedule_epochs=20)
@register("mine-two", preset={"power": 2.0})
class Mine(Method):
    paper_recipe = {"lr": 0.5, "augment": {"flip": 0.1}}
    paper_parameters = {"power": 3, "kind": "b"}
    paper_sources = {"lr, flip": "train.py:7", "power": "ours: a guess", "code": "me/mine"}

    def __init__(self, context, *, power: float = 1.0, kind: Literal["a", "b"] = "a"):
        super().__init__(context)
'''


def written(tmp_path, source: str = OWN):
    path = tmp_path / "mine.py"
    path.write_text(source)
    return path


def test_a_plug_in_states_values_and_sources_and_a_preset_wins(tmp_path):
    one, two = (method_info(name, [written(tmp_path)]) for name in ("mine", "mine-two"))
    assert [(e.key, e.value, e.source, e.ours) for e in entries(one)] == [
        ("lr", "0.5", "train.py:7", False), ("augment.flip", "0.1", "train.py:7", False),
        ("power", "3", "ours: a guess", True), ("kind", "b", "not stated", True)]
    assert one.defaults() == {"power": 1.0, "kind": "a"} and one.defaults("paper") == {"power": 3.0, "kind": "b"}
    assert two.defaults("paper") == {"power": 2.0, "kind": "b"}
    assert resolve_parameters(one, {"power": "4"}, "paper") == {"power": 4.0, "kind": "b"}
    assert (one.schedule_epochs, two.schedule_epochs, one.made_for("paper")) == (20, 0, 20)
    assert [[info.name for info in group] for group in classes([two, one])] == [["mine-two", "mine"]]
    assert without([one, method_info("ce")]) == ["ce"]


@pytest.mark.parametrize(("old", "new", "expected"), [
    ('"power": 3,', '"powr": 3,', "did you mean power"), ('"power": 3,', '"power": "x",', "is 'x', expected float"),
    ('"kind": "b"}', '"kind": "c"}', "expected one of a, b"),
    ('paper_sources = {', 'paper_sources = ["x"] or {', "must be a literal"),
    ('paper_recipe = {"lr": 0.5, "augment": {"flip": 0.1}}', 'paper_recipe = ["lr"]', "expected a dictionary")])
def test_a_badly_stated_recipe_is_refused_in_one_line(tmp_path, old, new, expected):
    assert old in OWN
    problems = methods([written(tmp_path, OWN.replace(old, new))])[1]
    assert len(problems) == 1 and expected in problems[0] and "\n" not in problems[0]


def plans(tmp_path, track, *names, **more):
    request = Request(names, ("clean",), ("synthetic",), (0,), tmp_path, track=track, **more)
    return {plan.method.name: plan for plan in make_plans(request, print)}


def test_a_run_of_track_paper_has_the_source_s_recipe_and_hyper_parameters(tmp_path):
    own, fair = (plans(tmp_path, track, "ada-df", "dan", "ce") for track in ("paper", "fair"))
    assert {plan.recipe.name for plan in own.values()} == {"paper"} != {plan.recipe.name for plan in fair.values()}
    assert [plan.label for plan in own.values()] == ["ada-df", "dan", "ce"] == [plan.label for plan in fair.values()]
    values = {track: found["ada-df"].spec.content["method"]["parameters"] for track, found in
              (("paper", own), ("fair", fair))}
    assert values["paper"] == values["fair"] | {"freeze": True}
    assert own["dan"].recipe.milestones == ((10, 0.1), (20, 0.01), (30, 0.001)) and own["dan"].recipe.epochs == 40
    assert own["ce"].recipe == load_recipe("paper")
    assert fair["dan"].recipe == load_recipe("quick")
    mine = plans(tmp_path, "paper", "ada-df", settings={"freeze": "false"}, recipe="quick",
                 recipe_settings={"epochs": "2"})["ada-df"]
    assert (mine.label, mine.recipe.name, mine.recipe.epochs) == ("ada-df freeze=False", "quick", 2)


def test_values_are_written_for_people():
    assert text("milestones", ((10, 0.1), (20, 0.01))) == "x0.1 after 10, x0.01 after 20 epochs"
    assert (text("lr", 2e-5), text("epochs", 60), text("head_lr", 10.0)) == ("2e-05", "60", "x10")
    assert (text("erase_scale", (0.02, 0.25)), text("freeze", True)) == ("0.02, 0.25", "True")


def test_an_unknown_key_of_a_stated_recipe_is_refused(tmp_path):
    path = written(tmp_path, OWN.replace('"lr": 0.5', '"lrr": 0.5'))
    with pytest.raises(UserError, match="unknown key 'lrr'"):
        plans(tmp_path, "paper", "mine", plugins=(path,))
