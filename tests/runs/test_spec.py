"""Identity of runs and of code, and the registry that reads methods without running them."""

from __future__ import annotations

import json

import pytest

from fer_bench.errors import UserError
from fer_bench.library.fingerprint import code_hash, engine_hash
from fer_bench.runs.spec import (
    LATER,
    canonical_json,
    complete,
    file_hash,
    make_spec,
    parse_seeds,
    parse_settings,
    run_id,
)

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
    assert run_id({**CONTENT, key: {"other": 1}}) != run_id(CONTENT)


@pytest.mark.parametrize(("key", "new"), [("threads", 2), ("head_lr", 10.0), ("milestones", [[10, 0.1]]),
                                          ("head_milestones", [[4, 0.5]]), ("clip_grad_norm", 5.0)])
def test_an_id_outlives_keys_that_came_later_unless_they_say_something_new(key, new):
    one, two = ({**CONTENT, "recipe": {**CONTENT["recipe"], key: v}} for v in (LATER["recipe", key], new))
    assert run_id(one) == run_id(CONTENT) == run_id(complete(CONTENT)) != run_id(two) == run_id(complete(two))
    assert complete(CONTENT)["recipe"][key] == LATER["recipe", key] and complete(two)["recipe"][key] == new


def test_so_do_keys_inside_of_parts_that_may_not_be_there():
    """Noise has a seed of its own since; imbalance too, which this content has not."""
    protocol = CONTENT["protocol"]
    none, seven = ({**CONTENT, "protocol": {**protocol, "noise": {**protocol["noise"], "seed": seed}}}
                   for seed in (None, 7))
    assert run_id(none) == run_id(CONTENT) != run_id(seven)
    assert complete(CONTENT)["protocol"] == none["protocol"] == complete(none)["protocol"]
    assert complete(seven)["protocol"] == seven["protocol"]


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
