"""The cache: hit, rebuild after a change, damage set aside, builders at once, the same data elsewhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import fakedata as fake
import numpy as np
import pytest

from fer_bench.data import images
from fer_bench.data.catalog import ask
from fer_bench.data.images import Meter
from fer_bench.data.opening import open_dataset
from fer_bench.data.pack import Split, fingerprint, make_pack, write_pack


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return fake.rafdb(tmp_path / "raf")


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with every build."""
    calls: list[int] = []
    load = images.load
    monkeypatch.setattr(images, "load", lambda *args: (calls.append(1), load(*args))[1])
    return calls


def packs(cache: Path) -> list[str]:
    return sorted(entry.name for entry in cache.iterdir())


def test_second_call_opens_the_first_ones_pack(tmp_path: Path, root: Path, builds: list[int]) -> None:
    first = open_dataset(ask("rafdb", root), tmp_path / "cache")
    second = open_dataset(ask("rafdb", root), tmp_path / "cache")
    assert len(builds) == 1 and first.fingerprint == second.fingerprint
    assert second.train.ids == first.train.ids and second.notes == first.notes
    assert fingerprint(second.classes, second.splits) == second.fingerprint
    (name,) = packs(tmp_path / "cache")
    assert name.startswith("rafdb-") and len(name) == len("rafdb-") + 12
    open_dataset(ask("rafdb", root), tmp_path / "cache", size=16)
    assert len(builds) == 2 and len(packs(tmp_path / "cache")) == 2


def test_changes_of_the_source_are_seen(tmp_path: Path, root: Path, builds: list[int]) -> None:
    first = open_dataset(ask("rafdb", root), tmp_path / "cache")
    file = root / "EmoLabel/list_patition_label.txt"
    file.write_text(file.read_text().replace("train_00001.jpg 1", "train_00001.jpg 2"))
    os.utime(file, ns=(1, 1))
    assert open_dataset(ask("rafdb", root), tmp_path / "cache").fingerprint != first.fingerprint
    os.utime(root / "Image/aligned", ns=(1, 1))  # as when an image is added
    open_dataset(ask("rafdb", root), tmp_path / "cache")
    assert len(builds) == 3


def test_fingerprint_does_not_depend_on_the_place(tmp_path: Path, root: Path) -> None:
    one = open_dataset(ask("rafdb", root), tmp_path / "cache")
    other = open_dataset(ask("rafdb", fake.rafdb(tmp_path / "elsewhere")), tmp_path / "other cache")
    assert one.fingerprint == other.fingerprint


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


@pytest.mark.parametrize("damage", [
    lambda pack: truncate(pack / "images.npy"),
    lambda pack: (pack / "images.npy").write_bytes((pack / "images.npy").read_bytes() + b"x"),
    lambda pack: (pack / "images.npy").write_bytes(b""),
    lambda pack: (pack / "images.npy").unlink(),
    lambda pack: truncate(pack / "samples.npz"),
    lambda pack: (pack / "samples.npz").unlink(),
    lambda pack: (pack / "pack.json").write_text('{"name": '),
    lambda pack: (pack / "pack.json").write_text("[]"),
    lambda pack: (pack / "pack.json").write_text("{}"),
    lambda pack: (pack / "pack.json").unlink(),
    lambda pack: np.save(pack / "images.npy", np.zeros((3, 10, 10, 3), np.uint8)),
])
def test_damaged_pack_is_rebuilt(tmp_path: Path, root: Path, damage: Callable[[Path], None]) -> None:
    first = open_dataset(ask("rafdb", root), tmp_path / "cache")
    expected = first.fingerprint
    (name,) = packs(tmp_path / "cache")
    damage(tmp_path / "cache" / name)
    said: list[str] = []
    again = open_dataset(ask("rafdb", root), tmp_path / "cache", progress=said.append)
    assert fingerprint(again.classes, again.splits) == expected
    assert packs(tmp_path / "cache") == [name, f"{name}.bad"]
    assert "is damaged" in said[0] and name in said[0]


def test_builders_at_the_same_time(tmp_path: Path, root: Path) -> None:
    code = ("import sys; from pathlib import Path; from fer_bench.data.catalog import ask; "
            "from fer_bench.data.opening import open_dataset; "
            "print(open_dataset(ask('rafdb', Path(sys.argv[1])), Path(sys.argv[2])).fingerprint)")
    command = [sys.executable, "-c", code, str(root), str(tmp_path / "cache")]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    found = {worker.communicate()[0].strip() for worker in workers}
    assert len(found) == 1 and all(worker.returncode == 0 for worker in workers)
    assert len(packs(tmp_path / "cache")) == 1


def test_a_pack_that_appeared_meanwhile_stays(tmp_path: Path) -> None:
    split = Split(np.zeros((2, 4, 4), np.uint8), np.zeros(2, np.int64), ("a", "b"))
    pack = make_pack("faces", ("x",), {"train": split, "test": split})
    write_pack(pack, tmp_path / "faces", {"who": "first"})
    write_pack(pack, tmp_path / "faces", {"who": "second"})
    assert json.loads((tmp_path / "faces/pack.json").read_text())["who"] == "first"
    assert packs(tmp_path) == ["faces"]


def test_leftovers_of_killed_builders_are_swept(tmp_path: Path, root: Path) -> None:
    open_dataset(ask("rafdb", root), tmp_path / "cache")
    (name,) = packs(tmp_path / "cache")
    for age, left in ((1, "old"), (None, "new")):
        (tmp_path / f"cache/.{name}.{left}").mkdir()
        if age is not None:
            os.utime(tmp_path / f"cache/.{name}.{left}", (age, age))
    (tmp_path / "cache" / name / "pack.json").unlink()
    open_dataset(ask("rafdb", root), tmp_path / "cache")
    assert packs(tmp_path / "cache") == [f".{name}.new", name, f"{name}.bad"]


def test_progress_says_count_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.5, 2.0, 2.1])
    monkeypatch.setattr(images.time, "monotonic", lambda: next(clock))
    said: list[str] = []
    meter = Meter(4000, "decoded", "images", said.append)
    for _ in range(3):
        meter.step(1000)
    assert said == ["decoded 2,000 of 4,000 images, 1,000/s, 2 s left"]
