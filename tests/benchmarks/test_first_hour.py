"""The first hour with a GPU: time limits, what is kept and skipped, refusals, the page, and a rehearsal for real."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from first_hour import card, suite  # noqa: E402
from first_hour.engines import compared, measure  # noqa: E402
from first_hour.limit import run  # noqa: E402
from first_hour.parts import PARTS, Part, Setup, read_found, read_tests  # noqa: E402
from first_hour.steps import make  # noqa: E402
from tape import record  # noqa: E402

ABOUT: dict[str, Any] = {"machine": {"device": "Card X1", "cores": 8}, "card": "Card X1", "rehearsal": False,
                         "versions": {"torch": "2.15.0", "commit": "abc", "engine_code": "e1"}}
linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
CROWD = """
import subprocess, sys, time
from pathlib import Path
deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"
child = subprocess.Popen([sys.executable, "-c", deaf])
Path(sys.argv[1]).write_text(str(child.pid))
print("some figures", flush=True)
time.sleep(60)
"""


def alive(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def soon(true: Callable[[], Any], seconds: float = 20) -> bool:
    end = time.monotonic() + seconds
    while not (found := true()) and time.monotonic() < end:
        time.sleep(0.05)
    return bool(found)


@linux
def test_the_limit_ends_the_whole_group_and_keeps_what_was_written(tmp_path: Path) -> None:
    words = [sys.executable, "-c", CROWD, str(tmp_path / "pid")]
    ended = run(words, tmp_path / "log.txt", 1.5, grace=0.3)
    assert ended.code is None and 1.5 <= ended.seconds < 10
    assert "some figures" in (tmp_path / "log.txt").read_text()
    assert soon(lambda: not alive(int((tmp_path / "pid").read_text())))


@linux
def test_what_a_command_leaves_behind_ends_with_it(tmp_path: Path) -> None:
    script = CROWD.replace("time.sleep(60)\n", "time.sleep(0.1); sys.exit(3)\n")
    assert run([sys.executable, "-c", script, str(tmp_path / "pid")], tmp_path / "log.txt", 30).code == 3
    assert soon(lambda: not alive(int((tmp_path / "pid").read_text())))


def part(name: str, code: str, share: float = 1) -> Part:
    """A part that runs a line of Python in its folder, which is ``sys.argv[1]``."""
    return Part(name, share, lambda setup, folder: [sys.executable, "-c", "import sys, json, time; from pathlib import "
                f"Path; at = Path(sys.argv[1]); {code}", str(folder)], read_found)


WRITE = "(at / 'found.json').write_text(json.dumps({'rows': []}))"
COUNT = "open(at.parent.parent / 'calls', 'a').write('x'); "


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Run the suite with made-up parts on a made-up card; returns its status and what is in its JSON of the parts."""
    def called(parts: list[Part], *words: str, about: dict[str, Any] = ABOUT) -> tuple[int, dict[str, Any]]:
        monkeypatch.setattr(suite, "find", lambda device, rehearse: about)
        monkeypatch.setattr(suite, "page", lambda found: "")
        status = suite.main(["--work", str(tmp_path / "w"), "--out", str(tmp_path), *words], parts=parts)
        return status, json.loads((tmp_path / f"{card.slug(about)}.json").read_text())["parts"]

    return called


def test_a_part_that_fails_or_lasts_too_long_stops_no_other(call, capsys) -> None:
    parts = [part("broken", "sys.exit('no luck')"), part("long", f"{WRITE}; time.sleep(60)"), part("good", WRITE)]
    status, found = call(parts, "--minutes", "0.1")  # two seconds each
    assert status == 1 and {name: row["status"] for name, row in found.items()} == {
        "broken": "failed", "long": "out of time", "good": "done"}
    assert found["broken"]["reason"] == "status 1: no luck" and found["long"]["figures"] == {"rows": []}
    assert "long: at most 0:02" in capsys.readouterr().err


def test_what_is_done_is_skipped_unless_commit_or_card_differ(call, tmp_path, capsys) -> None:
    parts = [part("good", COUNT + WRITE), part("other", WRITE)]
    assert call(parts, "--only", "good")[1]["other"]["status"] == "not done"
    assert call(parts)[0] == 0 and (tmp_path / "w" / "calls").read_text() == "x"
    assert "good: done before" in capsys.readouterr().err
    (tmp_path / "w" / "raw" / "good" / "old").touch()
    other = {**ABOUT, "versions": {**ABOUT["versions"], "commit": "def"}}
    call(parts, "--only", "other", about=other)
    assert call(parts, about=other)[1]["good"]["status"] == "done"
    assert "good: was done with another commit; it is done again" in capsys.readouterr().err
    assert (tmp_path / "w" / "calls").read_text() == "xx" and not (tmp_path / "w" / "raw" / "good" / "old").exists()
    assert call(parts, "--page", about=other)[0] == 0 and (tmp_path / "w" / "calls").read_text() == "xx"


def test_a_short_part_leaves_its_time_to_the_last(call, capsys) -> None:
    call([part("short", WRITE), part("last", WRITE)], "--minutes", "10")
    said = capsys.readouterr().err
    assert "short: at most 5:00" in said and "last: at most 9:" in said


