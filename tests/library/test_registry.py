"""The registry: methods and plug-ins read from their source."""

from __future__ import annotations

import ast

import pytest
from tinyfolder import python

from fer_bench import registry
from fer_bench.errors import UserError
from fer_bench.library import source as method_source
from fer_bench.paths import PACKAGE
from fer_bench.registry import load_class, method_info, methods, resolve_parameters
from fer_bench.runs.request import expand_methods

FAMILIES = {"baseline", "noise", "imbalance", "fer", "votes"}
PROMISED = {
    "ce", "focal", "scn", "nla", "nla-released", "naw", "jsd", "naw-l1", "naw-cam", "l1", "cam", "label-smoothing",
    "mixup", "gce", "sce", "elr", "co-teaching", "jocor", "dividemix", "bootstrap", "bootstrap-hard",
    "class-balanced", "class-balanced-focal", "ldam-drw", "balanced-softmax", "logit-adjustment",
    "logit-adjustment-post-hoc", "oversample", "crt", "rul", "eac", "mek", "mek-swin", "mek-rac", "mek-rsl",
    "dmue", "dmue-released", "man", "resup", "cct", "ada-df", "dan", "soft", "dacl", "center-loss", "cutmix",
    "proselflc", "disc", "la-net", "dare-loss", "smec", "votes-ce", "votes-majority", "votes-multi-label", "votes-draw",
}


def refusal(act, *arguments) -> str:
    with pytest.raises(UserError) as refused:
        act(*arguments)
    assert "\n" not in str(refused.value)
    return str(refused.value)


PLUGIN = '''"""A method of one's own."""
from typing import Literal
from fer_bench.method import Method
from fer_bench.registry import register

@register("NAME", paper="me")
@register("NAME-two", preset={"power": 2, "kind": "b"})
class Mine(Method):
    paper_recipe = {"lr": 0.1}

    def __init__(self, context, *, power: int = 1, rate: float = 0.5, on: bool = False, word: str = "x",
                 kind: Literal["a", "b"] = "a", level: Literal[1, 2] = 1):
        super().__init__(context)
        self.power = power

    def loss(self, batch, clock):
        return self.net(batch.images).mean()
'''


def plugin(tmp_path, source: str = PLUGIN, name: str = "mine", file: str = "mine.py"):
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(source.replace("NAME", name))
    return path


def test_list_needs_no_torch():
    shown = python("import sys\nfrom fer_bench.cli import main\ntry: main(['list'])\n"
                   "finally: print('TORCH' if 'torch' in sys.modules else 'LIGHT')")
    assert "LIGHT" in shown.stdout and "nla-released" in shown.stdout and "noise30-imb50" in shown.stdout, shown.stderr


def test_the_promised_methods_are_there():
    found, problems = methods()
    assert not problems and set(found) >= PROMISED


def test_every_method_names_paper_year_and_family():
    for name, info in methods()[0].items():
        assert info.paper and info.family in FAMILIES and info.doc, name
        assert info.year > 1980 or name == "man", "its repository names no year"


def test_method_files_are_short():
    """What is said of a method, and how its authors train it, is no code: those lines do not count."""
    for path in (PACKAGE.parent / "methods").glob("*.py"):
        tree = ast.parse(path.read_text())
        said = [tree.body[0], *(node for node in ast.walk(tree) if isinstance(node, ast.AnnAssign)
                                and getattr(node.target, "id", "").startswith("paper_"))]
        lines = len(path.read_text().splitlines()) - sum(node.end_lineno - node.lineno + 1 for node in said)
        assert lines <= 110, path.name


def test_a_variant_is_its_class_with_a_preset():
    released, plain = method_info("nla-released"), method_info("nla")
    assert released.class_name == plain.class_name and released.code == plain.code
    assert (released.parameters["jsd"].default, plain.parameters["jsd"].default) == ("sum", "mean")
    assert released.parameters["lam"] == plain.parameters["lam"]


def test_a_plugin_is_read_without_running_it(tmp_path):
    info = method_info("mine-two", [plugin(tmp_path, "import nowhere\n" + PLUGIN)])
    defaults = {name: p.default for name, p in info.parameters.items()}
    assert defaults == {"power": 2, "rate": 0.5, "on": False, "word": "x", "kind": "b", "level": 1}
    assert info.paper_recipe == {"lr": 0.1}


@pytest.mark.parametrize(("name", "text", "value"), [
    ("power", "3", 3), ("rate", "1e-3", 0.001), ("rate", "1", 1.0), ("on", "true", True), ("on", "False", False),
    ("on", "1", True), ("word", "hello", "hello"), ("kind", "b", "b"), ("level", "2", 2)])
def test_settings_are_read_as_the_annotated_type(tmp_path, name, text, value):
    found = resolve_parameters(method_info("mine", [plugin(tmp_path)]), {name: text})[name]
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(("name", "text", "expected"), [
    ("power", "1.5", "expects int"), ("rate", "much", "expects float"), ("rate", "nan", "finite"),
    ("rate", "-inf", "finite"), ("on", "maybe", "expects bool"), ("kind", "c", "expects one of a, b"),
    ("powr", "1", "no hyper-parameter 'powr': did you mean power")])
def test_bad_hyper_parameters_are_refused(tmp_path, name, text, expected):
    assert expected in refusal(resolve_parameters, method_info("mine", [plugin(tmp_path)]), {name: text})


