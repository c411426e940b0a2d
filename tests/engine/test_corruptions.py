"""Corrupted test images: each against a slow version written from its formula, and what holds for all of them."""

from __future__ import annotations

import colorsys
import hashlib
from io import BytesIO
from math import exp

import numpy as np
import pytest
from PIL import Image

from fer_bench.data.selection import select
from fer_bench.engine import corruptions
from fer_bench.engine.corruptions import CORRUPTIONS, SEVERITIES, corrupted
from fer_bench.errors import UserError


def faces(colour: bool, count: int = 6, side: int = 48) -> tuple[np.ndarray, list[str]]:
    """Smooth shapes under some grain, with black and white in them."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:side, :side] / side
    shapes = [np.sin(6 * x * (n + 1) + y) * np.cos(5 * y + n) for n in range(3 * count)]
    pixels = 128 + 150 * np.stack(shapes) + rng.normal(0, 8, (3 * count, side, side))
    pixels = pixels.clip(0, 255).astype(np.uint8)
    images = pixels.reshape(count, 3, side, side).transpose(0, 2, 3, 1) if colour else pixels[:count]
    images[0, :4, :4] = 0
    return np.ascontiguousarray(images), [f"face{n}" for n in range(count)]


IMAGES = {"grey": faces(False), "colour": faces(True)}
NOISE_OF_VERSION_1 = [146, 125, 142, 123, 152, 78, 158, 108]
SQUARE_OF_VERSION_1 = [19, 8, 44, 33]
STRENGTHS = range(1, SEVERITIES + 1)


def generator(name: str, severity: int, face: str) -> np.random.Generator:
    seed = int.from_bytes(hashlib.blake2b(f"{name}|{severity}|{face}".encode(), digest_size=16).digest(), "big")
    return np.random.Generator(np.random.PCG64(seed))


def rounded(value: float) -> int:
    """The nearest of 0 to 255; of a half the even one, also where sums are a hair beside it."""
    return min(255, max(0, round(round(float(value), 6))))


def slow_blur(image: np.ndarray, severity: int, face: str) -> np.ndarray:
    """Weighted means over columns, then over rows."""
    sigma = [0.5, 0.75, 1, 1.25, 1.5][severity - 1] * 48 / 64
    reach = int(4 * sigma + 0.5)
    weights = [exp(-(d / sigma) ** 2 / 2) for d in range(-reach, reach + 1)]
    found = image.astype(float)
    for axis in (0, 1):
        lines, mixed = np.moveaxis(found, axis, 0), []
        for place in range(48):
            near = [lines[min(47, max(0, place + d))] for d in range(-reach, reach + 1)]
            mixed.append(sum(w * line for w, line in zip(weights, near, strict=True)) / sum(weights))
        found = np.moveaxis(np.stack(mixed), 0, axis)
    return np.vectorize(rounded)(found)


def slow_noise(image: np.ndarray, severity: int, face: str) -> np.ndarray:
    deviation = [0.04, 0.08, 0.12, 0.15, 0.18][severity - 1]
    drawn = generator("noise", severity, face).standard_normal(image.size, np.float32).reshape(image.shape)
    return np.vectorize(rounded)(255 * (image / 255 + deviation * drawn.astype(float)))


def slow_jpeg(image: np.ndarray, severity: int, face: str) -> np.ndarray:
    file = BytesIO()
    Image.fromarray(image).save(file, format="JPEG", quality=[65, 58, 50, 40, 25][severity - 1])
    return np.array(Image.open(BytesIO(file.getvalue())))


def slow_brightness(image: np.ndarray, severity: int, face: str) -> np.ndarray:
    """Through HSV and back, pixel by pixel."""
    found = np.empty(image.shape)
    for place in np.ndindex(*image.shape[:2]):
        pixel = image[place] / 255 * np.ones(3)
        hue, saturation, value = colorsys.rgb_to_hsv(*pixel)
        bright = colorsys.hsv_to_rgb(hue, saturation, min(1.0, value + severity / 10))
        found[place] = [rounded(255 * v) for v in bright] if image.ndim == 3 else rounded(255 * bright[0])
    return found


def slow_occlusion(image: np.ndarray, severity: int, face: str) -> np.ndarray:
    side, draws, found = round(48 * (severity / 10) ** 0.5), generator("occlusion", severity, face), image.copy()
    top, left = draws.integers(49 - side), draws.integers(49 - side)
    for y in range(top, top + side):
        for x in range(left, left + side):
            found[y, x] = 128
    return found


@pytest.mark.parametrize("kind", IMAGES)
@pytest.mark.parametrize("severity", [1, 3, 5])
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_is_its_formula(name, severity, kind):
    images, ids = IMAGES[kind]
    found = corrupted(images[:2], ids[:2], name, severity)
    for place in (0, 1):
        expected = globals()[f"slow_{name}"](images[place], severity, ids[place]).astype(int)
        apart = np.abs(found[place].astype(int) - expected)
        assert apart.max() <= 1 and (apart > 0).mean() < 0.001, "float32 may round a tie to the other side"


@pytest.mark.parametrize("kind", IMAGES)
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_strength_grows_and_nothing_is_changed_in_place(name, kind):
    images, ids = IMAGES[kind]
    before = images.copy()
    found = [corrupted(images, ids, name, severity) for severity in STRENGTHS]
    distances = [np.abs(images.astype(float) - image).mean() for image in found]
    assert distances[0] > 0 and all(a < b for a, b in zip(distances, distances[1:], strict=False)), distances
    assert all(image.dtype == np.uint8 and image.shape == images.shape for image in found)
    assert np.array_equal(images, before) and not any(np.shares_memory(images, image) for image in found)


@pytest.mark.parametrize("kind", IMAGES)
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_face_does_not_depend_on_the_others(name, kind, monkeypatch):
    images, ids = IMAGES[kind]
    whole = corrupted(images, ids, name, 4)
    rows = np.array([4, 0, 3])
    some = corrupted(select(images, rows), [ids[row] for row in rows], name, 4)
    assert np.array_equal(some, whole[rows])
    monkeypatch.setattr(corruptions, "BLOCK_PIXELS", 1)
    assert np.array_equal(corrupted(images, ids, name, 4), whole)


@pytest.mark.parametrize("name", ["noise", "occlusion"])
def test_what_is_drawn_depends_on_id_and_severity(name):
    same = np.repeat(IMAGES["grey"][0][1:2], 3, 0)
    one, other, again = corrupted(same, ["a", "b", "a"], name, 2)
    assert np.array_equal(one, again) and not np.array_equal(one, other)
    places = [np.argwhere(corrupted(np.zeros_like(same), ["a", "b", "c"], name, s)[0])[0].tolist() for s in STRENGTHS]
    assert name == "noise" or len({tuple(place) for place in places}) > 1


def test_occlusion_covers_its_share_within_the_image_and_reaches_all_edges():
    dark, ids = np.zeros((400, 48, 64), np.uint8), [str(n) for n in range(400)]
    for severity in STRENGTHS:
        found = corrupted(dark, ids, "occlusion", severity)
        shares = (found == 128).mean((1, 2))
        assert shares == pytest.approx(severity / 10, abs=0.02) and set(np.unique(found)) == {0, 128}
    touched = (corrupted(dark, ids, "occlusion", 1) == 128).any(0)
    assert touched.any(0).all() and touched.any(1).all(), "some row or column is never covered"


def test_noise_has_the_deviation_that_is_stated_and_colours_have_their_own():
    middle = np.full((4, 48, 48, 3), 128, np.uint8)
    noise = corrupted(middle, list("abcd"), "noise", 1) - 128.0
    assert noise.std() == pytest.approx(0.04 * 255, rel=0.03) and abs(noise.mean()) < 0.5
    assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.05


def test_drawn_numbers_are_those_of_version_1():
    """numpy may change its draws between releases: then raise VERSION."""
    middle = np.full((1, 8, 8), 128, np.uint8)
    assert corrupted(middle, ["a"], "noise", 3)[0, 0].tolist() == NOISE_OF_VERSION_1
    square = np.argwhere(corrupted(np.zeros((1, 48, 48), np.uint8), ["a"], "occlusion", 3)[0])
    assert [*square.min(0), *square.max(0)] == SQUARE_OF_VERSION_1 and corruptions.VERSION == 1


def test_no_images_are_no_images():
    assert corrupted(np.zeros((0, 48, 48, 3), np.uint8), [], "blur", 1).shape == (0, 48, 48, 3)


@pytest.mark.parametrize(("name", "severity", "line"), [
    ("blurr", 1, "unknown corruption 'blurr': did you mean blur?"),
    ("JPEG", 1, "unknown corruption 'JPEG': known: blur, brightness, jpeg, noise, occlusion"),
    ("noise", 0, "corruption 'noise': found severity 0, expected 1 to 5"),
    ("noise", 6, "corruption 'noise': found severity 6, expected 1 to 5")])
def test_what_there_is_not_is_refused(name, severity, line):
    with pytest.raises(UserError) as refused:
        corrupted(*IMAGES["grey"], name, severity)
    assert str(refused.value) == line
