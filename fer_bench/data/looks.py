"""What the pixels of every face say, read once: content, perceptual hash, brightness, contrast, colour."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fer_bench.data.duplicates import perceptual_hashes
from fer_bench.data.images import Meter
from fer_bench.data.pack import Pack

BLOCK = 512  # faces in memory at a time
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # what "L" is in Pillow
FENCE = 1.5  # interquartile ranges beyond the quartiles: Tukey's rule for outliers
PERCENTILES = (5, 25, 50, 75, 95)


@dataclass(frozen=True)
class Looks:
    """Of N faces. content: int64 [N], equal where all pixels are. hashes: uint64 [N]. brightness, contrast: float64
    [N], mean and standard deviation of the grey values, 0..255. plain: bool [N], faces of one colour. colour: bool [N],
    False where red, green and blue are the same in every pixel."""

    content: np.ndarray
    hashes: np.ndarray
    brightness: np.ndarray
    contrast: np.ndarray
    plain: np.ndarray
    colour: np.ndarray


@dataclass(frozen=True)
class Spread:
    """How a measure is spread over faces. percentiles: the 5th, 25th, 50th, 75th, 95th."""

    percentiles: tuple[float, ...]
    low: float
    high: float


def look(pack: Pack, splits: list[str], say: Callable[[str], None]) -> Looks:
    """The looks of the faces of these splits, one after the other; ``say`` hears once a second how far it is."""
    meter = Meter(sum(len(pack.splits[name]) for name in splits), "compared", "faces", say)
    digests: dict[bytes, int] = {}
    content: list[int] = []
    blocks: list[tuple[np.ndarray, ...]] = []
    for name in splits:
        images = pack.splits[name].images
        for start in range(0, len(images), BLOCK):
            block = np.asarray(images[start : start + BLOCK])
            for image in block:
                digest = hashlib.blake2b(image.tobytes(), digest_size=16).digest()
                content.append(digests.setdefault(digest, len(digests)))
            blocks.append(_measure(block))
            meter.step(len(block))
    return Looks(np.array(content, np.int64), *(np.concatenate(parts) for parts in zip(*blocks, strict=True)))


def _measure(images: np.ndarray) -> tuple[np.ndarray, ...]:
    """All but the content, of a block uint8 [N, H, W] or [N, H, W, 3]."""
    grey = images.astype(np.float32) if images.ndim == 3 else images @ LUMA
    colour = np.zeros(len(images), bool)
    if images.ndim == 4:
        colour = (images != images[..., :1]).any((1, 2, 3))
    first = images[:, :1, :1]
    plain = (images == first).all(tuple(range(1, images.ndim)))
    return (perceptual_hashes(grey), grey.mean((1, 2), np.float64), grey.std((1, 2), np.float64), plain, colour)


def spread(values: np.ndarray) -> Spread:
    """Percentiles of some faces' values, float64 [N], and the values beyond which one is an outlier. Zeros of none."""
    if not len(values):
        return Spread((0.0,) * len(PERCENTILES), 0.0, 0.0)
    found = tuple(np.percentile(values, PERCENTILES).tolist())
    fence = FENCE * (found[3] - found[1])
    return Spread(found, found[1] - fence, found[3] + fence)


def outliers(values: np.ndarray) -> np.ndarray:
    """int64 [M], rows of the values that lie beyond the fences of all, the farthest from the median first."""
    found = spread(values)
    rows = np.flatnonzero((values < found.low) | (values > found.high))
    return rows[np.argsort(-abs(values[rows] - found.percentiles[2]), kind="stable")]