def test_bad_input_is_one_line(call, tmp_path, capsys) -> None:
    for words, expected in ((["--only", "packin"], "did you mean packing?"), (["--page"], "is not there"),
                            (["--data-root", "/nowhere"], "no such folder"), (["--device", "gpu"], "expected cuda")):
        assert suite.main(["--work", str(tmp_path / "w"), "--out", str(tmp_path), *words]) == 2
        said = capsys.readouterr().err
        assert expected in said and said.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_cuda_nothing_is_begun(tmp_path, capsys) -> None:
    assert suite.main(["--work", str(tmp_path / "w")]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: --device cuda: torch ") and "--rehearse" in said and said.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_numbered_card_is_the_only_one_seen(monkeypatch) -> None:
    for visible, device, expected in (("", "cuda:2", "2"), ("4,7", "cuda:1", "7"), ("4,7", "cuda:3", ""),
                                      ("4,7", "cuda", "4,7")):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
        card.pin(device)
        assert os.environ["CUDA_VISIBLE_DEVICES"] == expected


@linux
def test_ctrl_c_ends_the_part_and_says_how_to_go_on(tmp_path) -> None:
    words = [sys.executable, str(BENCHMARKS / "first_gpu_hour.py"), "--rehearse", "--only", "packing", "--work",
             str(tmp_path / "w")]
    child = subprocess.Popen(words, stderr=subprocess.PIPE, text=True,
                             preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    assert child.stderr is not None and "packing: at most" in child.stderr.readline()

    def others() -> list[Path]:
        return [path for path in Path("/proc").glob("[0-9]*") if path.name != str(child.pid) and named(path)]

    def named(path: Path) -> bool:
        try:
            return str(tmp_path).encode() in (path / "cmdline").read_bytes()
        except OSError:
            return False

    assert soon(others)
    child.send_signal(signal.SIGINT)
    assert "the same command goes on" in child.communicate(timeout=30)[1].splitlines()[-1]
    assert child.returncode == 130 and soon(lambda: not others())
    assert list((tmp_path / "w").glob("rehearsal-*.md"))


def test_each_test_is_kept_as_it_ends(tmp_path) -> None:
    file = tmp_path / "test_some.py"
    file.write_text("import pytest\n\ndef test_compiled():\n    pass\n\ndef test_bad():\n    assert 1 == 2, 'a b\\nc'\n"
                    "\n@pytest.mark.skip(reason='none here')\ndef test_left():\n    pass\n")
    setup = Setup("cpu", tmp_path)
    ended = run([sys.executable, "-m", "pytest", "-q", "-p", "first_hour.tests", "--rootdir", str(tmp_path), str(file)],
                tmp_path / "log.txt", 60, PARTS[0].environment(tmp_path))
    assert ended.code == 1
    found = read_tests(setup, tmp_path)
    assert (found["passed"], found["failed"], found["skipped"]) == (1, 1, 1)
    assert found["failures"] == [{"test": "test_some.py::test_bad", "error": "AssertionError: a b"}]
    assert "test_compiled" in (tmp_path / "tests.jsonl").read_text().splitlines()[-1]


def test_a_graph_is_compared_with_called_steps(tmp_path) -> None:
    inputs, cpu = make("ce", torch.device("cpu"), tmp_path), torch.device("cpu")
    eager = measure(inputs, cpu, "eager", 2, 0.01)
    graph = measure(inputs, cpu, "graph", 2, 0.01, record)
    other = {**graph, "losses": [graph["losses"][0], 0.0]}
    row, wrong = compared("ce", dict(eager), dict(graph)), compared("ce", dict(eager), other)
    assert row["equal"] is True and row["steps"] == 2 and row["speedup"] > 0 and row["graph"]["engine"] == "graph"
    assert wrong["equal"] is False and wrong["differs_at"] == 2
    left = compared("ce", dict(eager), {**graph, "engine": "eager", "why_not": "it reads a value"})
    assert left["equal"] is None and "speedup" not in left
    assert compared("ce", {"failed": "no"}, graph)["equal"] is None


def test_a_rehearsal_of_a_part_runs(tmp_path) -> None:
    assert suite.main(["--rehearse", "--only", "graph against eager", "--work", str(tmp_path)]) == 0
    found = json.loads(next(tmp_path.glob("rehearsal-*.json")).read_text())
    rows = found["parts"]["graph against eager"]["figures"]["rows"]
    assert [row["method"] for row in rows] == ["ce", "nla"] and found["rehearsal"] is True
    assert all(row["eager"]["images_per_second"] > 0 and row["graph"]["why_not"] == "no CUDA device" for row in rows)
    assert str(tmp_path) not in json.dumps(found)


@pytest.mark.slow
def test_the_whole_rehearsal_runs(tmp_path) -> None:
    assert suite.main(["--rehearse", "--minutes", "30", "--work", str(tmp_path)]) == 0
    parts = json.loads(next(tmp_path.glob("rehearsal-*.json")).read_text())["parts"]
    assert [row["status"] for row in parts.values()] == ["done"] * 6 + ["left out"]
    assert parts["gpu tests"]["figures"]["passed"] == 2
    assert [row["equal"] for row in parts["repeatability"]["figures"]["rows"]] == [True] * 3
