"""Right pixels: files deeper than 8 bits, turned ones, several frames, bombs, and what is said of odd sizes."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from oddimages import encoded, put, turned
from PIL import Image

from fer_bench.data import decode
from fer_bench.data.catalog import ask
from fer_bench.data.opening import open_dataset
from fer_bench.data.pack import Pack
from fer_bench.errors import UserError

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (12, 10), np.uint8)
COLOUR = RNG.integers(0, 256, (12, 10, 3), np.uint8)
PLAIN = encoded(COLOUR, "PNG")


def read(tmp_path: Path, odd: dict[str, bytes], plain: bytes = PLAIN) -> Pack:
    """A pack of two classes with the odd files among the training images of the first."""
    files = {f"{split}/{name}/plain.png": plain for split in ("train", "test") for name in "ab"}
    root = put(tmp_path / "faces", files | {f"train/a/{name}": data for name, data in odd.items()})
    return open_dataset(ask(f"folder:{root}"), tmp_path / "cache")


def one(tmp_path: Path, name: str, data: bytes, plain: bytes = PLAIN) -> np.ndarray:
    """The pixels of one odd file."""
    train = read(tmp_path, {name: data}, plain).train
    return train.images[train.ids.index(f"train/a/{name}")]


def refused(tmp_path: Path, name: str, data: bytes) -> str:
    with pytest.raises(UserError) as error:
        read(tmp_path, {name: data})
    assert "\n" not in str(error.value) and not list((tmp_path / "cache").iterdir())
    return str(error.value)


DEEP = GREY.astype(np.uint16) * 256 + RNG.integers(0, 256, GREY.shape).astype(np.uint16)


@pytest.mark.parametrize(("name", "data"), [
    ("16.png", encoded(DEEP, "PNG")),
    ("16.tif", encoded(DEEP, "TIFF")),
    ("16-big-endian.tif", encoded(DEEP.astype(">u2"), "TIFF")),
    ("16.pgm", encoded(DEEP, "PPM")),
    ("float-to-1.tif", encoded(GREY.astype(np.float32) / 255, "TIFF")),
    ("float-to-255.tif", encoded(np.minimum(GREY + np.float32(0.5), np.float32(255)), "TIFF")),
    ("32-to-255.tif", encoded(GREY.astype(np.int32), "TIFF")),
    ("8.png", encoded(GREY, "PNG")),
])
def test_deeper_than_8_bits(tmp_path: Path, name: str, data: bytes) -> None:
    grey = encoded(GREY, "PNG")
    assert (one(tmp_path, name, data, grey) == GREY).all(), "grey stays grey, scaled by the range of its kind"
    assert (one(tmp_path / "in colour", name, data) == GREY[..., None]).all()


def test_a_dark_16_bit_image_is_not_stretched(tmp_path: Path) -> None:
    found = one(tmp_path, "dark.png", encoded((DEEP // 64).astype(np.uint16), "PNG"), encoded(GREY, "PNG"))
    assert found.max() <= 3


@pytest.mark.parametrize("colour", [False, True])
def test_12_bits_in_16_are_said(tmp_path: Path, colour: bool) -> None:
    odd = {"12.tif": encoded(DEEP >> 4, "TIFF"), "x12.png": encoded(DEEP >> 4, "PNG"), "z16.png": encoded(DEEP, "PNG"),
           "y8.png": encoded(GREY >> 4, "PNG")}
    pack = read(tmp_path, odd, PLAIN if colour else encoded(GREY, "PNG"))
    (said,) = [note for note in pack.notes if "4095" in note]
    assert said.startswith("2 images of 16 bits with no value over 4095") and "multiply by 16" in said
    assert said.endswith(": train/a/12.tif, train/a/x12.png")
    assert pack.train.images[pack.train.ids.index("train/a/12.tif")].max() == 15, "and not stretched"


def test_deep_images_are_said(tmp_path: Path) -> None:
    pack = read(tmp_path, {"x.png": encoded(DEEP, "PNG"), "y.png": encoded(DEEP, "PNG")})
    assert [note for note in pack.notes if "16 bits" in note and note.endswith(": train/a/x.png, train/a/y.png")]


@pytest.mark.parametrize(("values", "parts"), [
    (np.full((9, 9), 300, np.float32), ("300..300", "0..1 or 0..255")),
    (np.full((9, 9), -0.5, np.float32), ("-0.5..-0.5",)),
    (np.full((9, 9), np.nan, np.float32), ("nan",)),
    (np.full((9, 9), 70_000, np.int32), ("70000..70000", "32-bit")),
])
def test_values_without_a_range_are_refused(tmp_path: Path, values: np.ndarray, parts: tuple[str, ...]) -> None:
    message = refused(tmp_path, "odd.tif", encoded(values, "TIFF"))
    assert all(part in message for part in ("1 of 5 images", "train/a/odd.tif", "8-bit", *parts)), message


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(tmp_path: Path, format: str, orientation: int) -> None:
    more = {"lossless": True} if format == "WEBP" else {}
    data = turned(COLOUR, orientation, format, **more)
    upright = np.asarray(Image.open(io.BytesIO(encoded(COLOUR, format, **more))).convert("RGB"))
    by_eye = {1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
              5: lambda a: a.transpose(1, 0, 2), 6: lambda a: a[::-1].transpose(1, 0, 2),
              7: lambda a: a[::-1, ::-1].transpose(1, 0, 2), 8: lambda a: a.transpose(1, 0, 2)[::-1]}
    expected = by_eye[orientation](upright)
    assert decode.header(data, None).size == expected.shape[1::-1]
    assert (decode.pixels(data, None, expected.shape[1::-1], False) == expected).all()
    assert ("turned" in decode.header(data, None).odd) == (orientation > 1)


def test_turned_images_are_said_and_keep_the_size_of_the_others(tmp_path: Path) -> None:
    pack = read(tmp_path, {"phone.jpg": turned(COLOUR.transpose(1, 0, 2).copy(), 6)})
    assert pack.train.images.shape[1:] == (12, 10, 3)
    assert any(note.startswith("1 image turned upright") and "phone.jpg" in note for note in pack.notes)


@pytest.mark.parametrize("exif", [b"Exif\0\0broken", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b"Exif\0\0", b"\0"])
def test_broken_exif_is_no_reason_to_refuse(tmp_path: Path, exif: bytes) -> None:
    data = encoded(COLOUR, "JPEG", exif=exif)
    assert (one(tmp_path, "x.jpg", data) == np.asarray(Image.open(io.BytesIO(encoded(COLOUR, "JPEG"))))).all()


def plain_modes() -> dict[str, bytes]:
    """Files of every usual mode, by name."""
    image, out = Image.fromarray(COLOUR), {}
    for name, mode, format in (("p.png", "P", "PNG"), ("rgba.png", "RGBA", "PNG"), ("la.png", "LA", "PNG"),
                               ("1.png", "1", "PNG"), ("cmyk.jpg", "CMYK", "JPEG"), ("rgb.jpg", "RGB", "JPEG"),
                               ("l.jpg", "L", "JPEG"), ("rgb.bmp", "RGB", "BMP"), ("p.gif", "P", "GIF")):
        buffer = io.BytesIO()
        image.convert(mode).save(buffer, format)
        out[name] = buffer.getvalue()
    return out


@pytest.mark.parametrize("name", plain_modes())
@pytest.mark.parametrize("grey", [False, True])
def test_8_bit_images_give_what_pillow_gives(name: str, grey: bool) -> None:
    data = plain_modes()[name]
    for size, box in (((10, 12), None), ((20, 30), None), ((4, 5), (1, 2, 5, 7))):
        expected = Image.open(io.BytesIO(data)).convert("L" if grey else "RGB")
        expected = expected.crop(box) if box else expected
        expected = expected.resize(size, Image.Resampling.BILINEAR) if expected.size != size else expected
        assert (decode.pixels(data, box, size, grey) == np.asarray(expected)).all()


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_of_several_frames(format: str) -> None:
    frames = [Image.fromarray(np.full((9, 9, 3), value, np.uint8)) for value in (0, 255)]
    out = io.BytesIO()
    frames[0].save(out, format, save_all=True, append_images=frames[1:])
    assert "frames" in decode.header(out.getvalue(), None).odd
    assert decode.pixels(out.getvalue(), None, (9, 9), False).max() < 5


def test_bombs_end_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)
    for side in (101, 1000):  # Pillow warns of the first and refuses the second
        data = encoded(np.zeros((side, side), np.uint8), "PNG")
        assert "more than 10,000 pixels" in refused(tmp_path / str(side), "bomb.png", data)


def test_an_odd_size_is_said_by_name(tmp_path: Path) -> None:
    odd = {f"{i}.png": PLAIN for i in range(30)} | {"x.png": encoded(COLOUR[:1, :1], "PNG")}
    pack = read(tmp_path, odd)
    assert pack.train.images.shape[1:3] == (112, 112)
    assert "images of 2 sizes resized to 112x112 (bilinear): 34 of 10x12; 1 of 1x1: train/a/x.png" in pack.notes
    assert "1 image with a side under 8 pixels: train/a/x.png" in pack.notes


def test_sizes_of_which_none_is_common_are_not_listed(tmp_path: Path) -> None:
    pack = read(tmp_path, {f"{i}.png": encoded(COLOUR[: 8 + i % 4], "PNG") for i in range(20)})
    assert any(note.endswith("sizes resized to 112x112 (bilinear)") for note in pack.notes)


def test_names_that_are_not_utf8(tmp_path: Path) -> None:
    try:
        message = refused(tmp_path, "face\udcff.png", PLAIN)
    except OSError:  # a file system that has no such names has nothing to test
        return
    assert "face\\udcff.png" in message and "UTF-8" in message and message.isprintable()
