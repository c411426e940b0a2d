"""The command line: every bad input is one line and status 2, and the small commands say what they should."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import pytest
import torch
from tinyfolder import Place, call, refused

from fer_bench.cli import main
from fer_bench.nets.backbone import make_trunk
from fer_bench.protocols.prepare import prepare
from fer_bench.protocols.protocol import load_protocol

GOOD = '''
from torch.nn import functional as F
from fer_bench.method import Method
from fer_bench.registry import register

@register("NAME")
class Mine(Method):
    def loss(self, batch, clock):
        return F.cross_entropy(self.net(batch.images), batch.labels)
'''


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    return Place(tmp_path_factory.mktemp("cli"), epochs=1)


def plugin(folder: Path, source: str, name: str) -> str:
    path = folder / f"{name}.py"
    path.write_text(source.replace("NAME", name))
    return str(path)


BAD_WORDS = {
    "method": (("--method", "nlaa"), "unknown method 'nlaa': did you mean nla"),
    "second method": (("--method", "ce,focul"), "unknown method 'focul': did you mean focal"),
    "no method": (("--protocol", "clean"), "--method"),
    "empty method": (("--method", ","), "--method: nothing named"),
    "protocol": (("--method", "ce", "--protocol", "noise3O"), "unknown protocol 'noise3O': did you mean noise30"),
    "recipe": (("--method", "ce", "--recipe", "quik"), "unknown recipe 'quik': did you mean quick"),
    "option": (("--metod", "ce"), "--method"),
    "hyper-parameter": (("--method", "nla", "--set", "lamb=1"), "hyper-parameter 'lamb': did you mean lam"),
    "kind of value": (("--method", "nla", "--set", "lam=much"), "--set lam=much: method 'nla' expects float"),
    "choice": (("--method", "nla", "--set", "jsd=median"), "expects one of mean, sum"),
    "impossible value": (("--method", "nla", "--set", "ratio_true=.5"), "'nla': ratio_true is 0.5, expected 1 (round)"),
    "setting": (("--method", "nla", "--set", "lam"), "--set lam: expected name=value"),
    "recipe setting": (("--method", "ce", "--set-recipe", "epoch=3"), "unknown key 'epoch': did you mean epochs"),
    "recipe value": (("--method", "ce", "--set-recipe", "epochs=0"), "epochs: found 0"),
    "recipe YAML": (("--method", "ce", "--set-recipe", "lr=["), "--set-recipe lr=["),
    "backbone": (("--method", "ce", "--set-recipe", "backbone=resnet10-w61"), "unknown backbone 'resnet10-w61'"),
    "precision": (("--method", "ce", "--precision", "fp61"), "'fp61'"),
    "seeds": (("--method", "ce", "--seeds", "a"), "--seeds a: expected a count"),
    "no seeds": (("--method", "ce", "--seeds", "0"), "--seeds 0: expected at least 1"),
    "track": (("--method", "ce", "--track", "fare"), "--track fare: did you mean fair?"),
    "retry": (("--method", "ce", "--retry", "all"), "--retry all: known: failed"),
    "jobs": (("--method", "ce", "--jobs", "0"), "--jobs"),
    "device": (("--method", "ce", "--device", "cuda:99"), "--device cuda:99: not usable here"),
    "device name": (("--method", "ce", "--device", "gpu"), "--device gpu: no such kind; expected auto, cpu, cuda"),
    "weights": (("--method", "ce", "--weights", "absent.pth"), "--weights absent.pth: no such file"),
    "plugin": (("--method", "mine", "--plugin", "absent.py"), "plugin absent.py: no such file"),
    "noise list": (("--method", "ce", "--protocol", "eac-noise10"), "noise list not found, looked for noise01.txt and"),
    "column": (("--method", "ce", "--protocol", "fer2013-labels"), "no second annotation 'fer2013'"),
    "class": (("--method", "ce", "--protocol", "asym30"), "has no class '"),
}


@pytest.mark.parametrize("problem", BAD_WORDS)
def test_bad_words_end_with_one_line_and_leave_nothing(place, capsys, problem):
    words, expected = BAD_WORDS[problem]
    assert expected in refused(capsys, *place.words(*words, results="none"))
    assert not (place.root / "none" / "records").exists() or not list((place.root / "none" / "records").glob("*/*"))
    assert not list(place.root.glob("work/none/*"))


@pytest.mark.parametrize(("words", "expected"), [
    (("tabel",), "did you mean table"), (("data", "chek"), "did you mean check?"),
    (("list", "metods"), "did you mean methods?"),
    (("export", "--protocol", "noise3"), "unknown protocol 'noise3'"), (("export",), "--protocol"),
    (("table", "--layout", "nois"), "noise"), (("--method", "ce", "--dataset", "rafbd"), "did you mean rafdb"),
    (("--method", "ce", "--dataset", "folder:/nowhere/at/all"), "/nowhere/at/all"),
    (("--method", "ce", "--dataset", "rafdb"), "--data-root"),
    (("--method", "ce", "--dataset", "rafdb", "--data-root", "/nowhere"), "/nowhere"),
    (("data", "check", "--dataset", "a,b"), "one dataset at a time")])
def test_bad_words_of_other_commands_end_with_one_line(capsys, words, expected):
    assert expected in refused(capsys, *words)


@pytest.mark.parametrize(("text", "expected"), [
    ("title: t\nnois: 1", "unknown key 'nois': did you mean noise?"), ("title: [", "not YAML"),
    ("title: t\nnoise: {kind: symmetric, rate: 1.5}", "noise.rate: found 1.5"),
    ("title: t\nimbalance: {factor: 0.9}", "imbalance.factor: found 0.9"),
    ("title: t\nimbalance: {factor: 1000}", "leaves no true training label of")])
def test_a_bad_protocol_file_ends_with_one_line(place, capsys, text, expected):
    path = place.root / "own.yaml"
    path.write_text(text)
    assert expected in refused(capsys, *place.words("--method", "ce", "--protocol", str(path), results="none"))


def test_weights_of_another_architecture_list_the_keys(place, capsys):
    path = place.root / "other.pth"
    torch.save(make_trunk("resnet10-w24", 1).state_dict(), path)
    line = refused(capsys, *place.words("--method", "ce", "--weights", str(path), results="none"))
    assert "does not fit backbone 'resnet10-w16'" in line
    assert "conv1.0.weight (12, 1, 3, 3) instead of (8, 1, 3, 3)" in line


class Trap:
    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_code_in_a_weights_file_is_not_run(place, capsys):
    path = place.root / "trap.pth"
    torch.save({"conv1.weight": Trap(place.root / "sprung")}, path)
    line = refused(capsys, *place.words("--method", "ce", "--weights", str(path), results="none"))
    assert "may be code and is never run" in line and not (place.root / "sprung").exists()


@pytest.mark.parametrize("option", ["--results", "--work"])
def test_a_folder_that_cannot_be_written_is_named(place, capsys, option):
    (place.root / "file").touch()
    inner = str(place.root / "file" / "inner")
    line = refused(capsys, *place.words("--method", "ce", option, inner, results="none"))
    assert f"{option} {inner}" in line and "cannot be written" in line


def test_a_plugin_that_fails_to_import_is_named(place, capsys):
    broken = plugin(place.root, "import nowhere_at_all\n" + GOOD, "alone")
    line = refused(capsys, *place.words("--method", "alone", "--plugin", broken, results="none"))
    assert "alone.py: method 'alone' cannot be imported (ModuleNotFoundError" in line


def test_a_plugin_with_views_that_cannot_be_is_named(place, capsys):
    views = GOOD.replace("    def loss", "    views = {'strong': {'eras': 0.5}}\n\n    def loss")
    words = ("--method", "own", "--plugin", plugin(place.root, views, "own"))
    line = refused(capsys, *place.words(*words, results="none"))
    assert "own.py: method 'own': view 'strong': unknown key 'eras': did you mean erase" in line


def test_the_other_methods_run_beside_a_plugin_that_fails_to_import(place, capsys):
    files = [plugin(place.root, GOOD, "good"), plugin(place.root, "1 / 0\n" + GOOD, "broken")]
    words = place.words("--method", "good,broken", "--plugin", files[0], "--plugin", files[1], results="partly")
    assert call(*words) == 2
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(said) == 1 and "broken.py" in said[0]
    assert [r["label"] for r in place.records("partly")] == ["good"]


WITH_PLUGIN = {
    "run": ("--method", "ce", "--dry-run"), "list": ("list",), "datasets": ("list", "datasets"),
    "protocols": ("list", "protocols"), "paper": ("list", "methods", "--paper"), "check": ("data", "check"),
    "markdown": ("list", "methods", "--markdown"), "export": ("export", "--protocol", "clean"),
    "scores": ("scores", "--dataset", "synthetic"), "verify": ("verify", "4f2a"),
}
NO_PLUGIN = {"absent": "no such file", "folder": "a folder, expected a Python file", "syntax": "not a readable Python",
             "nothing": "no class with @register", "bytes": "not a readable Python file"}


@pytest.mark.parametrize("fault", NO_PLUGIN)
@pytest.mark.parametrize("command", WITH_PLUGIN)
def test_every_command_refuses_a_plugin_that_cannot_be_read(tmp_path, capsys, command, fault):
    file = tmp_path / "mine.py"
    if fault == "folder":
        file.mkdir()
    elif fault != "absent":
        file.write_bytes({"syntax": b"def f(:", "nothing": b"x = 1", "bytes": b"\xff\xfe\0"}[fault])
    line = refused(capsys, *WITH_PLUGIN[command], "--plugin", str(file))
    assert f"--plugin {file}: {NO_PLUGIN[fault]}" in line and not list(tmp_path.glob("*/*"))


def test_a_plugin_that_is_no_method_is_refused(place, capsys):
    source = "from fer_bench.registry import register\n@register('thing')\nclass Thing:\n    pass\n"
    line = refused(capsys, *place.words("--method", "thing", "--plugin", plugin(place.root, source, "thing")))
    assert "Thing is no Method; derive it from fer_bench.method.Method" in line


def test_a_message_of_several_lines_is_still_one_line(place, capsys):
    broken = plugin(place.root, "raise ValueError('one\\n\\ntwo')\n" + GOOD, "lines")
    assert "one two" in refused(capsys, *place.words("--method", "lines", "--plugin", broken, results="none"))


@pytest.mark.parametrize("command", ["run", "table", "export", "status", "list"])
def test_help_shows_examples(capsys, command):
    assert call(command, "--help") == 0
    shown = capsys.readouterr().out
    assert "Example" in shown and "run_bench.py" in shown


def test_help_needs_no_command(capsys):
    assert call("--help") == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("run", "table", "list", "export", "status", "data"))


@pytest.mark.parametrize(("what", "words"), [("methods", ("nla-released", "focal", "lam=0.5")),
                                             ("protocols", ("noise30-imb50", "imb100")), ("recipes", ("paper", "224")),
                                             ("datasets", ("ferplus7", "affectnet8"))])
def test_list_shows_what_there_is(capsys, what, words):
    assert call("list", what) == 0
    shown = capsys.readouterr().out
    assert all(word in shown for word in words)


def test_list_shows_plugins(place, capsys):
    assert call("list", "methods", "--plugin", plugin(place.root, GOOD, "listed")) == 0
    assert "listed" in capsys.readouterr().out


def exported(place, capsys, *words: str) -> list[list[str]]:
    capsys.readouterr()
    assert call("export", "--dataset", f"folder:{place.data}", "--cache", str(place.cache), *words) == 0
    return list(csv.reader(io.StringIO(capsys.readouterr().out)))


def test_export_is_what_the_runs_train_on(place, capsys):
    from fer_bench.data.catalog import ask
    from fer_bench.runs.faces import cached_pack

    rows = exported(place, capsys, "--protocol", "noise30", "--seed", "3")
    train = prepare(cached_pack(ask(f"folder:{place.data}"), place.cache, None), load_protocol("noise30"), 3).train
    assert rows[0] == ["id", "given", "true"]
    assert [(i, int(g), int(t)) for i, g, t in rows[1:]] == list(zip(train.ids, train.given, train.true, strict=True))
    assert sum(given != true for _, given, true in rows[1:]) == 18


def test_export_depends_on_the_seed(place, capsys):
    one, other = (exported(place, capsys, "--protocol", "noise30", "--seed", seed) for seed in "01")
    assert one != other


def test_dry_run_lists_runs_and_writes_nothing(place, capsys):
    capsys.readouterr()
    words = place.words("--method", "ce,nla", "--protocol", "clean,noise30", "--seeds", "2", "--dry-run", results="dry")
    assert call(*words) == 0
    runs = capsys.readouterr().out.partition("\n\n")[0]
    lines = [line.split(maxsplit=2) for line in runs.splitlines()]
    assert len({line[0] for line in lines}) == 8 and {line[1] for line in lines} == {"absent"}
    assert not (place.root / "dry").exists()


def test_status_of_nothing_says_so(place, capsys):
    assert call("status", "--results", str(place.root / "no"), "--work", str(place.root / "no")) == 0
    assert "no runs under" in capsys.readouterr().out


def test_run_may_be_said(place, capsys):
    assert call("run", *place.words("--method", "ce", "--dry-run")) == 0


def test_an_interrupt_is_status_130(monkeypatch, capsys):
    from fer_bench.runs import status

    monkeypatch.setattr(status, "show", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(SystemExit) as stopped:
        main(["status"])
    assert stopped.value.code == 130 and len(capsys.readouterr().err.strip().splitlines()) == 1
