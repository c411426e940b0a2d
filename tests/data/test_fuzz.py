"""500 damaged trees, archives and lists: each is a pack or one line that says why not, in time and in little memory."""

from __future__ import annotations

import os
import random
import re
import resource
import shutil
import signal
import zipfile
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import fakedata as fake
import moredata as more
import numpy as np
import pytest

from fer_bench.data.catalog import ask
from fer_bench.data.opening import open_dataset
from fer_bench.errors import UserError

CASES, SECONDS, BYTES = 500, 20, 2**30
LISTS = (".csv", ".txt", ".npy", ".lst")
MAKERS: list[tuple[str, Callable[[Path], Path]]] = [
    ("rafdb", fake.rafdb), ("rafdb", partial(fake.rafdb, two_lists=True)), ("rafdb", fake.rafdb_kaggle),
    ("ferplus7", fake.ferplus), ("ferplus8", partial(fake.ferplus_folders, label_files=True)),
    ("fer2013", fake.ferplus),
    ("affectnet8", fake.affectnet_tables), ("affectnet7", fake.affectnet_arrays), ("csv:", fake.csv_file),
    ("folder:", partial(fake.class_folders, classes=("happy", "sad", "10"))),
    ("csv:", more.csv_of_all), ("expw", more.expw), ("sfew", more.sfew),
]
NUMBER = re.compile(rb"(?<![\w.])\d+(?![\w.])")  # a cell or word of a list


def a_file(root: Path, rng: random.Random) -> Path:
    """A list as often as an image."""
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and not path.is_symlink()]
    lists = [path for path in files if path.suffix in LISTS]
    return rng.choice(lists if lists and rng.random() < 0.5 else files or [root])


def flip(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes() or b"x")
    for _ in range(rng.randint(1, 8)):
        content[rng.randrange(len(content))] = rng.randrange(256)
    path.write_bytes(bytes(content))


def swap(path: Path, rng: random.Random) -> None:
    """Replace one piece of a file by what does not belong there."""
    pieces = [b"9999999999999999", b"-1", b"\xff\xfe", b"\xef\xbb\xbf", b"\n\n", b";", b"\t", b'"', b"\x1b[31m",
              b"../../x", b"nan", b"", b"\x00", "é".encode("latin-1"), b"," * 50, b"A" * 200_000]
    content = path.read_bytes()
    at = rng.randrange(len(content) + 1)
    path.write_bytes(content[:at] + rng.choice(pieces) + content[at + rng.randint(0, 3):])


def odd_number(path: Path, rng: random.Random) -> None:
    """Write what is none, or a strange one, in place of a number: a box, a vote, a label."""
    content = path.read_bytes()
    odd = [b"inf", b"-inf", b"nan", b"1e300", b"-7", b"0", b"", b"9" * 11, b"9" * 5000, b"0.5", b"1_0", "²".encode()]
    if found := list(NUMBER.finditer(content)):
        start, end = rng.choice(found).span()
        path.write_bytes(content[:start] + rng.choice(odd) + content[end:])


def twin(path: Path) -> None:
    """The folder above once more, in another spelling."""
    shutil.copytree(path.parent, path.parent.with_name(path.parent.name.swapcase()), symlinks=True)


