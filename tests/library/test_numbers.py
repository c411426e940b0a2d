"""Numbers for reading: fractions where they are ones, and back without loss; lists in words and as JSON."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tinyfolder import call, refused

from fer_bench.library.methods import method_info, methods, resolve_parameters
from fer_bench.library.numbers import exact, short
from fer_bench.protocols.protocol import load_recipe


@pytest.mark.parametrize(("value", "text"), [
    (1 / 6, "1/6"), (-1 / 3, "-1/3"), (5 / 18, "5/18"), (0.1, "0.1"), (2e-05, "2e-05"), (3.0, "3.0"), (0.0, "0.0"),
    (0.123456789, "0.123457"), (True, "True"), ("sum", "sum"), (7, "7"), ((1, 2), "(1, 2)"),
])
def test_short(value, text):
    assert short(value) == text


@given(st.integers(-300, 300), st.integers(1, 100))
def test_what_is_a_fraction_reads_back_as_it_was(numerator, denominator):
    assert exact(short(numerator / denominator)) == numerator / denominator


@pytest.mark.parametrize("text", ["", "1/", "/6", "1/0", "1/2/3", "one/six", "0.5/2"])
def test_what_is_no_number(text):
    with pytest.raises(ValueError):
        exact(text)


def test_set_takes_what_the_list_shows():
    info = method_info("jocor")
    assert resolve_parameters(info, {"ramp": "1/6"}) == resolve_parameters(info, {})


def test_the_list_is_short_and_its_json_exact(capsys):
    assert call("list", "methods") == 0
    shown = capsys.readouterr().out
    assert "ramp=1/6" in shown and "16666" not in shown
    assert call("list", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found.keys() == {"methods", "protocols", "datasets", "recipes"}
    known = methods()[0]
    assert {name: one["parameters"] for name, one in found["methods"].items()} == {
        name: info.defaults() for name, info in known.items()}
    assert found["methods"]["jocor"]["parameters"]["ramp"] == 1 / 6
    assert found["protocols"]["noise30"]["noise"]["rate"] == 0.3
    assert found["recipes"]["quick"]["lr"] == load_recipe("quick").lr
    assert call("list", "recipes", "--json") == 0
    assert json.loads(capsys.readouterr().out).keys() == {"recipes"}


def test_json_and_another_form_are_refused(capsys):
    assert "list --json: has all that" in refused(capsys, "list", "methods", "--json", "--markdown")
