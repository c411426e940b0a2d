"""What the children of the tests of the pretended device do."""

from __future__ import annotations

import timm  # noqa: F401  here, once for all children: the paper's recipe asks for it
from cases import CASES, INFOS

from fer_bench.fake.counts import Report
from fer_bench.fake.drive import drive
from fer_bench.protocols.protocol import load_recipe

RECIPES = {"quick": {}, "fer48": {}, "paper": {"image_size": "64"}, "face112": {"image_size": "64"}}
# other sizes change arithmetic only
DRIVEN = [*INFOS, "scn-early-all", "crt-early"]


def under_all_recipes(case: str) -> dict[str, Report]:
    """A method under each recipe."""
    method, parameters = CASES[case]
    return {name: drive(method, parameters, load_recipe(name, changes)) for name, changes in RECIPES.items()}


def at_full_size(case: str) -> Report:
    """A method under the paper's recipe as it is, with more test faces than a batch of evaluation takes."""
    method, parameters = CASES[case]
    return drive(method, parameters, load_recipe("paper"), test_faces=1100)


def as_its_source(case: str) -> Report:
    """A method under its own recipe of track `paper`, at another size."""
    method, _ = CASES[case]
    info = INFOS[case]
    return drive(method, info.defaults("paper"), load_recipe("paper", {"image_size": "64"}, info.paper_recipe))


def ready() -> None:
    """Let torch remember what most operations give, for all children."""
    under_all_recipes("ce")
