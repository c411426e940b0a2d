"""Bad input is one line that names the thing, what was found, what was expected and the mend."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import fakedata as fake
import numpy as np
import pytest

from fer_bench.data.catalog import ask
from fer_bench.data.folds import whole_pack
from fer_bench.data.opening import open_dataset
from fer_bench.errors import UserError


@pytest.fixture
def refuse(tmp_path: Path) -> Callable[..., str]:
    """refuse(name, root): the message; also checks that it is one line and that nothing is left behind."""
    def call(name: str, root: Path | None = None, **more) -> str:
        with pytest.raises(UserError) as error:
            open_dataset(ask(name, root), tmp_path / "cache", **more)
        message = str(error.value)
        assert "\n" not in message and len(message) > 20
        left = list((tmp_path / "cache").iterdir()) if (tmp_path / "cache").exists() else []
        assert not left, f"left behind: {left}"
        return message
    return call


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def expect(message: str, *parts: str) -> None:
    assert all(part in message for part in parts), message


def test_names(refuse) -> None:
    expect(refuse("rafbd"), "rafbd", "did you mean rafdb")
    expect(refuse("folders:/x"), "folders:/x", "folder:PATH")
    expect(refuse("folder:PATH"), "your own path")
    expect(refuse("rafdb"), "rafdb", "--data-root")
    expect(refuse("synthetic", size=2), "size 2", "at least 8")


def test_roots(tmp_path: Path, refuse) -> None:
    expect(refuse("rafdb", tmp_path / "none"), str(tmp_path / "none"), "no such folder")
    expect(refuse(f"csv:{tmp_path}/none.csv"), "none.csv", "no such file")
    other = fake.affectnet_arrays(tmp_path / "other")
    expect(refuse("rafdb", other), "list_patition_label.txt", "Image/aligned", "train/1", "found train_set")
    expect(refuse(f"folder:{other}"), "looked for train + test")


def test_zips(tmp_path: Path, refuse) -> None:
    broken = tmp_path / "raf.zip"
    broken.write_bytes(b"PK but no zip")
    expect(refuse("rafdb", broken), "raf.zip", "not a readable .zip")
    for name in ("../evil.txt", "/etc/evil", "a\\..\\b"):
        with zipfile.ZipFile(broken, "w") as archive:
            archive.writestr(name, "x")
        expect(refuse("rafdb", broken), "raf.zip", name, "leads out")


@pytest.mark.parametrize(("line", "parts"), [
    ("train_00001.jpg 8", ("list_patition_label.txt:1", "'8'", "1..7")),
    ("train_00001.jpg 0", ("list_patition_label.txt:1", "'0'", "1..7")),
    ("train_00001.jpg happy", ("list_patition_label.txt:1", "'happy'", "1..7")),
    ("train_00001.jpg", ("list_patition_label.txt:1", "a name and a label")),
    ("valid_00001.jpg 1", ("list_patition_label.txt:1", "valid_00001.jpg", "train_")),
    ("train_00002.jpg 1", ("1 duplicated ids in train", "train_00002.jpg")),
    ("train_99999.jpg 1", ("1 of 21 images", "not there", "train_99999_aligned.jpg")),
])
def test_rafdb_list(tmp_path: Path, refuse, line: str, parts: tuple[str, ...]) -> None:
    root = fake.rafdb(tmp_path / "raf")
    change(root / "EmoLabel/list_patition_label.txt", "train_00001.jpg 1", line)
    expect(refuse("rafdb", root), *parts)


def test_many_missing_images_name_five(tmp_path: Path, refuse) -> None:
    root = fake.rafdb(tmp_path / "raf")
    for i in range(1, 8):
        (root / f"Image/aligned/train_{i:05d}_aligned.jpg").unlink()
    message = refuse("rafdb", root)
    expect(message, "7 of 21", "train_00001", "train_00005", "…")
    assert "train_00006" not in message
    expect(refuse("rafdb", fake.zipped(root)), "7 of 21", "train_00001")


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_broken_image(tmp_path: Path, refuse, content: bytes) -> None:
    root = fake.rafdb(tmp_path / "raf")
    (root / "Image/aligned/test_0002_aligned.jpg").write_bytes(content)
    expect(refuse("rafdb", root), "1 of 21", "cannot be decoded", "test_0002_aligned.jpg")


def test_image_broken_behind_its_header(tmp_path: Path, refuse) -> None:
    root = fake.rafdb(tmp_path / "raf")
    file = root / "Image/aligned/test_0002_aligned.jpg"
    file.write_bytes(file.read_bytes()[:120])
    expect(refuse("rafdb", root), "1 of 21", "cannot be decoded", "test_0002_aligned.jpg")


def test_class_folders(tmp_path: Path, refuse) -> None:
    root = fake.class_folders(tmp_path / "faces", ("a", "b", "c"))
    for file in (root / "test/b").iterdir():
        file.unlink()
    expect(refuse(f"folder:{root}"), "test/b", "holds no images")
    (root / "test/b").rmdir()
    expect(refuse(f"folder:{root}"), "test/b", "is not there")
    (root / "test/bb").mkdir()
    expect(refuse(f"folder:{root}"), "test/bb", "no class", "a, b, c")
    root = fake.class_folders(tmp_path / "one", ("a",))
    expect(refuse(f"folder:{root}"), "1 class (a)", "at least two")


@pytest.mark.parametrize(("file", "old", "new", "parts"), [
    ("fer2013new.csv", "Image name", "Image nam", ("fer2013new.csv", "'Image name'", "mean Image nam")),
    ("fer2013.csv", "pixels", "pixel", ("fer2013.csv", "'pixels'", "did you mean pixel")),
    ("fer2013new.csv", "Training,fer0000000", "Trainig,fer0000000", ("fer2013new.csv:2", "'Trainig'")),
    ("fer2013new.csv", "8,0,0,0,0,0,0,0,2,0", "8,0,0,0,0,0,0,0,x,0", ("fer2013new.csv:2", "10 whole")),
    ("fer2013.csv", "\n0,", "\n9,", ("fer2013.csv:2", "'9'", "-1..6")),
    ("fer2013.csv", "\n0,", "\n0,256 ", ("fer2013.csv:2", "2304 pixels of 0..255")),
    ("fer2013.csv", "\n0,", "\n0,x", ("fer2013.csv:2", "2304 pixels")),
    ("fer2013.csv", "Training\n", "PublicTest\n", ("fer2013.csv:2", "row by row")),
])
def test_ferplus_csv(tmp_path: Path, refuse, file: str, old: str, new: str, parts: tuple[str, ...]) -> None:
    root = fake.ferplus(tmp_path / "fp")
    change(root / file, old, new)
    expect(refuse("ferplus8", root), *parts)


def test_ferplus_files_of_different_length(tmp_path: Path, refuse) -> None:
    root = fake.ferplus(tmp_path / "fp")
    lines = (root / "fer2013.csv").read_text().splitlines()
    fake.write(root / "fer2013.csv", lines[:-1])
    expect(refuse("ferplus8", root), "fer2013.csv: 29 rows", "has 30")
    fake.write(root / "fer2013.csv", [*lines, lines[-1]])
    expect(refuse("ferplus8", root), "fer2013.csv:32", "row by row")


def test_ferplus_folders(tmp_path: Path, refuse) -> None:
    root = fake.ferplus_folders(tmp_path / "fp", label_files=True)
    (root / "FER2013Valid/label.csv").unlink()
    expect(refuse("ferplus8", root), "FER2013Valid/label.csv", "no such file")


@pytest.mark.parametrize(("old", "new", "parts"), [
    ("expression", "expresion", ("training.csv", "'expression'", "did you mean expresion")),
    ("1;2,0,", "1;2,11,", ("training.csv:2", "'11'", "0..10")),
    ("5,6,20,30", "5,6,NULL,30", ("training.csv:2", "face box", "NULL")),
    ("5,6,20,30", "500,6,20,30", ("1 of 16 images", "training0.jpg")),
    (",0.1,0.2", "", ()),
    ("0/training0.jpg,5,6,20,30,1;2,0,0.1,0.2", "0/training0.jpg,5,6", ("training.csv:2", "3 values")),
])
def test_affectnet_tables(tmp_path: Path, refuse, old: str, new: str, parts: tuple[str, ...]) -> None:
    root = fake.affectnet_tables(tmp_path / "aff")
    change(root / "training.csv", old, new)
    if parts:
        expect(refuse("affectnet8", root), *parts)
    else:  # columns that are not needed may be missing in a row
        open_dataset(ask("affectnet8", root), tmp_path / "cache")


def test_affectnet_annotations_are_never_unpickled(tmp_path: Path, refuse) -> None:
    root = fake.affectnet_arrays(tmp_path / "aff")
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    (root / "val_set/annotations/103_exp.npy").write_bytes(buffer.getvalue())
    expect(refuse("affectnet8", root), "1 of 8 labels", "103_exp.npy")
    np.save(root / "val_set/annotations/103_exp.npy", np.array(12))
    expect(refuse("affectnet8", root), "103_exp.npy", "'12'", "0..10")


@pytest.mark.parametrize(("old", "new", "parts"), [
    ("split", "splits", ("faces.csv", "'split'", "did you mean splits")),
    ("sad,train", "sad,trian", ("faces.csv:2", "trian", "did you mean train")),
    ("sad,train", ",train", ("faces.csv:2", "empty label")),
    ("faces/0.png,sad", "faces/1.png,sad", ("1 duplicated ids in train", "faces/1.png")),
    ("faces/0.png", "faces/none.png", ("1 of 8 images", "faces/none.png")),
    ("faces/0.png,sad,train", "faces/0.png,sad", ("faces.csv:2", "2 values")),
])
def test_csv(tmp_path: Path, refuse, old: str, new: str, parts: tuple[str, ...]) -> None:
    file = fake.csv_file(tmp_path / "mine")
    change(file, old, new)
    expect(refuse(f"csv:{file}"), *parts)


def test_csv_without_test_rows_or_in_another_encoding(tmp_path: Path, refuse) -> None:
    file = fake.csv_file(tmp_path / "mine")
    text = file.read_text()
    file.write_text(text.replace("train", "valid"))
    expect(refuse(f"csv:{file}"), "no train images")
    file.write_text(text.replace("test", "valid"))
    pack = open_dataset(ask(f"csv:{file}"), tmp_path / "other cache")
    with pytest.raises(UserError, match="no test set of its own: add --folds 5"):
        whole_pack(pack)
    file.write_bytes(file.read_bytes() + "faces/é.png,sad,train\n".encode("latin-1"))
    expect(refuse(f"csv:{file}"), "faces.csv", "UTF-8")


def test_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(UserError, match="--cache"):
        open_dataset(ask("ferplus7", fake.ferplus(tmp_path / "fp")), tmp_path / "cache")


def test_a_label_list_that_is_not_utf8(tmp_path: Path, refuse) -> None:
    root = fake.rafdb(tmp_path / "raf")
    (root / "EmoLabel/list_patition_label.txt").write_bytes(b"train_00001.jpg 5\n\xff\xfe")
    expect(refuse("rafdb", root), "list_patition_label.txt", "not readable as text in UTF-8")


def test_a_name_with_a_line_end_where_no_layout_is(tmp_path: Path, refuse) -> None:
    fake.image(tmp_path / "raf/a\nb.png", 1)
    expect(refuse("rafdb", tmp_path / "raf"), "found a\\nb.png")
