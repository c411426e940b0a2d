"""Faces as pictures inside a page: small PNGs in data URIs, until they weigh too much."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from fer_bench.data.check import Check
from fer_bench.errors import printable

SIDE = 96  # pixels; larger faces are made smaller
MOST_CHARACTERS = 10_000_000  # of all pictures of a page


@dataclass(frozen=True)
class Picture:
    """A face to draw. uri: its PNG, empty where the page is full. caption: under it; name: its id."""

    uri: str
    name: str
    caption: str


class Pictures:
    """Draws faces of a check; none where ``allowed`` is False."""

    def __init__(self, found: Check, allowed: bool) -> None:
        self.found, self.allowed = found, allowed
        self.left = MOST_CHARACTERS
        self.undrawn = 0  # faces that came when the page was full

    def of(self, rows: np.ndarray, with_label: bool = False) -> list[Picture]:
        """Pictures of faces by their rows, int64 [M]; the caption has the label too where it is asked for."""
        if not self.allowed:
            return []
        found, pictures = self.found, []
        for row in rows.tolist():
            split, label = found.names[found.split[row]], found.pack.classes[found.labels[row]]
            caption = f"{split}, {printable(label)}" if with_label else split
            pictures.append(Picture(self._uri(found.pixels(row)), printable(found.ids[row]), caption))
        return pictures

    def _uri(self, pixels: np.ndarray) -> str:
        if self.left <= 0:
            self.undrawn += 1
            return ""
        uri = data_uri(pixels)
        self.left -= len(uri)
        return uri


def data_uri(pixels: np.ndarray) -> str:
    """A face, uint8 [H, W] or [H, W, 3], as a PNG of at most 96 pixels a side."""
    image = Image.fromarray(pixels)
    image.thumbnail((SIDE, SIDE), Image.Resampling.BILINEAR)
    out = io.BytesIO()
    image.save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
