"""Faces that an adapter of folders does not read: counted and named, or refused where it is unclear what is meant."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import fakedata as fake
import moredata as more
import pytest

FERPLUS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
FER2013 = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
MADE: dict[str, tuple[Callable[[Path], Path], str]] = {  # how it is made, and a class folder of its training set
    "folder:": (lambda root: fake.class_folders(root, ("a", "b")), "train/a"),
    "fer2013": (lambda root: fake.class_folders(root, FER2013), "train/happy"),
    "rafdb": (more.raf_folders, "train/1"),
    "affectnet8": (lambda root: fake.class_folders(root, tuple(map(str, range(8))), ("train", "val")), "train/0"),
    "ferplus8": (lambda root: more.ferplus_classes(root, FERPLUS), "train/neutral"),
    "sfew": (more.sfew, "Train/Angry"),
    "ckplus": (more.ckplus, "anger"),
    "jaffe": (more.jaffe, ""),
}


@pytest.fixture(params=MADE)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Path | None, Path, str]:
    """A dataset's name and root, the folder it lies in, and one of its class folders."""
    make, inner = MADE[request.param]
    root = make(tmp_path / "data")
    return (f"folder:{root}", None, root, inner) if request.param == "folder:" else (request.param, root, root, inner)


def unread_of(pack) -> list[str]:
    return [note for note in pack.notes if "not read" in note]


def test_nothing_is_said_where_all_is_read(made, read) -> None:
    name, root, place, _ = made
    (place / "README.txt").write_text("where I have it from")
    (place / ".hidden").mkdir()
    fake.image(place / ".hidden/0.png", 1)
    assert not unread_of(read(name, root))


@pytest.mark.parametrize("as_zip", [False, True])
def test_images_beside_and_below_class_folders_are_said(made, read, as_zip: bool) -> None:
    name, root, place, inner = made
    before = read(name, root)
    for folder in (place / inner / "nested/deep", place / "extra", *([place] if inner else [])):
        fake.image(folder / "loose.png", 1)
    (place / inner / "nested/face.raw").write_bytes(b"x")
    if as_zip:
        root = fake.zipped(place, "outer/")
        name = f"folder:{root}" if name.startswith("folder:") else name
    pack = read(name, root)
    assert pack.fingerprint == before.fingerprint
    own = ["extra (1)"] if name != "ckplus" else []  # which says itself what lies in other folders
    lost = [f"{inner}/nested/deep".lstrip("/") + " (1)", *own, *(["the root (1)"] if inner else [])]
    (said, *more_said) = unread_of(pack)
    assert said.startswith(f"{len(lost)} images were not read") and all(one in said for one in lost)
    assert len(more_said) == bool(inner) and all("1 files among the faces" in note for note in more_said)


def test_links_and_pipes_are_said(made, read, tmp_path: Path) -> None:
    name, root, place, inner = made
    fingerprint = read(name, root).fingerprint
    fake.image(tmp_path / "outside/0.png", 1)
    (place / inner / "dead.png").symlink_to("nowhere")
    (place / inner / "circle.png").symlink_to("circle.png")
    os.mkfifo(place / inner / "pipe.png")
    (place / inner / "elsewhere").symlink_to(tmp_path / "outside")
    (place / inner / "again").symlink_to(place)
    os.utime(place / inner, ns=(1, 1))
    pack = read(name, root)
    (said,) = unread_of(pack)
    assert pack.fingerprint == fingerprint and said.startswith("4 links, pipes or devices lead to no file")
    assert all(one in said for one in ("elsewhere", f"{inner}/dead.png".lstrip("/"), "circle.png", "pipe.png"))


def test_a_face_that_is_a_link_out_is_refused(made, refuse, tmp_path: Path) -> None:
    name, root, place, inner = made
    fake.image(tmp_path / "outside/0.png", 1)
    face = next(path for path in sorted((place / inner).iterdir()) if path.is_file())
    face.unlink()
    face.symlink_to(tmp_path / "outside/0.png")
    assert "outside the dataset" in refuse(name, root)


@pytest.mark.parametrize("as_zip", [False, True])
def test_one_folder_in_two_spellings_is_refused(made, refuse, as_zip: bool) -> None:
    name, root, place, inner = made
    if not inner:
        pytest.skip("it has no folders")
    twin = place / inner.split("/")[0].swapcase()
    fake.image(twin / inner.partition("/")[2] / "0.png", 1)
    if as_zip:
        root = fake.zipped(place)
        name = f"folder:{root}" if name.startswith("folder:") else name
    if name == "ckplus":
        assert "are both class 'anger'" in refuse(name, root)
    else:
        assert "the same but for upper and lower case" in refuse(name, root)


def test_another_spelling_without_images_loses_nothing(tmp_path: Path, read) -> None:
    root = fake.class_folders(tmp_path / "faces", ("a", "b"))
    (root / "Train/a").mkdir(parents=True)
    assert not unread_of(read(f"folder:{root}", None))


@pytest.mark.parametrize("name", ["folder:", "fer2013", "rafdb", "affectnet8", "ferplus8"])
def test_two_validation_folders_are_refused(tmp_path: Path, refuse, name: str) -> None:
    root = MADE[name][0](tmp_path / "data")
    for other in ("val", "valid"):
        if not (root / other).exists():
            shutil.copytree(root / "train", root / other)
    asked = (f"folder:{root}", None) if name == "folder:" else (name, root)
    assert "valid and val are both there" in refuse(*asked)


def test_a_class_folder_may_be_a_link_inside(tmp_path: Path, read) -> None:
    root = fake.class_folders(tmp_path / "faces", ("a", "b"))
    plain = read(f"folder:{root}", None)
    shutil.move(root / "train/a", root / "a")
    (root / "train/a").symlink_to(root / "a")
    fake.image(root / "a/nested/9.png", 1)
    pack = read(f"folder:{root}", None)
    assert pack.fingerprint == plain.fingerprint
    assert "train/a/nested (1)" in unread_of(pack)[0]
