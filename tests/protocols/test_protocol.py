"""Protocols and recipes: what is read and what is refused."""

from __future__ import annotations

import pytest

from fer_bench.errors import UserError
from fer_bench.protocols.protocol import load_protocol, load_recipe, protocol_names, recipe_names

SHIPPED = {"clean", "noise10", "noise20", "noise30", "noise40", "noise50", "imb20", "imb50", "imb100", "imb150",
           "noise30-imb50", "asym30", "eac-noise10", "eac-noise20", "eac-noise30", "fer2013-labels", "idn20", "idn30",
           "idn40", "one-annotator", "clean-val", "noise30-val"}


def written(tmp_path, text: str, name: str = "mine.yaml") -> str:
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def refusal(load, *arguments) -> str:
    with pytest.raises(UserError) as refused:
        load(*arguments)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_the_promised_protocols_are_shipped():
    assert set(protocol_names()) >= SHIPPED


@pytest.mark.parametrize("name", protocol_names())
def test_every_shipped_protocol_loads(name):
    assert load_protocol(name).name == name and load_protocol(name).title


@pytest.mark.parametrize("name", recipe_names())
def test_every_shipped_recipe_loads(name):
    assert load_recipe(name).name == name


def test_the_paper_recipe_is_the_paper_s():
    r = load_recipe("paper")
    assert (r.backbone, r.image_size, r.batch_size, r.epochs) == ("resnet18", 224, 32, 60)
    assert (r.optimiser, r.lr, r.weight_decay, r.schedule, r.gamma) == ("adam", 1e-4, 1e-4, "exponential", 0.9)


BAD = {
    "unknown key": ("title: t\nnoisy: {kind: symmetric, rate: 0.1}", "unknown key 'noisy': did you mean noise?"),
    "unknown inner key": ("title: t\nnoise: {kind: symmetric, rat: 0.1}", "'noise.rat': did you mean rate?"),
    "unknown kind": ("title: t\nnoise: {kind: symetric, rate: 0.1}", "'symetric'"),
    "rate of one": ("title: t\nnoise: {kind: symmetric, rate: 1.0}", "noise.rate: found 1.0"),
    "negative rate": ("title: t\nnoise: {kind: symmetric, rate: -0.1}", "noise.rate: found -0.1"),
    "rate in per cent": ("title: t\nnoise: {kind: symmetric, rate: 30}", "less than 1"),
    "rate is nan": ("title: t\nnoise: {kind: symmetric, rate: .nan}", "noise.rate: found nan"),
    "rate is a word": ("title: t\nnoise: {kind: symmetric, rate: much}", "noise.rate: found 'much'"),
    "factor below one": ("title: t\nimbalance: {factor: 0.5}", "imbalance.factor: found 0.5"),
    "factor is infinite": ("title: t\nimbalance: {factor: .inf}", "imbalance.factor: found inf"),
    "no factor": ("title: t\nimbalance: {profile: step}", "key 'imbalance.factor' is missing"),
    "no title": ("validation: 0.1", "key 'title' is missing"),
    "no rate": ("title: t\nnoise: {kind: symmetric}", "needs 'rate'"),
    "no confusion": ("title: t\nnoise: {kind: confusion, rate: 0.1}", "needs 'confusion'"),
    "no file": ("title: t\nnoise: {kind: list}", "needs 'file'"),
    "no column": ("title: t\nnoise: {kind: column}", "needs 'column'"),
    "instance noise without a rate": ("title: t\nnoise: {kind: instance}", "needs 'rate'"),
    "an annotator with a rate": ("title: t\nnoise: {kind: annotator, rate: 0.1}", "takes no 'rate'"),
    "a rate too many": ("title: t\nnoise: {kind: column, column: x, rate: 0.1}", "takes no 'rate'"),
    "a seed too many": ("title: t\nnoise: {kind: column, column: x, seed: 1}", "takes no 'seed'"),
    "a base too many": ("title: t\nnoise: {kind: symmetric, rate: 0.1, base: 0}", "takes no 'base'"),
    "a seed below zero": ("title: t\nimbalance: {factor: 20, seed: -1}", "imbalance.seed: found -1"),
    "a seed by another name": ("title: t\nimbalance: {factor: 20, sed: 1}", "'imbalance.sed': did you mean seed?"),
    "a file too many": ("title: t\nnoise: {kind: symmetric, rate: 0.1, file: x}", "takes no 'file'"),
    "everything held out": ("title: t\nvalidation: 1.0", "validation: found 1.0"),
    "one class": ("title: t\nclasses: [fear]", "classes"),
    "a list": ("- a\n- b", "found list, expected 'key: value' lines"),
    "no YAML": ("title: [", "not YAML"),
    "an object": ("title: !!python/object/apply:os.mkdir [sprung]", "not YAML"),
    "a number as key": ("title: t\n3: x", "3"),
}


@pytest.mark.parametrize("problem", BAD)
def test_a_bad_protocol_file_is_refused_in_one_line(tmp_path, problem):
    text, expected = BAD[problem]
    line = refusal(load_protocol, written(tmp_path, text))
    assert expected in line and "mine" in line


