"""Faces stay where they are: no protocol and no engine copies the pixels of a dataset."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from fer_bench.data.pack import Split, make_pack, open_pack, write_pack
from fer_bench.data.selection import Selection, select
from fer_bench.engine.pixels import KEPT, Pixels, resident
from fer_bench.protocols.prepare import prepare
from fer_bench.protocols.protocol import Imbalance, Noise, Protocol

CPU = torch.device("cpu")


@pytest.fixture
def pack(tmp_path):
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 40)
    splits = {name: Split(rng.integers(0, 256, (120, 6, 6, 3), dtype=np.uint8), labels,
                          tuple(f"{name}{i}" for i in range(120))) for name in ("train", "test")}
    write_pack(make_pack("made", ("a", "b", "c"), splits), tmp_path / "pack", {})
    return open_pack(tmp_path / "pack")


def protocol(**content) -> Protocol:
    return Protocol(name="p", title="p", **content)


EVERYTHING = {"noise": Noise(kind="symmetric", rate=0.3), "imbalance": Imbalance(factor=4), "validation": 0.2,
              "classes": ("c", "a")}


@pytest.mark.parametrize("content", [{}, *({key: value} for key, value in EVERYTHING.items()), EVERYTHING])
def test_no_protocol_copies_pixels(pack, content):
    data = prepare(pack, protocol(**content), 0)
    for faces in (data.train, data.test, *([data.validation] if data.validation else [])):
        stored = faces.images.stored if isinstance(faces.images, Selection) else faces.images
        assert isinstance(stored, np.memmap) and stored.base is not None
        assert stored.ctypes.data in {pack.train.images.ctypes.data, pack.test.images.ctypes.data}
        assert len(faces.images) == len(faces)


def test_the_right_faces_are_there(pack):
    data = prepare(pack, protocol(**EVERYTHING), 0)
    place = {name: row for row, name in enumerate(pack.train.ids)}
    pixels = Pixels(data.train.images, CPU)
    for index in (torch.arange(len(data.train)), torch.tensor([3, 0, 3])):
        expected = pack.train.images[[place[data.train.ids[i]] for i in index.tolist()]]
        assert np.array_equal(pixels[index].numpy(), expected)
    assert np.array_equal(np.asarray(data.train.images), pixels[torch.arange(len(data.train))].numpy())


def test_a_cpu_trains_from_the_file_s_own_pages(pack):
    images = pack.train.images
    assert Pixels(images, CPU).stored.data_ptr() == images.ctypes.data
    assert Pixels(select(images, np.arange(5)), CPU).stored.data_ptr() == images.ctypes.data


def test_runs_share_what_is_on_the_device_and_old_datasets_leave_it():
    arrays = [np.zeros((2, 3, 3), np.uint8) for _ in range(KEPT + 1)]
    first = resident(arrays[0], CPU)
    assert resident(arrays[0], CPU) is first and first.shape == (2, 3, 3, 1)
    for array in arrays[1:]:
        resident(array, CPU)
    assert resident(arrays[0], CPU) is not first


def test_pixels_are_replaced_only_by_their_like():
    images, others = (np.zeros((9, 3, 3), np.uint8) for _ in range(2))
    some = Pixels(select(images, np.array([1, 2])), CPU)
    address = some.rows.data_ptr()
    assert some.replace(Pixels(select(images, np.array([4, 0])), CPU))
    assert some.rows.tolist() == [4, 0] and some.rows.data_ptr() == address
    for other in (Pixels(images, CPU), Pixels(select(others, np.array([4, 0])), CPU),
                  Pixels(select(images, np.array([4, 0, 1])), CPU)):
        assert not some.replace(other) and some.rows.tolist() == [4, 0]


def test_a_selection_reads_like_the_array_of_its_rows():
    images = np.arange(5 * 4, dtype=np.uint8).reshape(5, 2, 2)
    chosen = select(select(images, np.array([4, 2, 0])), np.array([2, 0]))
    expected = images[[0, 4]]
    assert chosen.shape == expected.shape and len(chosen) == 2 and chosen.ndim == 3
    assert np.array_equal(chosen[:], expected) and np.array_equal(chosen[1], expected[1])
    assert np.array_equal(np.stack(list(chosen)), expected)
