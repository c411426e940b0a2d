"""What lies where faces should: pipes, links, archives of every kind, names in other cases, files that are no faces."""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from pathlib import Path

import fakedata as fake
import pytest

from fer_bench.data import archive, images, lists, opening
from fer_bench.data.archive import Source
from fer_bench.data.catalog import ask
from fer_bench.data.opening import open_dataset
from fer_bench.errors import UserError


@pytest.fixture
def refuse(tmp_path: Path):
    """refuse(name, root): the one line of the UserError; the cache must hold nothing of it."""
    def call(name: str, root: Path | None = None) -> str:
        with pytest.raises(UserError) as error:
            open_dataset(ask(name, root), tmp_path / "cache")
        assert "\n" not in str(error.value) and str(error.value).isprintable()
        return str(error.value)
    return call


@pytest.fixture
def read(tmp_path: Path):
    return lambda name, root=None, options=None: open_dataset(ask(name, root, options), tmp_path / "good")


def test_a_pipe_where_a_face_or_a_list_should_be_does_not_hang(tmp_path: Path, refuse) -> None:
    root = fake.rafdb(tmp_path / "raf")
    face = root / "Image/aligned/train_00001_aligned.jpg"
    face.unlink()
    os.mkfifo(face)
    assert "no regular file" in refuse("rafdb", root)
    root = fake.rafdb(tmp_path / "other")
    (root / "EmoLabel/list_patition_label.txt").unlink()
    os.mkfifo(root / "EmoLabel/list_patition_label.txt")
    assert "no regular file" in refuse("rafdb", root)
    os.mkfifo(tmp_path / "pipe.zip")
    assert "not a readable .zip" in refuse("rafdb", tmp_path / "pipe.zip")
    faces = fake.class_folders(tmp_path / "faces", ("a", "b"))
    os.mkfifo(faces / "train/a/pipe.png")
    assert len(open_dataset(ask(f"folder:{faces}"), tmp_path / "c").train) == 4, "it is no file, so it is not listed"


def test_links_may_lead_around_inside_but_not_out(tmp_path: Path, refuse, read) -> None:
    root = fake.rafdb(tmp_path / "raf")
    plain = read("rafdb", root)
    face = root / "Image/aligned/train_00001_aligned.jpg"
    shutil.move(face, root / "elsewhere.jpg")
    face.symlink_to(root / "elsewhere.jpg")
    (tmp_path / "link").symlink_to(root)
    assert read("rafdb", tmp_path / "link").fingerprint == plain.fingerprint
    shutil.move(root / "elsewhere.jpg", tmp_path / "outside.jpg")
    face.unlink()
    face.symlink_to(tmp_path / "outside.jpg")
    assert "outside the dataset" in refuse("rafdb", root)
    mine = fake.csv_file(tmp_path / "mine")
    for path in ("../outside.jpg", str(tmp_path / "outside.jpg")):
        mine.write_text(mine.read_text().replace("faces/0.png", path, 1))
        assert "outside the dataset" in refuse(f"csv:{mine}")
        mine.write_text(mine.read_text().replace(path, "faces/0.png", 1))


def flagged(path: Path, offset: int, value: int) -> None:
    """Change a field of every member's header: flags lie 6 bytes behind PK34 and 8 behind PK12, methods 8 and 10."""
    content = bytearray(path.read_bytes())
    for signature, behind in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(signature)
        while at >= 0:
            content[at + behind + offset] = value
            at = content.find(signature, at + 4)
    path.write_bytes(bytes(content))


def test_archives_that_cannot_be_unpacked(tmp_path: Path, refuse) -> None:
    root = fake.rafdb(tmp_path / "raf")
    encrypted = fake.zipped(root)
    flagged(encrypted, 0, 1)
    assert "encrypted, expected a plain .zip" in refuse("rafdb", encrypted)
    strange = fake.zipped(root)
    flagged(strange, 2, 97)
    assert "packed by method 97" in refuse("rafdb", strange)


