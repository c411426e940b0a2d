"""From a package to a trained run: the commands, the recipe that goes with the weights, and what a record says."""

from __future__ import annotations

import pytest
import torch
from made_package import files, package_of, tgz
from tinyfolder import Place, call, refused

from fer_bench.nets.backbone import Backbone
from fer_bench.runs import networks
from fer_bench.runs.plan import make_plans
from fer_bench.runs.request import Request
from fer_bench.weights import catalog, package

FILES = files(spread=0.7)
MADE = package_of(*FILES)
SMALL = ("--set-recipe", "image_size=64", "--set-recipe", "epochs=1", "--set-recipe", "batch_size=16")


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    return Place(tmp_path_factory.mktemp("weights"))


@pytest.fixture(autouse=True)
def made(monkeypatch):
    """The made package instead of the real one."""
    monkeypatch.setitem(catalog.PACKAGES, "dlib-face", MADE)


def got(place: Place) -> None:
    """Have the weights in the cache."""
    source = tgz(place.root / "made.tgz", {MADE.manifest: FILES[0], MADE.values: FILES[1]})
    assert call("weights", "get", "dlib-face", "--from", str(source), "--cache", str(place.cache)) == 0


def words(place: Place, *more: str) -> list[str]:
    """A run on the tiny faces without a recipe of their own."""
    found = place.words("--weights", "dlib-face", *more)
    at = found.index("--recipe")
    return found[:at] + found[at + 2 :]


def test_first_they_have_to_be_got(tmp_path, capsys):
    new = Place(tmp_path)
    assert "not in " in (line := refused(capsys, *words(new, "--method", "ce"))) and "weights get dlib-face" in line
    call("weights", "list", "--cache", str(new.cache))
    assert "run_bench.py weights get dlib-face" in " ".join(capsys.readouterr().out.split())


def test_get_says_licence_and_origin_and_list_where_they_lie(place, capsys):
    got(place)
    shown = capsys.readouterr().out
    assert MADE.licence in shown and MADE.origin in shown and "recipe face112" in shown
    call("weights", "list", "--cache", str(place.cache))
    assert "not here" not in capsys.readouterr().out


def test_an_unknown_name(capsys):
    assert "unknown weights 'dlibface': did you mean dlib-face?" in refused(capsys, "weights", "get", "dlibface")


def test_a_run_trains_from_them_with_their_recipe(place, capsys):
    got(place)
    assert call(*words(place, "--method", "ce,eac", "--protocol", "clean", *SMALL)) == 0
    records = place.records()
    assert {record["spec"]["recipe"]["name"] for record in records} == {"face112"}
    assert {record["spec"]["weights"] for record in records} == {f"dlib-face {MADE.content[:16]}"}
    capsys.readouterr()
    call("table", "--results", str(place.results), "--weights", "dlib-face")
    assert "eac" in capsys.readouterr().out
    run = next(record["id"] for record in records if record["label"] == "ce")
    assert call("verify", run, "--dataset", f"folder:{place.data}", "--results", str(place.results), "--work",
                str(place.work), "--cache", str(place.cache)) == 0
    assert "the same bits" in capsys.readouterr().out


def test_other_backbones_are_refused(place, capsys):
    got(place)
    line = refused(capsys, *place.words("--method", "ce", "--weights", "dlib-face"))
    assert "of backbone 'dlib-face', found 'resnet10-w16' in recipe tiny; take --recipe face112" in line
    line = refused(capsys, *words(place, "--method", "ce", "--set-recipe", "image_size=48"))
    assert "backbone 'dlib-face' reads faces of 64 pixels and more, found 48" in line


def test_another_normalisation_is_refused(place, capsys):
    got(place)
    line = refused(capsys, *words(place, "--method", "ce", "--set-recipe", "std=[0.2,0.2,0.2]"))
    assert "trained on faces with std (1.0, 1.0, 1.0), found (0.2, 0.2, 0.2); leave std to recipe face112" in line


def test_weights_that_are_there_are_not_made_again(place, capsys):
    got(place)
    path = catalog.place(MADE, place.cache)
    before = path.stat().st_mtime_ns
    assert call("weights", "get", "dlib-face", "--cache", str(place.cache)) == 0  # without npm, then
    assert "there already" in capsys.readouterr().err and path.stat().st_mtime_ns == before
    path.write_bytes(path.read_bytes()[:-1])
    got(place)
    assert path.stat().st_mtime_ns > before and package.is_whole(MADE, path)


def network(place: Place, protocol: str, seed: int, **changes: str) -> dict[str, torch.Tensor]:
    """What the backbones of a run start from."""
    networks._makers.clear()
    recipe = {"image_size": "64", "epochs": "1", **changes}
    request = Request(("ce",), (protocol,), (f"folder:{place.data}",), (seed,), place.cache, recipe_settings=recipe,
                      weights="dlib-face")
    plan = make_plans(request, lambda line: None)[0]
    made: Backbone = networks.network_maker(plan)()
    return made.trunk.state_dict()


def test_statistics_belong_to_network_dataset_and_size_alone(place):
    got(place)
    fewer = place.root / "fewer.yaml"
    fewer.write_text("title: t\nnoise: {kind: symmetric, rate: 0.3}\nimbalance: {factor: 5}\n")
    one = network(place, "clean", 0)
    for other in (network(place, str(fewer), 3), network(place, "clean", 1, precision="fp32", lr="1e-3")):
        assert all(torch.equal(one[key], other[key]) for key in one)
    larger = network(place, "clean", 0, image_size="80")
    assert not torch.equal(one["bn1.running_mean"], larger["bn1.running_mean"])


def test_few_faces_give_statistics_too(tmp_path):
    few = Place(tmp_path, train=2)
    got(few)
    assert network(few, "clean", 0)["bn1.running_var"].isfinite().all()


def test_the_classifier_has_the_classes_that_a_protocol_keeps(place):
    """Also where a run of all classes was made before it in the same process."""
    got(place)
    two = place.root / "two.yaml"
    two.write_text("title: t\nclasses: [bars, squares]\n")
    for protocol, classes in (("clean", 3), (str(two), 2)):
        request = Request(("ce",), (protocol,), (f"folder:{place.data}",), (0,), place.cache, recipe=str(place.recipe))
        made: Backbone = networks.network_maker(make_plans(request, lambda line: None)[0])()
        assert made.head.out_features == classes
