"""One image file to 8-bit pixels: what its header says, and the pixels that a pack keeps of it.

Files of 8 bits a channel give what Pillow decodes. Deeper ones are scaled by the range of their kind, not by the values
that one image happens to have: two images of one set stay comparable.
"""

from __future__ import annotations

import io
import warnings
from contextlib import nullcontext
from dataclasses import dataclass
from threading import Lock

import numpy as np
from PIL import ExifTags, Image

from fer_bench.data.adapter import Box

DEEP_MODES = {"I;16", "I;16L", "I;16B", "I;16N", "I", "F"}
GREY_MODES = {"1", "L", "LA", *DEEP_MODES}
ANIMATED = {"GIF", "WEBP", "PNG", "TIFF"}  # formats that may hold several frames
TURNED = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
          5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
          8: Image.Transpose.ROTATE_90}  # by EXIF orientation
MOST_PIXELS = 40_000_000  # of an image: more than photographs of faces have; decoding takes up to 18 bytes a pixel
LARGE = 2**22  # pixels of an image that is only decoded while no other such one is
_LARGE = Lock()
warnings.filterwarnings("ignore", module=r"PIL\.")  # what matters of them ends in one line


class Unusable(ValueError):
    """An image that decodes, but not to a face: the message says in a few words what was found and expected."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a pack must know of an image before it decodes it. size: (width, height), turned, of the face's box if there
    is one. odd: what a user should know, in the words of ``forms.ODD``."""

    size: tuple[int, int]
    grey: bool
    odd: tuple[str, ...] = ()


def header(content: bytes, box: Box | None) -> Header:
    """What the header of an image says. Raises Unusable, or what Pillow raises on a broken file."""
    with _opened(content) as image:
        orientation = _orientation(image, content)
        size = image.size
        if 5 <= orientation <= 8 and image.format != "TIFF":  # of a TIFF Pillow turns the size itself
            size = size[1], size[0]
        odd = [("turned", orientation in TURNED),
               ("frames", image.format in ANIMATED and getattr(image, "is_animated", False)),
               ("deep", image.mode in DEEP_MODES - {"F"})]
        if box:
            odd.append(("edge", _inside(box, size) != box))
            size = box[2] - box[0], box[3] - box[1]
            if size[0] * size[1] > _most():
                raise Unusable(f"its face's box has {size[0]}x{size[1]}, more than {_most():,} pixels")
        return Header(size, image.mode in GREY_MODES, tuple(name for name, found in odd if found))


def pixels(content: bytes, box: Box | None, side: tuple[int, int], grey: bool) -> np.ndarray:
    """The face as a pack keeps it, uint8 [H, W] or [H, W, 3]. side: (width, height). Raises as ``header``."""
    with _opened(content) as opened, _LARGE if opened.width * opened.height > LARGE else nullcontext():
        opened.load()
        orientation = _orientation(opened, content)
        image = _eight_bits(opened) if opened.mode in DEEP_MODES else opened
        mode = "L" if grey else "RGB"
        if image.mode != mode:
            image = image.convert(mode)
        if orientation in TURNED:
            image = image.transpose(TURNED[orientation])
        if box:
            image = image.crop(_inside(box, image.size))
        if image.size != side:
            image = image.resize(side, Image.Resampling.BILINEAR)
        return np.asarray(image)


def _opened(content: bytes) -> Image.Image:
    """The file opened, not decoded. Pillow itself refuses even more pixels."""
    try:
        image = Image.open(io.BytesIO(content))
    except Image.DecompressionBombError:
        raise Unusable(f"more than {_most():,} pixels") from None
    if image.width * image.height > _most():
        raise Unusable(f"{image.width}x{image.height}, more than {_most():,} pixels")
    return image


def _most() -> int:
    return min(MOST_PIXELS, Image.MAX_IMAGE_PIXELS or MOST_PIXELS)


def _orientation(image: Image.Image, content: bytes) -> int:
    """EXIF's, 1 (upright) when there is none or it cannot be read."""
    if image.format == "PNG" and "exif" not in image.info and b"eXIf" not in content:
        return 1  # where Pillow would decode the whole image to look for it
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # broken EXIF of a whole image: errors of a dozen kinds
        return 1


def _eight_bits(image: Image.Image) -> Image.Image:
    """A grey image of more than 8 bits in 8, the same rule for each image of a kind (docs/datasets.md)."""
    values = np.asarray(image)
    low, high = values.min(), values.max()
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):  # 0..65535 by Pillow
        return Image.fromarray((values >> 8).astype(np.uint8))
    if not (low >= 0 and high <= 255):  # NaN, too
        kind = "floats, expected 0..1 or" if image.mode == "F" else "32-bit numbers, expected"
        raise Unusable(f"values {low:g}..{high:g} of {kind} 0..255")
    if image.mode == "F" and high <= 1:
        return Image.fromarray(np.rint(values * 255).astype(np.uint8))
    return Image.fromarray(values.astype(np.uint8))


def _inside(box: Box, size: tuple[int, int]) -> Box:
    """The part of a box that lies in the image."""
    left, top, right, bottom = max(box[0], 0), max(box[1], 0), min(box[2], size[0]), min(box[3], size[1])
    if right <= left or bottom <= top:
        raise Unusable("its face's box lies outside of it")
    return left, top, right, bottom
