"""Corrupted test images in five strengths, after the corruption benchmarks of Hendrycks & Dietterich (ICLR 2019).

Values and formulas are those of Tiny ImageNet-C, whose images of 64 pixels are the nearest to faces of 48 to 112
(ImageNet-C/create_c/make_tinyimagenet_c.py of hendrycks/robustness at 8190fe3), by severity 1 to 5:

- blur: Gaussian, sigma .5, .75, 1, 1.25, 1.5 pixels of an image of 64, so side / 64 times that here, side the geometric
  mean of height and width; edges are repeated, the kernel ends at 4 sigma (lines 276-280).
- noise: Gaussian, deviation .04, .08, .12, .15, .18 of the range of a pixel, drawn for each channel (lines 248-252).
- jpeg: quality 65, 58, 50, 40, 25, through Pillow, whose other settings are its defaults (lines 481-488).
- brightness: .1, .2, .3, .4, .5 of the range added to the value of HSV, hue and saturation kept (lines 459-467). A grey
  pixel is its own value.
- occlusion: ours. A grey (128) square, or rectangle of the image's form, of 10, 20, 30, 40, 50 % of the area, its sides
  rounded, at a place drawn evenly from all where it lies inside.

Ours, too: results are rounded, not cut off to whole pixels, and what is drawn for a face follows from its id, the
corruption and the severity alone. ImageNet-C itself is made for 224 pixels: its blur (sigma 1 to 6) scaled to a face of
48 would begin with one that changes no pixel, its noise (to .38) and jpeg (to quality 7) leave little of a small face.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from io import BytesIO

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from fer_bench.data.selection import Images
from fer_bench.errors import UserError, unknown

VERSION = 1  # of values, formulas and draws; raise it when pixels change
SEVERITIES = 5
BLOCK_PIXELS = 2**21  # numbers that are worked on at a time
BLUR = (0.5, 0.75, 1.0, 1.25, 1.5)
BLUR_SIDE = 64  # pixels of the images that these are meant for
NOISE = (0.04, 0.08, 0.12, 0.15, 0.18)
JPEG = (65, 58, 50, 40, 25)
BRIGHTNESS = (0.1, 0.2, 0.3, 0.4, 0.5)
OCCLUSION = (0.1, 0.2, 0.3, 0.4, 0.5)
GREY = 128


def corrupted(images: Images, ids: Sequence[str], name: str, severity: int) -> np.ndarray:
    """Corrupted copies, uint8 of the images' shape, whatever their order and however many there are at a time.

    images: uint8 [N, H, W] or [N, H, W, 3]; read in blocks, never changed. ids: their N names. name: one of
    CORRUPTIONS. severity: 1 to SEVERITIES. Raises UserError for another name or severity.
    """
    if name not in CORRUPTIONS:
        raise unknown("corruption", name, CORRUPTIONS)
    if severity not in range(1, SEVERITIES + 1):
        raise UserError(f"corruption '{name}': found severity {severity}, expected 1 to {SEVERITIES}")
    assert len(ids) == len(images)
    found = np.empty(images.shape, np.uint8)
    step = max(1, BLOCK_PIXELS // max(1, int(np.prod(images.shape[1:]))))
    for start in range(0, len(images), step):
        block = slice(start, start + step)
        found[block] = _CHANGES[name](np.asarray(images[block]), [f"{name}|{severity}|{i}" for i in ids[block]],
                                      severity - 1)
    return found


def _blur(images: np.ndarray, keys: list[str], strength: int) -> np.ndarray:
    sigma = BLUR[strength] * float(np.sqrt(images.shape[1] * images.shape[2])) / BLUR_SIDE
    sigmas = (0, sigma, sigma, 0)[: images.ndim]
    return _whole(gaussian_filter(images, sigmas, output=np.float32, mode="nearest", truncate=4.0))


def _noise(images: np.ndarray, keys: list[str], strength: int) -> np.ndarray:
    changed = images.astype(np.float32)
    for image, key in zip(changed, keys, strict=True):
        image += 255 * NOISE[strength] * _draws(key).standard_normal(image.shape, np.float32)
    return _whole(changed)


def _jpeg(images: np.ndarray, keys: list[str], strength: int) -> np.ndarray:
    changed = np.empty_like(images)
    for place, image in enumerate(images):
        with BytesIO() as file:
            Image.fromarray(image).save(file, "JPEG", quality=JPEG[strength])
            changed[place] = np.asarray(Image.open(file))
    return changed


def _brightness(images: np.ndarray, keys: list[str], strength: int) -> np.ndarray:
    """All channels of a pixel grow by the factor that its largest one does; of black, none is larger: it turns grey."""
    pixels = images[..., None] if images.ndim == 3 else images
    value = pixels.max(-1, keepdims=True).astype(np.float32)
    brighter = np.minimum(value + 255 * BRIGHTNESS[strength], 255)
    changed = np.where(value > 0, pixels * brighter / np.maximum(value, 1), brighter)
    return _whole(changed).reshape(images.shape)


def _occlusion(images: np.ndarray, keys: list[str], strength: int) -> np.ndarray:
    changed = images.copy()
    height, width = (round(side * OCCLUSION[strength] ** 0.5) for side in images.shape[1:3])
    for image, key in zip(changed, keys, strict=True):
        draws = _draws(key)
        top, left = (int(draws.integers(side - size + 1))
                     for side, size in zip(image.shape, (height, width), strict=False))
        image[top : top + height, left : left + width] = GREY
    return changed


def _draws(key: str) -> np.random.Generator:
    """A face's own numbers: PCG64 seeded with BLAKE2b-128 of "corruption|severity|id"."""
    digest = hashlib.blake2b(key.encode(), digest_size=16).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))


def _whole(pixels: np.ndarray) -> np.ndarray:
    """The nearest of 0 to 255, uint8."""
    whole: np.ndarray = np.rint(pixels).clip(0, 255).astype(np.uint8)
    return whole


_CHANGES: dict[str, Callable[[np.ndarray, list[str], int], np.ndarray]] = {
    "blur": _blur, "noise": _noise, "jpeg": _jpeg, "brightness": _brightness, "occlusion": _occlusion}
CORRUPTIONS = tuple(_CHANGES)