def test_what_is_unpacked_is_bounded_before_it_is(tmp_path: Path) -> None:
    root = fake.rafdb(tmp_path / "raf")
    (root / "EmoLabel/list_patition_label.txt").write_bytes(b" " * 5_000_000)
    packed = tmp_path / "raf.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made:
        for file in sorted(root.rglob("*")):
            if file.is_file():
                made.write(file, str(file.relative_to(root)))
    assert packed.stat().st_size < 100_000
    source = Source(packed)
    with pytest.raises(UserError, match="5,000,000 bytes, expected 1,048,576 at most"):
        source.read("EmoLabel/list_patition_label.txt", 2**20)
    with pytest.raises(UserError, match="expected 10 at most"):
        Source(fake.csv_file(tmp_path / "mine").parent).open("faces.csv", 10)


@pytest.mark.parametrize(("bound", "most", "said"), [
    ("MOST_LINES", 5, ":6: a line too many, expected at most 5 lines"),
    ("MOST_CHARACTERS", 15, ":1: the line is too long"), ("MOST_LIST", 100, "bytes, expected 100 at most"),
    ("MOST_TABLE", 100, "bytes, expected 100 at most"), ("MOST_CELLS", 2, ":1: 3 values, expected 2 at most")])
def test_lists_and_tables_are_bounded(tmp_path: Path, refuse, monkeypatch: pytest.MonkeyPatch, bound: str, most: int,
                                      said: str) -> None:
    monkeypatch.setattr(lists, bound, most)
    made = fake.rafdb(tmp_path / "raf")
    for root in (made, fake.zipped(made)):
        if bound not in ("MOST_TABLE", "MOST_CELLS"):
            assert said in (line := refuse("rafdb", root)) and "list_patition_label.txt" in line
    if bound != "MOST_LIST":
        assert said in refuse(f"csv:{fake.csv_file(tmp_path / 'mine')}")


def test_a_wrong_folder_is_found_out_before_all_images_are_looked_for(tmp_path: Path, refuse,
                                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "ENOUGH", 10)
    monkeypatch.setattr(images, "BLOCK", 4)
    table = tmp_path / "t.csv"
    fake.write(table, ["path,label,split", *(f"{i}.png,{'ab'[i % 2]},train" for i in range(100))])
    line = refuse(f"csv:{table}")
    assert (found := re.search(r"at least (\d+) of 100 images are listed but not there", line)) and int(found[1]) < 100


def test_what_would_take_all_memory_is_refused(tmp_path: Path, refuse, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [f"{i}.png,{i},train" for i in range(300)]
    table = fake.write(tmp_path / "t.csv", ["path,label,split", *rows])
    assert "300 classes, such as" in refuse(f"csv:{table}")
    fake.write(table, ["path,label,split", f"0.png,{'9' * 5000},train", "1.png,1,train"])
    assert "2 classes, such as '999" in refuse(f"csv:{table}")
    fake.write(table, ["path,label,split"])
    assert "0 class" in refuse(f"csv:{table}")
    monkeypatch.setattr(opening, "MOST_NAMES", 40)
    fake.write(table, ["path,label,split", "0.png,1,train", f"{'x' * 30}.png,2,train"])
    assert "a name in train has 34 characters" in refuse(f"csv:{table}")


@pytest.mark.parametrize("large", [False, True])
def test_an_archive_of_too_many_members(tmp_path: Path, refuse, monkeypatch: pytest.MonkeyPatch, large: bool) -> None:
    if large:
        monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 3)
    packed = fake.zipped(fake.rafdb(tmp_path / "raf"))
    assert (b"PK\6\6" in packed.read_bytes()) == large
    monkeypatch.setattr(archive, "MOST_DIRECTORY", 2**10)
    assert "list of members has" in (line := refuse("rafdb", packed)) and "expected 1,024 at most; unpack it" in line
    size = sum(46 + len(info.filename) + len(info.extra) for info in zipfile.ZipFile(packed).infolist())
    assert f"{size:,} bytes" in line


