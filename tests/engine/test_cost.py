"""Forward passes of a record: a function of the method and the recipe, whatever interrupted the run."""

from __future__ import annotations

import pytest
from tinydata import tiny_inputs, tiny_run

from fer_bench.registry import load_class, methods

INFOS = methods()[0]
# loss + sweeps: two networks over every face before each epoch but those of the warm-up
EXPECTED = {"ce": 1.0, "resup": 2 + 2 * 2 / 3, "nla": 2.0, "co-teaching": 2.0}


@pytest.mark.parametrize("name", EXPECTED)
def test_forward_passes_count_networks_views_and_sweeps(name):
    record = tiny_run(tiny_inputs(load_class(INFOS[name])))
    assert record["cost"]["forward_passes"] == pytest.approx(EXPECTED[name], abs=0.02)


def test_forward_passes_do_not_depend_on_interruptions(tmp_path):
    inputs, epochs = tiny_inputs(load_class(INFOS["resup"])), []

    class Stop(Exception):
        pass

    def interrupt(row):
        epochs.append(row["epoch"])
        if len(epochs) < 3:
            raise Stop

    found = None
    while found is None:
        try:
            found = tiny_run(inputs, tmp_path, interrupt)
        except Stop:
            continue
    assert found["cost"]["forward_passes"] == tiny_run(inputs)["cost"]["forward_passes"]
    again = tiny_run(inputs, tmp_path)  # all epochs done: only the record was missing
    assert again["cost"]["forward_passes"] == found["cost"]["forward_passes"] and again["result"] == found["result"]
