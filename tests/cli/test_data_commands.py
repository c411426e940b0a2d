"""`data list` and `data remove`: what lies in the cache, whole or not, and what goes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import fakedata as fake
import pytest
from oddimages import finished, killed, start_build
from tinyfolder import CHECKOUT, call, refused

from fer_bench.data.catalog import ask
from fer_bench.data.check import check
from fer_bench.data.check_text import report
from fer_bench.data.opening import open_dataset
from fer_bench.data.pack import fingerprint
from fer_bench.errors import UserError


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache of three packs: RAF-DB, used last; the same in 16 pixels; faces of one's own, used first."""
    cache, raf = tmp_path / "cache", fake.rafdb(tmp_path / "raf")
    mine = fake.class_folders(tmp_path / "mine", ("a", "b"))
    made = [("rafdb", raf, None), ("rafdb", raf, 16), (f"folder:{mine}", None, None)]
    for age, (name, root, size) in enumerate(made):
        before = set(folders(cache))
        open_dataset(ask(name, root), cache, size=size)
        (new,) = set(folders(cache)) - before
        used(cache / new, 2e9 - age)
    return cache


def used(pack: Path, when: float) -> None:
    """Have a pack used at a time."""
    os.utime(pack / "pack.json", (when, when))


def folders(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir()) if cache.is_dir() else []


def pack(cache: Path, start: str, size: int | None = None) -> Path:
    """The pack of a name that was made with --pack-size."""
    sizes = {path: json.loads((path / "pack.json").read_text())["size"] for path in cache.glob(f"{start}-*")}
    (found,) = [path for path in sizes if sizes[path] == size]
    return found


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert call("data", *words) == 0
    return capsys.readouterr().out


def test_list_says_what_there_is(cache: Path, tmp_path: Path, capsys) -> None:
    lines = said(capsys, "list", "--cache", str(cache)).splitlines()
    rows = [line.split() for line in lines if line.strip().startswith(("rafdb-", "folder-"))]
    assert [row[0] for row in rows] == [pack(cache, "rafdb").name, pack(cache, "rafdb", 16).name,
                                        pack(cache, "folder").name], "used last first"
    assert [row[1:4] for row in rows] == [["21", "10x10", "RGB"], ["21", "16x16", "RGB"], ["8", "10x10", "RGB"]]
    assert [row[-1] for row in rows] == [str(tmp_path / "raf")] * 2 + [str(tmp_path / "mine")]
    assert lines[-1].startswith(f"3 in {cache}, 0.0 MB")


def test_list_of_nothing(tmp_path: Path, capsys) -> None:
    assert said(capsys, "list", "--cache", str(tmp_path / "none")) == f"0 in {tmp_path}/none, 0.0 MB\n"
    assert not (tmp_path / "none").exists()


def test_list_is_plain_when_piped(cache: Path) -> None:
    done = subprocess.run([sys.executable, "run_bench.py", "data", "list", "--cache", str(cache)], cwd=CHECKOUT,
                          capture_output=True, text=True)
    assert done.returncode == 0 and "\x1b" not in done.stdout and "rafdb-" in done.stdout


def test_damaged_and_half_built_ones_are_told_and_removed_by_name(cache: Path, tmp_path: Path, capsys) -> None:
    damaged = pack(cache, "rafdb", 16)
    (damaged / "images.npy").write_bytes(b"")
    shutil.copytree(damaged, damaged.with_name(damaged.name + ".bad"))
    faces = fake.class_folders(tmp_path / "half", ("a", "b"), count=10)
    killed(start_build(faces, cache, 30, "kill"))
    out = said(capsys, "list", "--cache", str(cache))
    assert "damaged: " in out and "damaged, set aside" in out and "of 40 images decoded" in out and "half-built" in out
    out = said(capsys, "remove", damaged.name, "folder-half", "--cache", str(cache))
    assert out.count("removed") == 3
    assert folders(cache) == [pack(cache, "folder").name, pack(cache, "rafdb").name]


def test_remove_by_dataset_and_by_key(cache: Path, capsys) -> None:
    mine, key = pack(cache, "folder"), pack(cache, "rafdb", 16).name.split("-")[1]
    freed = sum(file.stat().st_size for file in pack(cache, "rafdb", 16).iterdir()) / 1e6
    assert f"freed {freed:,.1f} MB" in said(capsys, "remove", key[:6], "--cache", str(cache))
    assert len(folders(cache)) == 2
    said(capsys, "remove", "rafdb", "--cache", str(cache))
    assert folders(cache) == [mine.name]
    said(capsys, "remove", "--all", "--cache", str(cache))
    assert not folders(cache)


