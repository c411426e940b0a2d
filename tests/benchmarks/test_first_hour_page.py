"""The page of the first hour with a GPU: what it says of made-up findings, and what parts make of others."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from first_hour.page import page  # noqa: E402
from first_hour.parts import PARTS, Setup, best_pack  # noqa: E402

ABOUT: dict[str, Any] = {"machine": {"device": "Card X1", "cores": 8}, "card": "Card X1", "rehearsal": False,
                         "versions": {"torch": "2.15.0", "commit": "abc", "engine_code": "e1"}}


def made_up() -> dict[str, Any]:
    """What an hour might have found: a bit of everything that can go wrong."""
    def done(figures: dict[str, Any], status: str = "done", reason: str = "") -> dict[str, Any]:
        return {"status": status, "reason": reason, "seconds": 12.0, "figures": figures}

    def engines(name: str, rate: float, equal: bool | None = True, why: str | None = None) -> dict[str, Any]:
        graph = {"images_per_second": rate, "engine": "eager" if why else "graph", "why_not": why}
        return {"method": name, "eager": {"images_per_second": 100.0}, "graph": graph, "equal": equal, "steps": 50,
                "differs_at": None if equal is not False else 7, **({} if why else {"speedup": rate / 100})}

    packed = [{"method": "nla", "engine": "graph", "lanes": lanes, "images_per_second": rate, "gb": lanes}
              for lanes, rate in ((1, 100.0), (2, 150.0), (4, 140.0))]
    ways = [{"way": "interrupted", "note": "", "equal": True, "differs": [], "engine": "graph"},
            {"way": "eager", "note": "", "equal": False, "differs": ["first difference in epoch 3"], "engine": "eager"}]
    fast = {"method": "ce", "name": "ours, eager fp32", "status": "ok", "reason": None, "images_per_second": 90.0,
            "ratio": 0.9, "share_of_floor": 0.2, "disturbed": False}
    return {**ABOUT, "parts": {
        "gpu tests": done({"passed": 5, "failed": 1, "skipped": 0,
                           "failures": [{"test": "test_gpu.py::test_x[a|b]", "error": "RuntimeError: oh"}]}),
        "doctor": done({"text": "all", "broken": ["the driver is too old"]}),
        "graph against eager": done({"of": 43, "recipe": "paper", "rows": [
            engines("ce", 200), engines("nla", 80), engines("scn", 150, False),
            engines("crt", 100, None, "it reads a value")]}, "out of time"),
        "speed": done({"rows": [fast], "settings": {"size": 224, "batch": 32}}),
        "packing": done({"rows": packed}),
        "repeatability": done({"rows": ways, "epochs": 30, "engine": "graph", "overall": 0.5, "seconds": 3.0}),
        "ferplus grid": done({}, "left out", "no --data-root was given")}}


def test_the_page_says_what_to_do(tmp_path) -> None:
    text = page(made_up())
    for expected in ("# First hour on Card X1", "Mend 1 failed GPU test(s): `test_gpu.py::test_x[a|b]`",
                     "doctor: the driver is too old", "otherwise than the called one for scn:", "**differ at step 7**",
                     "Ran eager, not as a graph: crt (it reads a value)",
                     "slower than called steps for nla (0.80)", "ours, eager fp32 (ce, 0.90)",
                     "nla, graph: `--pack 2` trains 1.50 times", "Repeatability, eager: other bits", "| **no** ",
                     "Not finished: graph against eager.", "--only graph-against-eager`",
                     "Left out: ferplus grid (no --data-root was given)", "4 of 43 methods; 3 replayed, 2 of them"):
        assert expected in text, expected
    assert "test_x[a\\|b]" in text and "rehearsal" not in text.lower()
    assert "**A rehearsal" in page({**made_up(), "rehearsal": True})


def test_the_grid_is_packed_as_was_fastest(tmp_path) -> None:
    setup = Setup("cuda", tmp_path, tmp_path)
    assert best_pack(setup) == 1
    setup.folder("packing").mkdir(parents=True)
    (setup.folder("packing") / "found.json").write_text(json.dumps(made_up()["parts"]["packing"]["figures"]))
    words = PARTS[-1].command(setup, tmp_path)
    assert words[words.index("--pack") + 1] == "2" and "all" in words
    assert PARTS[-1].needs(Setup("cuda", tmp_path)) and not PARTS[-1].needs(setup)
