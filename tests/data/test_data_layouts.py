"""Every accepted layout gives the same pack: labels, ids, votes, columns, crops, nesting and zips."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import fakedata as fake
import numpy as np
import pytest
from PIL import Image

from fer_bench.data.adapters import ferplus
from fer_bench.data.catalog import ask, datasets
from fer_bench.data.opening import open_dataset
from fer_bench.data.pack import Pack

RAF = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
FER2013 = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


@pytest.fixture
def read(tmp_path: Path):
    """read(name, root, **more): the pack, with a cache of its own."""
    def call(name: str, root: Path | None = None, **more) -> Pack:
        return open_dataset(ask(name, root), tmp_path / "cache", **more)
    return call


def test_catalog_needs_neither_numpy_nor_torch() -> None:
    code = ("import sys; from fer_bench.data.catalog import datasets; "
            "assert not {'numpy', 'pandas', 'torch', 'PIL'} & set(sys.modules), sys.modules")
    subprocess.run([sys.executable, "-c", code], check=True)


def test_datasets_do_not_import_torch() -> None:
    code = ("import sys, fer_bench.data.check, fer_bench.data.opening, "
            "fer_bench.data.adapters.affectnet; assert 'torch' not in sys.modules")
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("make", [fake.rafdb, partial(fake.rafdb, two_lists=True), fake.rafdb_kaggle])
def test_rafdb_layouts_give_one_pack(tmp_path: Path, read, make) -> None:
    pack = read("rafdb", make(tmp_path / "raf"))
    assert pack.classes == RAF
    assert pack.train.ids == tuple(name for name, _ in fake.raf_rows()[:14])
    assert pack.test.ids[0] == "test_0001.jpg"
    assert pack.train.labels.tolist() == [i % 7 for i in range(14)]
    assert pack.train.images.shape == (14, 10, 10, 3)
    assert pack.fingerprint == read("rafdb", fake.rafdb(tmp_path / "reference")).fingerprint
    assert "train: 14 images, officially 12271" in pack.notes


@pytest.mark.parametrize("inner", ["", "raf-basic/"])
def test_zip_and_nested_root(tmp_path: Path, read, inner: str) -> None:
    root = fake.rafdb(tmp_path / "raf")
    plain = read("rafdb", root)
    assert read("rafdb", fake.zipped(root, inner)).fingerprint == plain.fingerprint
    root.rename(tmp_path / "outer-inner")
    (tmp_path / "outer").mkdir()
    (tmp_path / "outer-inner").rename(tmp_path / "outer" / "raf-basic")
    assert read("rafdb", tmp_path / "outer").fingerprint == plain.fingerprint


def test_zip_of_mac_leftovers(tmp_path: Path, read) -> None:
    root = fake.class_folders(tmp_path / "faces", ("1", "2"))
    plain = read(f"folder:{root}")
    (root / "train/1/._0.png").write_bytes(b"no image")
    (root / "train/1/Thumbs.db").write_bytes(b"no image")
    (root / "train/.hidden").mkdir()
    assert read(f"folder:{fake.zipped(root, 'faces/')}").fingerprint == plain.fingerprint


@pytest.mark.parametrize(("name", "count"), [("ferplus7", 7), ("ferplus8", 8)])
def test_ferplus_csv(tmp_path: Path, read, name: str, count: int) -> None:
    pack = read(name, fake.ferplus(tmp_path / "fp"))
    assert pack.classes == ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear",
                            "contempt")[:count]
    assert {split: len(pack.splits[split]) for split in pack.splits} == {"train": count, "valid": count,
                                                                         "test": count}
    assert pack.train.labels.tolist() == list(range(count))
    assert pack.train.ids[1] == "fer0000001.png"
    assert pack.train.images.shape == (count, 48, 48) and pack.channels == 1
    assert pack.train.votes is not None and pack.train.votes.dtype == np.float32
    assert (pack.train.votes == 8 * np.eye(8)[:count, :count]).all()
    expected = [4, 5, 6, 1, 3, 2, 0, 4][:count]  # FER2013's angry … neutral in FERPlus's order
    assert pack.train.columns["fer2013"].tolist() == expected
    assert "9 of 30" in pack.notes[0] if count == 7 else "6 of 30" in pack.notes[0]


def test_ferplus_ids_of_blank_and_repeated_names(tmp_path: Path, read) -> None:
    rows = fake.ferplus_rows()
    rows[0] = ("Training", "", *rows[0][2:])
    rows[2] = ("Training", "fer0000001.png", rows[2][2], -1)
    pack = read("ferplus8", fake.ferplus(tmp_path / "fp", rows))
    assert pack.train.ids[:4] == ("row00000", "row00001", "row00002", "fer0000003.png")
    assert pack.train.columns["fer2013"][2] == -1


@pytest.mark.parametrize(("label_files", "box"), [(True, ""), (True, '"(0, 0, 48, 48)",'), (False, "")])
def test_ferplus_folders(tmp_path: Path, read, label_files: bool, box: str) -> None:
    pack = read("ferplus8", fake.ferplus_folders(tmp_path / "fp", label_files, box))
    other = read("ferplus8", fake.ferplus(tmp_path / "csv"))
    assert pack.train.ids == other.train.ids and not pack.train.columns
    assert (pack.test.votes == other.test.votes).all()
    assert pack.train.images.shape == (8, 48, 48)


@pytest.mark.parametrize(("votes", "eight", "seven"), [
    ([6, 4, 0, 0, 0, 0, 0, 0, 0, 0], 0, 0),
    ([5, 5, 0, 0, 0, 0, 0, 0, 0, 0], -1, -1),  # half is no majority
    ([3, 2, 1, 1, 1, 1, 1, 0, 0, 0], 0, 0),  # single votes do not count
    ([1, 1, 1, 1, 1, 1, 1, 1, 1, 1], -1, -1),
    ([3, 0, 0, 0, 0, 0, 0, 0, 7, 0], -1, -1),  # unknown wins
    ([4, 0, 0, 0, 0, 0, 0, 0, 3, 3], -1, -1),  # unknown and no-face count in the total
    ([2, 0, 0, 0, 0, 0, 0, 8, 0, 0], 7, -1),  # contempt
])
def test_majority_rule(votes: list[int], eight: int, seven: int) -> None:
    assert ferplus.majority(np.array([votes]), 8).tolist() == [eight]
    assert ferplus.majority(np.array([votes]), 7).tolist() == [seven]


def test_fer2013_csv_and_folders(tmp_path: Path, read) -> None:
    pack = read("fer2013", fake.ferplus(tmp_path / "fer"))
    assert pack.classes == ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
    assert pack.train.labels.tolist() == [0, 1, 2, 3, 4, 5, 6, 0, 6]
    assert pack.train.ids[-1] == "row00009" and "3 rows without a label left out" in pack.notes
    folders = read("fer2013", fake.class_folders(tmp_path / "folders", FER2013, mode="L"))
    assert folders.classes == pack.classes
    assert folders.train.labels[folders.train.ids.index("train/neutral/0.png")] == 6
    assert folders.channels == 1


@pytest.mark.parametrize(("name", "count"), [("affectnet7", 7), ("affectnet8", 8)])
def test_affectnet_tables(tmp_path: Path, read, name: str, count: int) -> None:
    root = fake.affectnet_tables(tmp_path / "aff")
    pack = read(name, root)
    assert pack.classes[:2] == ("neutral", "happiness") and len(pack.classes) == count
    assert pack.train.labels.tolist() == pack.test.labels.tolist() == list(range(count))
    assert pack.train.ids[4] == "1/training4.jpg"
    assert pack.train.images.shape == (count, 112, 112, 3)
    with Image.open(root / "Manually_Annotated_Images/1/training4.jpg") as whole:
        face = whole.crop((5, 6, 29, 36)).resize((112, 112), Image.Resampling.BILINEAR)
    assert (pack.train.images[4] == np.asarray(face)).all()
    assert f"train: {11 - count} images of other expressions left out" in pack.notes


def test_affectnet_arrays_and_folders(tmp_path: Path, read) -> None:
    pack = read("affectnet8", fake.affectnet_arrays(tmp_path / "new"))
    assert pack.test.labels.tolist() == list(range(8)) and pack.train.ids[3] == "103.jpg"
    numbers = tuple(map(str, range(8)))
    for splits, found in ((("train", "val"), {"train", "test"}), (("train", "test"), {"train", "test"}),
                          (("train", "valid", "test"), {"train", "valid", "test"})):
        root = fake.class_folders(tmp_path / "-".join(splits), numbers, splits)
        pack = read("affectnet7", root)
        assert set(pack.splits) == found and len(pack.train) == 14
        assert "train: 2 images of other expressions left out" in pack.notes
        assert all(name.startswith(splits[-1] + "/") for name in pack.test.ids)


def test_folder_orders_numbers_as_numbers(tmp_path: Path, read) -> None:
    numbers = read(f"folder:{fake.class_folders(tmp_path / 'a', ('10', '9', '1'), ('train', 'val', 'test'))}")
    assert numbers.classes == ("1", "9", "10") and set(numbers.splits) == {"train", "valid", "test"}
    names = read(f"folder:{fake.class_folders(tmp_path / 'b', ('sad', 'happy'))}")
    assert names.classes == ("happy", "sad")
    assert "classes in order of name: happy, sad" in names.notes
    assert names.name == "folder:b" and names.train.labels.tolist() == [0, 0, 1, 1]


def test_csv_labels_by_name_or_number(tmp_path: Path, read) -> None:
    pack = read(f"csv:{fake.csv_file(tmp_path / 'a')}")
    assert pack.classes == ("happy", "sad") and pack.train.labels.tolist() == [1, 0, 1, 0]
    assert pack.train.ids[0] == "faces/0.png" and pack.channels == 1
    assert read(f"csv:{fake.csv_file(tmp_path / 'b', ('10', '9'))}").classes == ("9", "10")


def test_sizes(tmp_path: Path, read) -> None:
    root = fake.class_folders(tmp_path / "faces", ("a", "b"))
    assert read(f"folder:{root}").train.images.shape == (4, 10, 10, 3)
    assert read(f"folder:{root}", size=16).train.images.shape == (4, 16, 16, 3)
    fake.image(root / "train/a/0.png", 1, (20, 12))
    pack = read(f"folder:{root}", size=None)
    fake.image(root / "train/a/zz.png", 1, (20, 12))
    pack = read(f"folder:{root}")
    assert pack.train.images.shape == (5, 112, 112, 3) and any("2 sizes" in note for note in pack.notes)
    assert read("ferplus7", fake.ferplus(tmp_path / "fp"), size=32).train.images.shape == (7, 32, 32)


def test_one_colour_image_makes_a_colour_pack(tmp_path: Path, read) -> None:
    root = fake.class_folders(tmp_path / "faces", ("a", "b"), mode="L")
    fake.image(root / "test/b/0.png", 5)
    assert read(f"folder:{root}").channels == 3


def test_synthetic_needs_no_cache(tmp_path: Path) -> None:
    from fer_bench.data.drawn import synthetic
    if not synthetic.FROZEN.exists():
        pytest.skip("synthetic.npz is not there")
    pack = open_dataset(ask("synthetic"), tmp_path / "cache")
    assert pack.classes == datasets()["synthetic"].classes == synthetic.CLASSES
    assert not (tmp_path / "cache").exists()
    assert sum(map(len, pack.splits.values())) == 4000
    assert pack.fingerprint == open_dataset(ask("synthetic"), tmp_path / "cache").fingerprint
