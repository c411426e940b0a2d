"""The perceptual hash and the search for near copies, against a slow search that is plainly right."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.fft import dct
from scipy.ndimage import gaussian_filter

from fer_bench.data.duplicates import NEAR, Components, near_pairs, perceptual_hashes


def slow_pairs(hashes: list[int], distance: int) -> set[tuple[int, int]]:
    """Every pair compared with every other, bit by bit."""
    return {(a, b) for a in range(len(hashes)) for b in range(a + 1, len(hashes))
            if bin(hashes[a] ^ hashes[b]).count("1") <= distance}


def slow_hash(image: np.ndarray) -> int:
    """The hash of a square face whose side is a multiple of 32, one step after the other."""
    block = len(image) // 32
    small = np.array([[image[i * block : (i + 1) * block, j * block : (j + 1) * block].astype(float).mean()
                       for j in range(32)] for i in range(32)])
    low = dct(dct(small, axis=0, norm="ortho"), axis=1, norm="ortho")[:8, :8].round(2)
    bits = (low > np.median(low)).ravel()
    return int("".join(str(int(bit)) for bit in bits), 2)


def fast_pairs(hashes: list[int], distance: int) -> list[tuple[int, int]]:
    blocks = list(near_pairs(np.array(hashes, np.uint64), distance))
    return [(int(min(pair)), int(max(pair))) for block in blocks for pair in block]


def faces(count: int, side: int = 48, seed: int = 0) -> np.ndarray:
    """Smooth random pictures, uint8 [count, side, side]."""
    rng = np.random.default_rng(seed)
    noise = np.stack([gaussian_filter(rng.normal(size=(side, side)), side / 16) for _ in range(count)])
    return (128 + 45 * noise / noise.std((1, 2), keepdims=True)).clip(0, 255).astype(np.uint8)


def jpeg(image: np.ndarray) -> np.ndarray:
    out = io.BytesIO()
    Image.fromarray(image).save(out, "JPEG", quality=60)
    return np.asarray(Image.open(out))


def hashes_of(images: np.ndarray) -> list[int]:
    found: list[int] = perceptual_hashes(images.astype(np.float32)).tolist()
    return found


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 40), st.integers(0, 9), st.integers(0, 6))
def test_the_fast_search_finds_the_pairs_of_the_slow_one_each_once(seed: int, count: int, flips: int,
                                                                   distance: int) -> None:
    """Hashes that are a few flipped bits off one of three, which may all be equal."""
    rng = np.random.default_rng(seed)
    roots = [int(root) for root in rng.integers(0, 2**63, 3)]
    hashes = []
    for _ in range(count):
        value = roots[rng.integers(3)]
        for bit in rng.integers(0, 64, rng.integers(flips + 1)).tolist():
            value ^= 1 << bit
        hashes.append(value)
    found = fast_pairs(hashes, distance)
    assert len(found) == len(set(found)), "a pair was found twice"
    assert set(found) == slow_pairs(hashes, distance)


def test_the_last_bit_of_a_hash_is_searched_too() -> None:
    hashes = [0, 1 << 63, 0b1111, 0b11111, (1 << 64) - 1]
    assert set(fast_pairs(hashes, NEAR)) == slow_pairs(hashes, NEAR) == {(0, 1), (0, 2), (2, 3)}


def test_the_hash_is_that_of_its_definition() -> None:
    images = faces(20, 64)
    assert hashes_of(images) == [slow_hash(image) for image in images]


def test_near_copies_are_found_and_others_are_not() -> None:
    """Brighter, flatter, re-encoded and resized copies are near; mirrored, turned and other faces are not."""
    own = faces(200)
    copied = [*(own[:10] // 2 + 60), *(own[10:20].clip(0, 215) + 40), *map(jpeg, own[20:30]),
              *(np.asarray(Image.fromarray(image).resize((40, 40)).resize((48, 48))) for image in own[30:40])]
    others = [*own[40:60, :, ::-1], *own[60:70, ::-1], *np.rot90(own[70:80], axes=(1, 2))]
    hashes = hashes_of(np.stack([*own, *copied, *others]))
    found = set(fast_pairs(hashes, NEAR))
    assert found == slow_pairs(hashes, NEAR) == {(i, 200 + i) for i in range(40)}


@pytest.mark.parametrize("side", [8, 28, 48, 100, 112])
def test_size_is_not_seen(side: int) -> None:
    large = faces(10, 224)
    small = np.stack([np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BOX))
                      for image in large])
    off = [bin(a ^ b).count("1") for a, b in zip(hashes_of(large), hashes_of(small), strict=True)]
    assert max(off) <= (14 if side == 8 else NEAR)


def test_what_is_zero_but_for_the_arithmetic_is_zero() -> None:
    """Of faces that change from top to bottom only, every frequency from left to right is zero."""
    ramp = np.repeat(np.linspace(0, 255, 48)[:, None], 48, axis=1)
    hashes = np.array(hashes_of(np.stack([ramp, ramp + 0.3, ramp / 3])), np.uint64)
    bits = np.unpackbits(hashes.astype(">u8").view(np.uint8).reshape(3, 8), axis=1).reshape(3, 8, 8)
    assert (hashes == hashes[0]).all() and not bits[:, :, 1:].any()


def test_components_join_by_others_between_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fer_bench.data.duplicates.MOST_EDGES", 2)  # joined in several steps
    components = Components(7)
    for pairs in ([[5, 4]], [[1, 2], [2, 6]], [[4, 6]], [[0, 0]]):
        components.join(np.array(pairs))
    assert components.first().tolist() == [0, 1, 1, 3, 1, 1, 1]
