"""Datasets of --plugin: listed and read beside the suite's own; a file that is wrong is one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import fakedata as fake
import pytest
from tinyfolder import CHECKOUT

from fer_bench.cli import main

GOOD = '''
from fer_bench.data.adapter import Found, Options, Rows, Source, dataset
NAMES = ["a", "b"]
@dataset("mine", title="my faces", classes=NAMES, layouts={"folders": ["one", "two"]}, test_set=False,
         options={"colour": ["yes", "no"]})
def read(root, options):
    images = [f"{folder}/{name}" for folder in ("one", "two") for name in root.files(folder)]
    return Found({"train": Rows(images, [int(name.startswith("two")) for name in images], images)},
                 [f"colour: {options['colour']}"])
'''


@pytest.fixture
def call(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """call(words): (exit status, stdout, stderr) of the command line in an empty folder."""
    for seed, name in enumerate(["one/1.png", "one/2.png", "two/1.png", "two/2.png"]):
        fake.image(tmp_path / "faces" / name, seed)

    def run(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main([*words])
        shown = capsys.readouterr()
        return int(end.value.code or 0), shown.out, shown.err
    return run


def plugin(folder: Path, text: str) -> str:
    file = folder / "mine.py"
    file.write_text(text)
    return str(file)


def check(folder: Path, name: str = "mine", *words: str) -> tuple[str, ...]:
    return ("data", "check", "--dataset", name, "--data-root", str(folder / "faces"), "--cache", str(folder / "cache"),
            "--plugin", str(folder / "mine.py"), *words)


def test_a_plugin_is_listed_and_read(tmp_path: Path, call) -> None:
    file = plugin(tmp_path, GOOD)
    status, out, _ = call("list", "datasets", "--plugin", file)
    assert status == 0 and "my faces" in out and "colour=yes, no" in out and "by --folds" in out
    status, out, _ = call(*check(tmp_path, "mine", "--data-option", "colour=no"))
    assert status == 0 and "mine colour=no: 4 images" in out and "note: colour: no" in out


def test_a_changed_plugin_is_read_anew(tmp_path: Path, call) -> None:
    plugin(tmp_path, GOOD)
    call(*check(tmp_path))
    plugin(tmp_path, GOOD.replace("colour: {", "in colour: {"))
    words = [sys.executable, str(CHECKOUT / "run_bench.py"), *check(tmp_path)]
    assert "note: in colour: yes" in subprocess.run(words, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(("old", "new", "parts"), [
    ("NAMES = ", "raise ValueError('no\\ngood')\nNAMES = ", ("mine.py", "cannot be imported", "ValueError: no good")),
    ("from fer", "import no_such_module\nfrom fer", ("mine.py", "cannot be imported", "no_such_module")),
    ('["a", "b"]', 'list("ab")', ("mine.py", "'classes' must be a literal")),
    ('title="my faces"', 'titel="my faces"', ("mine.py", "@dataset of read", "titel")),
    ('"mine", title', '"rafdb", title', ("mine.py", "'rafdb' is there already", "another name")),
    ("def read(root, options):", "def read(root, options:", ("mine.py", "not a readable Python file")),
])
def test_a_wrong_plugin_is_one_line(tmp_path: Path, call, old: str, new: str, parts: tuple[str, ...]) -> None:
    assert old in GOOD
    plugin(tmp_path, GOOD.replace(old, new, 1))
    status, out, err = call(*check(tmp_path))
    assert status == 2 and not out and len(err.strip().splitlines()) == 1
    assert all(part in err for part in parts), err


def test_a_plugin_that_cannot_be_read_is_refused_by_the_list(tmp_path: Path, call) -> None:
    status, out, err = call("list", "datasets", "--plugin", plugin(tmp_path, GOOD.replace('["a", "b"]', 'list("ab")')))
    assert status == 2 and not out and "must be a literal" in err


def test_a_read_that_fails_is_one_line(tmp_path: Path, call) -> None:
    plugin(tmp_path, GOOD.replace("    return Found", "    images[99]\n    return Found"))
    status, _, err = call(*check(tmp_path))
    assert status == 2 and "read of dataset 'mine' failed (IndexError" in err and len(err.strip().splitlines()) == 1