def test_a_protocol_file_that_is_not_there_is_named(tmp_path):
    assert "absent.yaml: cannot be read" in refusal(load_protocol, str(tmp_path / "absent.yaml"))


def test_unknown_names_give_the_near_match():
    assert "unknown protocol 'noise3': did you mean" in refusal(load_protocol, "noise3")
    assert refusal(load_recipe, "quik") == "unknown recipe 'quik': did you mean quick?"


def test_a_seed_in_the_name_is_that_of_its_draws():
    protocol = load_protocol("imb20_256")
    assert (protocol.name, protocol.imbalance.factor, protocol.imbalance.seed) == ("imb20_256", 20, 256)
    both = load_protocol("noise30-imb50_7")
    assert both.noise.seed == both.imbalance.seed == 7 and both.title.endswith(", drawn with seed 7")
    assert load_protocol("noise10_1").noise.seed == 1 and load_protocol("noise10").noise.seed is None


def test_one_draw_has_one_name():
    assert load_protocol("imb20_007") == load_protocol("imb20_7")


def test_a_seed_in_a_file_says_the_same(tmp_path):
    path = written(tmp_path, "title: t\nimbalance: {factor: 20, seed: 256}")
    assert load_protocol(path).imbalance == load_protocol("imb20_256").imbalance


@pytest.mark.parametrize(("name", "expected"), [
    ("clean_5", "'clean' draws neither imbalance nor noise, so a seed changes nothing; name it 'clean'"),
    ("eac-noise10_5", "'eac-noise10' draws neither"), ("imb21_256", "did you mean imb20_256"),
    ("20_256", "did you mean imb20_256"), ("imb20_", "did you mean imb20"), ("imb20_x", "did you mean imb20"),
    ("_5", "unknown protocol '_5'"), ("imb20_²", "unknown protocol"), ("imb20_-1", "unknown protocol")])
def test_a_seed_that_cannot_be_is_refused_in_one_line(name, expected):
    assert expected in refusal(load_protocol, name)


def test_recipe_settings_replace_values():
    r = load_recipe("quick", {"lr": "1e-4", "augment.flip": "0", "mean": "[0.4]"})
    assert (r.lr, r.augment.flip, r.augment.shift, r.mean) == (1e-4, 0.0, load_recipe("quick").augment.shift, (0.4,))


def test_recipe_settings_win_over_a_paper_recipe():
    assert load_recipe("quick", {"lr": "0.5"}, {"lr": 0.1, "epochs": 3}).lr == 0.5
    assert load_recipe("quick", {}, {"lr": 0.1, "epochs": 3}).epochs == 3


def test_a_schedule_of_one_s_own_comes_without_the_milestones_of_the_source():
    base = {"schedule": "step", "milestones": ((10, 0.1),), "head_milestones": ((5, 0.1),), "augment": {"flip": 0.1}}
    assert load_recipe("quick", {}, base).milestones == ((10, 0.1),)
    own = load_recipe("quick", {"schedule": "constant", "augment.erase": "0.5"}, base)
    assert (own.milestones, own.head_milestones) == (None, None)
    assert (own.augment.flip, own.augment.erase) == (0.1, 0.5) and base["augment"] == {"flip": 0.1}
    both = load_recipe("quick", {"schedule": "step", "milestones": "[[2, 0.5], [3, 0.1]]"}, base)
    assert (both.milestones, both.head_milestones) == (((2, 0.5), (3, 0.1)), None)


@pytest.mark.parametrize(("settings", "expected"), [
    ({"schedule": "step"}, "schedule step needs 'milestones'"),
    ({"milestones": "[[1, 0.1]]"}, "no other takes them"), ({"head_milestones": "[[1, 0.1]]"}, "needs schedule step"),
    ({"schedule": "step", "milestones": "[[2, 0.1], [2, 0.01]]"}, "expected ascending epochs"),
    ({"schedule": "step", "milestones": "[[0, 0.1]]"}, "milestones.0.0: found 0"),
    ({"schedule": "step", "milestones": "[[4, 0]]"}, "milestones.0.1: found 0"),
    ({"schedule": "step", "milestones": "[4, 8]"}, "milestones.0: found 4"),
    ({"head_lr": "0"}, "head_lr: found 0"), ({"clip_grad_norm": "-1"}, "clip_grad_norm: found -1")])
def test_bad_milestones_and_rates_are_refused_in_one_line(settings, expected):
    line = refusal(load_recipe, "quick", settings)
    assert expected in line and len(line) < 160


@pytest.mark.parametrize(("key", "value", "expected"), [
    ("epoch", "3", "did you mean epochs"), ("epochs", "0", "epochs: found 0"), ("lr", "[", "--set-recipe lr=["),
    ("lr", "nan", "lr"), ("colour", "rgb", "needs 3 number(s)"), ("augment.flp", "1", "did you mean flip?"),
    ("lr.x", "1", "'lr' is a single value"), ("image_size", "4", "image_size: found 4")])
def test_bad_recipe_settings_are_refused_in_one_line(key, value, expected):
    assert expected in refusal(load_recipe, "quick", {key: value})
