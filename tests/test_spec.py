"""Identity of runs and of code, and the registry that reads methods without running them."""

from __future__ import annotations

import json

import pytest
from tinyfolder import python

from fer_bench import registry
from fer_bench.code import code_hash, engine_hash
from fer_bench.errors import UserError
from fer_bench.registry import load_class, method_info, methods, resolve_parameters
from fer_bench.spec import canonical_json, file_hash, make_spec, parse_seeds, parse_settings, run_id

CONTENT = {"method": {"name": "nla", "parameters": {"lam": 0.5, "jsd": "mean", "detach_weight": True}}, "seed": 3,
           "protocol": {"name": "noise30", "noise": {"kind": "symmetric", "rate": 0.3}, "imbalance": None},
           "dataset": {"name": "synthetic", "fingerprint": "00ff", "classes": ["fear", "freude", "überraschung"]},
           "recipe": {"lr": 1e-4, "epochs": 12}, "weights": "none", "track": "fair",
           "code": {"method": "a", "engine": "b"}}


def refusal(act, *arguments) -> str:
    with pytest.raises(UserError) as refused:
        act(*arguments)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_the_run_id_of_a_content_never_changes():
    assert run_id(CONTENT) == "69611f132e933e2b"


def test_the_run_id_does_not_depend_on_the_order_of_keys():
    assert run_id(dict(reversed(CONTENT.items()))) == run_id(CONTENT)


@pytest.mark.parametrize("key", CONTENT)
def test_every_part_is_in_the_run_id(key):
    assert run_id({**CONTENT, key: "other"}) != run_id(CONTENT)


def test_the_run_id_survives_a_trip_through_json():
    assert run_id(json.loads(json.dumps(CONTENT))) == run_id(CONTENT)


def test_canonical_json_is_sorted_dense_and_ascii():
    assert canonical_json({"b": [1, 0.1, None, True], "a": "ü"}) == '{"a":"\\u00fc","b":[1,0.1,null,true]}'


def test_canonical_json_has_no_nan():
    with pytest.raises(ValueError):
        canonical_json({"a": float("nan")})


def test_make_spec_keeps_all_it_is_given():
    spec = make_spec(method="m", parameters={"a": 1}, protocol={"name": "p"}, dataset={"name": "d"}, recipe={"r": 2},
                     weights="w", track="t", seed=9, code={"method": "x"})
    assert spec.content == {"method": {"name": "m", "parameters": {"a": 1}}, "protocol": {"name": "p"}, "seed": 9,
                            "dataset": {"name": "d"}, "recipe": {"r": 2}, "weights": "w", "track": "t",
                            "code": {"method": "x"}} and spec.title == "m p d seed 9"


def test_file_hash_is_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert file_hash(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize(("text", "seeds"), [("1", [0]), ("5", [0, 1, 2, 3, 4]), ("0,3,7", [0, 3, 7]), ("7,", [7]),
                                             ("3,0,3", [0, 3]), (" 2 ", [0, 1])])
def test_seeds_are_a_count_or_a_list(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5", "0", "1,x", ",", "²"])
def test_bad_seeds_are_refused(text):
    assert refusal(parse_seeds, text).startswith(f"--seeds {text}")


def test_settings_are_name_and_value():
    assert parse_settings("--set", ["a=1", "b = x=y"]) == {"a": "1", "b": "x=y"}


@pytest.mark.parametrize("item", ["a", "=1", ""])
def test_bad_settings_are_refused(item):
    assert "expected name=value" in refusal(parse_settings, "--set", [item])


SOURCE = '''"""Module."""
import math

class A:
    """Class."""

    def f(self, x=1):
        """Function."""
        return x + 0.5
'''


def code_of(tmp_path, source: str) -> str:
    (tmp_path / "m.py").write_text(source)
    return code_hash([tmp_path / "m.py"])


@pytest.mark.parametrize(("old", "new"), [
    ('"""Module."""\n', ""), ('"""Class."""', '"""Another text."""'), ('        """Function."""\n', ""),
    ("import math", "import math  # for pi"), ("\n\nclass", "\n\n\n\nclass"), ("x + 0.5", "(x +\n 0.5)"),
    ("0.5", "5e-1"), ("x=1", "x = 1")])
def test_comments_docstrings_and_layout_are_no_code(tmp_path, old, new):
    assert old in SOURCE and code_of(tmp_path, SOURCE.replace(old, new)) == code_of(tmp_path, SOURCE)


@pytest.mark.parametrize(("old", "new"), [
    ("0.5", "0.50001"), ("x + 0.5", "x - 0.5"), ("x=1", "x=True"), ("x=1", "x=1.0"), ("x=1", "x=None"),
    ("x=1", "*, x=1"),
    ("import math", "import cmath"), ("def f", "def g"), ("return x", "x * 2; return x"), ("return x", "yield x"),
    ("class A", "@math.pi\nclass A"), ("    def f", "    pass\n    def f"), ("x + 0.5", "'x'"), ("x + 0.5", "b'x'"),
    ("class A:", "class A(B):"), ("self, x", "self, y: int, x"), ("return x + 0.5", "return")])
def test_every_other_change_is_code(tmp_path, old, new):
    assert old in SOURCE and code_of(tmp_path, SOURCE.replace(old, new)) != code_of(tmp_path, SOURCE)


def test_the_engine_fingerprint_is_twelve_digits_and_stable():
    assert len(engine_hash()) == 12 and engine_hash() == engine_hash()


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
    assert {"ce", "focal", "scn", "nla", "nla-released", "naw", "jsd"} <= set(found) and not problems


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
    assert methods([tmp_path / "absent.py"])[1] == [f"plugin {tmp_path / 'absent.py'}: no such file"]


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


def test_a_setting_goes_to_the_methods_that_have_it():
    from fer_bench.plan import own_settings

    infos = [method_info("ce"), method_info("focal")]
    assert own_settings(infos[0], infos, {"gamma": "1"}) == {}
    assert own_settings(infos[1], infos, {"gamma": "1"}) == {"gamma": "1"}
    assert own_settings(infos[0], infos, {"gama": "1"}) == {"gama": "1"}  # kept, so that it is refused by name