def test_a_header_that_lies_about_its_size(tmp_path: Path) -> None:
    packed = tmp_path / "x.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("list.txt", b"x" * 3_000_000)
    source = Source(packed)
    assert source._zip is not None
    source._zip.getinfo("list.txt").file_size = 10
    with pytest.raises(zipfile.BadZipFile):  # zipfile reads no more than that, and sees that it is not all
        source.read("list.txt", 100)


def test_names_are_found_in_any_case(tmp_path: Path, read) -> None:
    plain = read("rafdb", fake.rafdb_kaggle(tmp_path / "one"))
    root = fake.rafdb_kaggle(tmp_path / "two")
    (root / "DATASET/train").rename(root / "DATASET/Train")
    (root / "DATASET/test").rename(root / "DATASET/TEST")
    assert read("rafdb", root).fingerprint == plain.fingerprint
    assert read("rafdb", fake.zipped(root, "outer/inner/")).fingerprint == plain.fingerprint
    (root / "DATASET/tRAIN").mkdir()
    with pytest.raises(UserError):
        read("rafdb", root)


def test_a_name_twice_in_an_archive_is_said(tmp_path: Path, read) -> None:
    root = fake.class_folders(tmp_path / "faces", ("a", "b"))
    packed = fake.zipped(root)
    with pytest.warns(UserWarning), zipfile.ZipFile(packed, "a") as made:
        made.write(root / "train/b/0.png", "train/a/0.png")
    notes = read(f"folder:{packed}").notes
    assert "1 names are twice in the .zip, the last counts: train/a/0.png" in notes


def test_what_is_not_read_is_counted_and_named(tmp_path: Path, read, refuse) -> None:
    root = fake.class_folders(tmp_path / "faces", ("a", "b"))
    fake.image(root / "train/a/nested/5.png", 9)
    shutil.copy(root / "train/b/0.png", root / "train/b/0.face")
    shutil.copy(root / "train/b/0.png", root / "train/b/1.JFIF")
    (root / "train/b/Thumbs.db").write_bytes(b"x")
    pack = read(f"folder:{root}")
    assert "1 images were not read, in folders of no class or split: train/a/nested (1)" in pack.notes
    assert "1 files among the faces are no images by their names and were not read: train/b/0.face" in pack.notes
    assert "train/b/1.JFIF" in pack.train.ids
    for name in ("val", "valid"):
        shutil.copytree(root / "test", root / name)
    assert "valid and val are both there" in refuse(f"folder:{root}")


@pytest.mark.parametrize("name", ["bad\udcff.png", "bad\x1b[31m.png"])
def test_names_that_no_list_could_hold(tmp_path: Path, refuse, name: str) -> None:
    root = fake.class_folders(tmp_path / "faces", ("a", "b"))
    shutil.copy(root / "train/b/0.png", os.fsencode(root / "train/b") + b"/" + os.fsencode(name))
    assert "rename it" in refuse(f"folder:{root}")


def test_an_archive_that_was_not_unpacked_is_named(tmp_path: Path, refuse) -> None:
    root = fake.rafdb(tmp_path / "raf")
    shutil.make_archive(str(root / "Image/aligned"), "zip", root / "Image", "aligned")
    shutil.rmtree(root / "Image/aligned")
    line = refuse("rafdb", root)
    assert "Image/aligned.zip" in line and "unpack" in line


def test_the_nearest_layout_says_what_it_lacks(tmp_path: Path, refuse) -> None:
    root = fake.rafdb(tmp_path / "raf")
    shutil.rmtree(root / "Image")
    assert "list_patition_label.txt is there, Image/aligned or aligned is not" in refuse("rafdb", root)