def test_whoever_has_opened_a_pack_keeps_it_and_who_opens_it_later_builds_it_anew(tmp_path: Path, capsys) -> None:
    cache, root = tmp_path / "cache", fake.rafdb(tmp_path / "raf")
    opened = open_dataset(ask("rafdb", root), cache)
    said(capsys, "remove", "rafdb", "--cache", str(cache))
    assert not folders(cache)
    assert fingerprint(opened.classes, opened.splits) == opened.fingerprint, "every pixel is read, and from the disk"
    assert "cached in" not in report(check(opened))
    again = open_dataset(ask("rafdb", root), cache)
    assert folders(cache) and again.fingerprint == opened.fingerprint
    shutil.rmtree(root)
    said(capsys, "remove", "--all", "--cache", str(cache))
    assert fingerprint(again.classes, again.splits) == again.fingerprint
    with pytest.raises(UserError, match="no such folder"):
        open_dataset(ask("rafdb", root), cache)


@pytest.mark.parametrize(("words", "parts"), [
    (["rafbd"], ("unknown pack 'rafbd'", "did you mean rafdb")),
    (["rafdb", "mine"], ("unknown pack 'mine'",)),
    ([], ("--all", "--keep")),
    (["rafdb", "--all"], ("one of the three",)),
    (["--all", "--keep", "1"], ("one of the three",)),
    (["--keep", "-1"], ("--keep -1", "GB")),
    (["--keep", "nan"], ("--keep nan", "GB")),
])
def test_remove_refuses(cache: Path, capsys, words: list[str], parts: tuple[str, ...]) -> None:
    before = folders(cache)
    message = refused(capsys, "data", "remove", *words, "--cache", str(cache))
    assert all(part in message for part in parts), message
    assert folders(cache) == before


def test_keys_that_begin_alike(cache: Path, capsys) -> None:
    for name in ("rafdb-0123456789ab", "rafdb-0123456789cd"):
        shutil.copytree(pack(cache, "folder"), cache / name)
    assert "2 packs' keys" in refused(capsys, "data", "remove", "012345", "--cache", str(cache))


def test_keep_removes_the_longest_unused(cache: Path, capsys) -> None:
    last, small, mine = pack(cache, "rafdb"), pack(cache, "rafdb", 16), pack(cache, "folder")
    size = {path: sum(file.stat().st_size for file in path.iterdir()) for path in (last, small, mine)}
    shutil.copytree(last, cache / "x-0123456789ab.bad")
    for most, stay in ((sum(size.values()), [last, small, mine]), (sum(size.values()) - 1, [last, small]),
                       (size[last] + size[small], [last, small])):
        said(capsys, "remove", "--keep", f"{most / 1e9:.9f}", "--cache", str(cache))
        assert folders(cache) == sorted(path.name for path in stay), "what is no pack goes first, then by use"
    used(small, 2e9 + 1)
    said(capsys, "remove", "--keep", f"{(size[last] + size[small] - 1) / 1e9:.9f}", "--cache", str(cache))
    assert folders(cache) == [small.name]
    said(capsys, "remove", "--keep", "0", "--cache", str(cache))
    assert not folders(cache)


def test_what_is_being_built_stays(tmp_path: Path, capsys) -> None:
    cache = tmp_path / "cache"
    faces = fake.class_folders(tmp_path / "faces", ("a", "b"), count=10)
    process = start_build(faces, cache, 20, "hold")
    assert process.stdout and process.stdout.readline() == "reached\n"
    assert "being built" in said(capsys, "list", "--cache", str(cache))
    for words in (["--all"], ["folder-faces"], ["--keep", "0"]):
        said(capsys, "remove", *words, "--cache", str(cache))
        assert len(folders(cache)) == 1
    assert finished(process)[0] == 40, "and it ends as if nothing had been"


def test_folders_that_are_no_packs_are_left_alone(cache: Path, capsys) -> None:
    fake.write(cache / "notes-0123456789ab/thesis.tex", ["x"])
    fake.write(cache / "weights/dlib-face.safetensors", ["x"])
    (cache / "scores-rafdb-0123456789ab-x.npz").write_bytes(b"x")
    kept = ["notes-0123456789ab", "scores-rafdb-0123456789ab-x.npz", "weights"]
    assert "notes" not in said(capsys, "list", "--cache", str(cache))
    said(capsys, "remove", "--all", "--cache", str(cache))
    assert folders(cache) == kept


def test_paths_do_not_reach_the_terminal_as_they_are(tmp_path: Path, capsys) -> None:
    faces = fake.class_folders(tmp_path / "a\x1b[31m[red]\udcff", ("a", "b"))
    open_dataset(ask(f"folder:{faces}"), tmp_path / "cache")
    out = said(capsys, "list", "--cache", str(tmp_path / "cache"))
    assert "\x1b" not in out and "[red]" in out.replace("\n", "") and "\\udcff" in out