def replace(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


DAMAGES: dict[str, Callable[[Path, random.Random], object]] = {
    "flip": flip, "swap": swap, "cut": lambda p, rng: p.write_bytes(p.read_bytes()[: rng.randrange(200)]),
    "empty": lambda p, rng: p.write_bytes(b""), "gone": lambda p, rng: p.unlink(),
    "folder": lambda p, rng: replace(p, Path.mkdir), "pipe": lambda p, rng: replace(p, os.mkfifo),
    "link out": lambda p, rng: replace(p, lambda q: q.symlink_to("/etc/hostname")),
    "link nowhere": lambda p, rng: replace(p, lambda q: q.symlink_to("nowhere")),
    "loop": lambda p, rng: replace(p, lambda q: q.symlink_to(q.name)),
    "other case": lambda p, rng: p.rename(p.with_name(p.name.swapcase())),
    "odd name": lambda p, rng: p.rename(p.with_name(rng.choice(["bad\udcff.png", "a\nb.png", " ", "x" * 200]))),
    "twice": lambda p, rng: shutil.copy(p, p.with_name(f"copy {p.name}")),
    "text": lambda p, rng: p.write_text("<html>not here</html>"),
    "other image": lambda p, rng: fake.image(p, 1, rng.choice([(1, 1), (300, 2), (64, 64)]), rng.choice(["L", "RGB"])),
    "moved down": lambda p, rng: [p.with_name("deeper").mkdir(exist_ok=True), p.rename(p.parent / "deeper" / p.name)],
    "parent renamed": lambda p, rng: p.parent.rename(p.parent.with_name(rng.choice(["Train", "TEST", "valid"]))),
    "odd number": lambda p, rng: odd_number(p, rng) if p.suffix in LISTS else None,
    "two spellings": lambda p, rng: twin(p),
    "dead link": lambda p, rng: p.with_name(f"dead {p.name}").symlink_to("nowhere"),
    "loose": lambda p, rng: shutil.copy(p, p.parent.parent / p.name),
    "object": lambda p, rng: np.save(p.with_suffix(".npy"), np.array([{"a": 1}], object), allow_pickle=True),
}


def packed(root: Path, rng: random.Random) -> Path:
    """A .zip of a tree, damaged itself now and then."""
    path = root.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])) as made:
        for file in sorted(root.rglob("*")):
            if file.is_file() and file.name.isprintable():
                made.write(file, f"{rng.choice(['', 'a/', 'a/b/'])}{file.relative_to(root)}"
                           if rng.random() < 0.02 else str(file.relative_to(root)))
    if rng.random() < 0.5:
        flip(path, rng)
    return path


def spoiled(place: Path, rng: random.Random) -> tuple[str, Path | None, list[str]]:
    """A dataset's name and root, and what was done to it."""
    name, make = rng.choice(MAKERS)
    made = make(place / "data")
    root, done = place / "data", []
    for _ in range(rng.randint(1, 3)):
        damage = rng.choice(sorted(DAMAGES))
        done.append(damage)
        try:
            DAMAGES[damage](a_file(root, rng), rng)
        except OSError:  # what was to be damaged is gone, or a folder by now
            done.append("(could not)")
    if name == "csv:":
        return f"csv:{made}", None, done
    if rng.random() < 0.25 and name != "folder:":
        return name, packed(root, rng), [*done, "zip"]
    return (f"folder:{root}", None, done) if name == "folder:" else (name, root, done)


def most_memory() -> int:
    """The most bytes that this process has held at a time."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def too_slow(*_: object) -> None:
    raise TimeoutError


@pytest.mark.filterwarnings("ignore")
def test_damaged_data_end_in_a_pack_or_in_one_line(tmp_path: Path) -> None:
    ends, used = Counter[str](), most_memory() + 1
    before = signal.signal(signal.SIGALRM, too_slow)
    try:
        for case in range(CASES):
            place, rng = tmp_path / str(case), random.Random(case)
            name, root, done = spoiled(place, rng)
            signal.alarm(SECONDS)
            try:
                pack = open_dataset(ask(name, root), place / "cache")
                assert len(pack.train.images) == len(pack.train.ids) == len(pack.train.labels)
                ends["pack"] += 1
            except UserError as error:
                assert "\n" not in str(error) and str(error).isprintable(), (case, done)
                ends["line"] += 1
            except Exception as error:
                raise AssertionError(f"case {case}, {name}, {done}: {type(error).__name__}: {error}") from error
            finally:
                signal.alarm(0)
            left = [path.name for path in (place / "cache").glob("*.bad")] if (place / "cache").exists() else []
            assert not left, (case, done, left)
            shutil.rmtree(place, ignore_errors=True)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert ends["pack"] > 50 and ends["line"] > 100, ends
    assert most_memory() < max(used, BYTES)
