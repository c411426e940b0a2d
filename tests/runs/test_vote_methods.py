"""Which runs a method that needs annotators' votes can have, and what is said of the others."""

from __future__ import annotations

import pytest
from tinyfolder import Place, refused

from fer_bench.errors import UserError
from fer_bench.runs.plan import make_plans
from fer_bench.runs.request import Request


def plans(tmp_path, names, protocols, said=None):
    request = Request(names, protocols, ("synthetic",), (0, 1), tmp_path)
    return make_plans(request, (lambda line: None) if said is None else said.append)


@pytest.mark.parametrize("protocol", ["noise30", "asym30", "one-annotator", "noise30-imb50"])
def test_votes_are_not_given_under_a_protocol_that_changes_labels(tmp_path, protocol):
    with pytest.raises(UserError) as refusal:
        plans(tmp_path, ("votes-ce", "votes-draw"), (protocol,))
    line = str(refusal.value)
    assert line.startswith("votes-ce, votes-draw cannot run: no annotators' votes are given under")
    assert f"'{protocol}'" in line and line.endswith("--protocol clean") and "\n" not in line


def test_in_a_grid_what_cannot_run_is_said_once_and_the_rest_runs(tmp_path):
    said = []
    found = plans(tmp_path, ("ce", "votes-ce", "votes-majority"), ("clean", "noise30", "imb50"), said)
    pairs = {(plan.method.name, plan.protocol.name) for plan in found}
    everything = {(m, p) for m in ("ce", "votes-ce", "votes-majority") for p in ("clean", "noise30", "imb50")}
    assert pairs == everything - {("votes-ce", "noise30"), ("votes-majority", "noise30")}
    assert len(found) == 2 * len(pairs)
    assert sum("cannot run" in line for line in said) == 1
    assert any(line.startswith("votes-ce, votes-majority cannot run: ") for line in said)


def test_a_dataset_without_votes_is_refused_in_one_line(tmp_path, capsys):
    place = Place(tmp_path, epochs=1)
    line = refused(capsys, *place.words("--method", "votes-majority"))
    assert "votes-majority cannot run: dataset 'folder:faces' has no annotators' votes" in line
    assert "use --dataset synthetic" in line and not place.results.exists()


def test_a_plug_in_says_so_in_its_class(tmp_path):
    own = tmp_path / "own.py"
    own.write_text('''
from fer_bench.method import Method
from fer_bench.registry import register

@register("own")
class Own(Method):
    needs_votes = True

    def loss(self, batch, clock):
        return (self.net(batch.images) * batch.votes).mean()
''')
    request = Request(("own",), ("noise10",), ("synthetic",), (0,), tmp_path, plugins=(own,))
    with pytest.raises(UserError, match="own cannot run: no annotators' votes are given under protocol 'noise10'"):
        make_plans(request, print)
