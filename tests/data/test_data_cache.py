"""The cache: hit, rebuild after a change, damage set aside, builders at once, the same data elsewhere."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import fakedata as fake
import numpy as np
import pytest
from oddimages import finished, killed, start_build

from fer_bench.data import building, images
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


def test_one_builds_and_the_others_wait(tmp_path: Path, root: Path) -> None:
    faces = fake.class_folders(tmp_path / "faces", ("a", "b"), count=10)
    first = start_build(faces, tmp_path / "cache", at=9, what="hold")
    assert first.stdout and first.stdout.readline() == "reached\n"
    second = start_build(faces, tmp_path / "cache")
    assert second.stderr
    said = second.stderr.readline()
    assert "another process is building" in said and "waiting" in said
    one, other = finished(first), finished(second)
    assert (one[0], other[0]) == (40, 0) and one[1] == other[1]
    assert "another process" not in other[2], "said once"
    assert len(packs(tmp_path / "cache")) == 1


def test_a_waiting_process_takes_over_from_one_that_dies(tmp_path: Path) -> None:
    faces = fake.class_folders(tmp_path / "faces", ("a", "b"), count=10)
    first = start_build(faces, tmp_path / "cache", at=25, what="hold")
    assert first.stdout and first.stdout.readline() == "reached\n"
    second = start_build(faces, tmp_path / "cache")
    assert second.stderr and "another process" in second.stderr.readline()
    first.kill()
    first.communicate()
    count, fingerprint, _ = finished(second)
    assert 0 < count < 40 and fingerprint == finished(start_build(faces, tmp_path / "other"))[1]


@pytest.mark.parametrize("at", [1, 6, 23, 40])
def test_a_killed_build_goes_on_where_it_stopped(tmp_path: Path, at: int) -> None:
    faces = fake.class_folders(tmp_path / "faces", ("a", "b"), count=10)
    killed(start_build(faces, tmp_path / "cache", at, "kill"))
    (half,) = packs(tmp_path / "cache")
    assert half.startswith(".folder-faces-") and half.endswith(".building")
    count, fingerprint, _ = finished(start_build(faces, tmp_path / "cache"))
    whole, expected, _ = finished(start_build(faces, tmp_path / "other"))
    assert fingerprint == expected and whole == 40
    assert count <= 40 - (at - 1 - 2 * 2 * 4), "all but the few blocks that were under way"
    assert count < 40 or at < 20
    assert packs(tmp_path / "cache") == packs(tmp_path / "other"), "nothing but the pack is left"
    (name,) = packs(tmp_path / "cache")
    for file in ("images.npy", "samples.npz"):
        assert (tmp_path / "cache" / name / file).read_bytes() == (tmp_path / "other" / name / file).read_bytes()


def test_a_build_does_not_go_on_with_other_images(tmp_path: Path) -> None:
    faces = fake.class_folders(tmp_path / "faces", ("a", "b"), count=10)
    killed(start_build(faces, tmp_path / "cache", 30, "kill"))
    noted = next((tmp_path / "cache").glob(".*.building/images.json"))
    noted.write_text(noted.read_text().replace('"faces": "', '"faces": "0'))
    count, fingerprint, _ = finished(start_build(faces, tmp_path / "cache"))
    assert count == 40 and fingerprint == finished(start_build(faces, tmp_path / "other"))[1]


def test_images_that_fail_are_not_forgotten_by_a_build_that_goes_on(tmp_path: Path) -> None:
    faces = fake.class_folders(tmp_path / "faces", ("a", "b"), count=10)
    broken = faces / "test/a/0.png"  # its header is whole
    whole = broken.read_bytes()
    broken.write_bytes(whole[:60])
    killed(start_build(faces, tmp_path / "cache", 38, "kill"))
    process = start_build(faces, tmp_path / "cache")
    assert "test/a/0.png" in process.communicate()[1] and process.returncode == 1
    broken.write_bytes(whole)
    assert finished(start_build(faces, tmp_path / "cache"))[1] == finished(start_build(faces, tmp_path / "other"))[1]


def test_file_systems_without_locks(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(building.fcntl, "flock", flock)
    without = open_dataset(ask("rafdb", root), tmp_path / "cache")
    assert len(packs(tmp_path / "cache")) == 1
    monkeypatch.undo()
    assert open_dataset(ask("rafdb", root), tmp_path / "other").fingerprint == without.fingerprint


def test_an_interrupted_build_stays_and_one_that_fails_does_not(tmp_path: Path, root: Path,
                                                                monkeypatch: pytest.MonkeyPatch) -> None:
    for error, left in ((KeyboardInterrupt, 1), (MemoryError, 0)):
        with monkeypatch.context() as patch, pytest.raises(error):
            patch.setattr(images, "load", lambda *args, error=error: (_ for _ in ()).throw(error))
            open_dataset(ask("rafdb", root), tmp_path / error.__name__)
        assert len(packs(tmp_path / error.__name__)) == left


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


def test_what_killed_builders_of_other_packs_left_is_swept_after_a_day(tmp_path: Path, root: Path) -> None:
    cache = tmp_path / "cache"
    names = [".raf-0123456789ab.building", ".raf-0123456789ab.x_1", ".cache.of-somebody-else", "raf-0123456789ab"]
    for name in names:
        (cache / name).mkdir(parents=True)
        os.utime(cache / name, (1, 1))
    open_dataset(ask("rafdb", root), cache)
    assert set(names) & set(packs(cache)) == set(names[2:])


def test_opening_a_pack_notes_when(tmp_path: Path, root: Path) -> None:
    open_dataset(ask("rafdb", root), tmp_path / "cache")
    (name,) = packs(tmp_path / "cache")
    os.utime(tmp_path / "cache" / name / "pack.json", (1, 1))
    open_dataset(ask("rafdb", root), tmp_path / "cache")
    assert (tmp_path / "cache" / name / "pack.json").stat().st_mtime > 1


def test_progress_says_count_rate_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.5, 2.0, 2.1])
    monkeypatch.setattr(images.time, "monotonic", lambda: next(clock))
    said: list[str] = []
    meter = Meter(4000, "decoded", "images", said.append)
    for _ in range(3):
        meter.step(1000)
    assert said == ["decoded 2,000 of 4,000 images, 1,000/s, 2 s left"]


def test_progress_of_a_build_that_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 2.0])
    monkeypatch.setattr(images.time, "monotonic", lambda: next(clock))
    said: list[str] = []
    Meter(4000, "decoded", "images", said.append, 2000).step(1000)
    assert said == ["decoded 3,000 of 4,000 images, 500/s, 2 s left"]