BROKEN = {
    "syntax": ("def f(:", "not a readable Python file"),
    "no method": ("x = 1", "no class with @register"),
    "no default": (PLUGIN.replace("power: int = 1", "power: int"), "'power' of Mine has no default"),
    "no annotation": (PLUGIN.replace("power: int = 1", "power=1"), "annotate hyper-parameter 'power'"),
    "no literal": (PLUGIN.replace("power: int = 1", "power: int = len('a')"), "must be a literal"),
    "wrong default": (PLUGIN.replace("rate: float = 0.5", "rate: float = None"), "is None, expected float"),
    "preset of nothing": (PLUGIN.replace('"power": 2', '"powr": 2'), "did you mean power"),
    "a name that is taken": (PLUGIN.replace("NAME-two", "ce"), "method 'ce' of mine.py is already in ce.py"),
}


@pytest.mark.parametrize("problem", BROKEN)
def test_a_broken_plugin_is_said_and_the_others_work(tmp_path, problem):
    source, expected = BROKEN[problem]
    good = plugin(tmp_path, name="good", file="good.py")
    found, problems = methods([plugin(tmp_path, source), good])
    assert len(problems) == 1 and expected in problems[0] and "mine.py" in problems[0] and {"ce", "good"} <= set(found)


def test_a_plugin_that_is_not_there_is_named(tmp_path):
    assert methods([tmp_path / "absent.py"])[1] == [f"{tmp_path / 'absent.py'}: no such file"]


def test_a_plugin_named_twice_counts_once(tmp_path):
    path = plugin(tmp_path)
    assert methods([path, path])[1] == []


@pytest.mark.parametrize("line", ["import nowhere_at_all", "1 / 0", "raise SystemExit(3)"])
def test_a_plugin_that_fails_to_import_is_named_when_it_is_loaded(tmp_path, line):
    info = method_info("mine", [plugin(tmp_path, line + "\n" + PLUGIN)])
    assert "mine.py: method 'mine' cannot be imported" in refusal(load_class, info)


def test_two_plugins_with_one_class_name_do_not_mix(tmp_path):
    files = [plugin(tmp_path, name=n, file=f"{n}/mine.py") for n in ("ann", "bob")]
    one, other = (load_class(method_info(n, files)) for n in ("ann", "bob"))
    assert one is not other and one.__name__ == other.__name__ == "Mine"


def test_an_unknown_method_names_the_near_one_and_the_broken_plugin(tmp_path):
    line = refusal(method_info, "mine", [plugin(tmp_path, "def f(:")])
    assert "unknown method 'mine'" in line and "mine.py: not a readable Python file" in line


def test_register_leaves_the_class_alone():
    assert registry.register("x")(int) is int


def test_positional_hyper_parameters_are_refused(tmp_path):
    path = plugin(tmp_path)
    path.write_text(path.read_text().replace("*, ", ""))
    assert "put '*,' before" in methods([path])[1][0]


def test_a_helper_beside_the_file_counts(tmp_path):
    path = plugin(tmp_path)
    path.write_text("import my_helper\n" + path.read_text())
    before = method_info("mine", [path]).code
    (tmp_path / "my_helper.py").write_text("x = 1\n")
    one = method_info("mine", [path]).code
    (tmp_path / "my_helper.py").write_text("x = 2\n")
    assert len({before, one, method_info("mine", [path]).code}) == 3


def test_shared_parts_count_for_the_methods_that_import_them(tmp_path, monkeypatch):
    (tmp_path / "parts").mkdir()
    for path in (PACKAGE / "parts").glob("*.py"):
        (tmp_path / "parts" / path.name).write_text(path.read_text())
    before = {name: info.code for name, info in methods()[0].items()}
    monkeypatch.setattr(method_source, "PACKAGE", tmp_path)
    assert {name: info.code for name, info in methods()[0].items()} == before
    part = tmp_path / "parts" / "class_maps.py"
    part.write_text(part.read_text().replace("square()", "abs()"))
    changed = {name for name, info in methods()[0].items() if info.code != before[name]}
    assert {"eac", "mek", "nla"} <= changed and not {"ce", "rul", "jocor"} & changed


def test_parts_import_nothing_of_each_other():
    for path in (PACKAGE / "parts").glob("*.py"):
        assert "fer_bench.parts" not in path.read_text(), f"{path.name}: a method's fingerprint would miss it"


def test_a_family_is_all_of_its_methods():
    families = {name: info.family for name, info in methods()[0].items()}
    noise = expand_methods("family:noise", ())
    assert set(noise) == {name for name, family in families.items() if family == "noise"} >= {"gce", "co-teaching"}
    assert expand_methods("ce,family:imbalance,focal", ())[0] == "ce"
    assert expand_methods("ce,family:imbalance,focal", ()).count("focal") == 1
    assert set(expand_methods("all", ())) == set(families) and set(families.values()) == FAMILIES
    with pytest.raises(UserError, match="unknown family 'nois': did you mean noise?"):
        expand_methods("family:nois", ())


def test_a_setting_goes_to_the_methods_that_have_it():
    from fer_bench.runs.plan import own_settings

    infos = [method_info("ce"), method_info("focal")]
    assert own_settings(infos[0], infos, {"gamma": "1"}) == {}
    assert own_settings(infos[1], infos, {"gamma": "1"}) == {"gamma": "1"}
    with pytest.raises(UserError, match="did you mean gamma"):
        own_settings(infos[0], infos, {"gama": "1"})
