"""Drawing primitives and the camera of the synthetic faces. Read it for how shapes become 48x48 grey levels.

Shapes are smooth functions of position on a supersampled grid, so that every platform draws the same picture
to within one of the sensor's levels. Positions: x to the right, y down, the picture spans -1..1 in both.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SIDE = 48  # pixels of the finished picture
FINE = 2  # grid points per pixel and axis
EDGE = .04  # width of a soft edge, about one pixel
LEVELS = 64  # grey levels the sensor tells apart; few keep the frozen file small
NOISE = .8  # standard deviation of the noisiest sensor, in its levels

Array = np.ndarray


def grid() -> tuple[Array, Array]:
    """Centres of the supersampled grid: x and y, float64 [96, 96] each."""
    line = (np.arange(SIDE * FINE) + .5) / (SIDE * FINE) * 2 - 1
    shape = (line.size, line.size)
    return np.broadcast_to(line[None, :], shape), np.broadcast_to(line[:, None], shape)


def cover(distance: Array, soft: float = EDGE) -> Array:
    """Coverage 0..1 of a shape from its signed distance (negative inside)."""
    t = np.clip(.5 - distance / soft, 0, 1)
    return t * t * (3 - 2 * t)


def spot(x: Array, y: Array, centre: tuple[float, float], radius: tuple[float, float]) -> Array:
    """A soft round spot, 1 in its centre."""
    return np.exp(-(((x - centre[0]) / radius[0]) ** 2) - ((y - centre[1]) / radius[1]) ** 2)


def stroke(x: Array, y: Array, points: Sequence[tuple[float, float]], widths: Sequence[float],
           soft: float = EDGE) -> Array:
    """Coverage of a line through ``points`` whose half width changes from point to point."""
    corners, thick = np.array(points), np.array(widths)
    start, step = corners[:-1, :, None, None], np.diff(corners, axis=0)[:, :, None, None]
    dx, dy = x - start[:, 0], y - start[:, 1]
    along = np.clip((dx * step[:, 0] + dy * step[:, 1]) / (step**2).sum(axis=1), 0, 1)
    width = thick[:-1, None, None] + along * np.diff(thick)[:, None, None]
    distance = np.sqrt((dx - along * step[:, 0]) ** 2 + (dy - along * step[:, 1]) ** 2) - width
    return cover(distance.min(axis=0), soft)


def bend(start: tuple[float, float], middle: tuple[float, float], end: tuple[float, float],
         count: int = 5) -> list[tuple[float, float]]:
    """Points of the quadratic Bezier curve with these control points."""
    t = np.linspace(0, 1, count)
    a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t**2
    xs = a * start[0] + b * middle[0] + c * end[0]
    ys = a * start[1] + b * middle[1] + c * end[1]
    return list(zip(xs.tolist(), ys.tolist(), strict=True))


class Canvas:
    """A picture being painted. tone: reflectance 0 (black) .. 1 (white), float64 [96, 96]."""

    def __init__(self, tone: float) -> None:
        self.tone = np.full((SIDE * FINE, SIDE * FINE), tone)

    def paint(self, mask: Array, tone: Array | float) -> None:
        """Cover the masked part with ``tone``."""
        self.tone += mask * (tone - self.tone)

    def shade(self, amount: Array) -> None:
        """Darken by ``amount`` (0..1); negative amounts lighten."""
        self.tone *= 1 - amount


def blur(picture: Array, sigma: float) -> Array:
    """Gaussian blur with mirrored borders. picture: float64 [H, W]; sigma in pixels."""
    reach = 4
    kernel = np.exp(-.5 * (np.arange(-reach, reach + 1) / max(sigma, .05)) ** 2)
    kernel /= kernel.sum()
    for axis in (0, 1):
        pad = [(reach, reach) if a == axis else (0, 0) for a in (0, 1)]
        wide = np.pad(picture, pad, mode="reflect")
        size = picture.shape[axis]
        taps = [weight * np.take(wide, range(i, i + size), axis=axis) for i, weight in enumerate(kernel)]
        picture = np.sum(taps, axis=0)
    return picture


def photograph(tone: Array, rng: np.random.Generator) -> Array:
    """Light, lens and sensor: a painted picture [96, 96] becomes grey levels, uint8 [48, 48]."""
    x, y = grid()
    angle, slope = rng.uniform(0, 2 * np.pi), rng.uniform(0, .3)
    gain, gamma, offset = rng.uniform(.9, 1.15), rng.uniform(.8, 1.15), rng.uniform(-.02, .04)
    lit = tone * (1 + slope * (x * np.cos(angle) + y * np.sin(angle))) * gain
    lit = np.clip(lit, 1e-4, 1.2) ** gamma + offset
    small = lit.reshape(SIDE, FINE, SIDE, FINE).mean(axis=(1, 3))
    small = blur(small, rng.uniform(.1, .9) ** 2)
    noise = max(0., rng.uniform(-1, 1)) * NOISE  # half of the sensors are clean
    # Whole-number noise: rounding it apart from the picture keeps its bits the same on every platform.
    grain = np.rint(noise * rng.standard_normal((SIDE, SIDE)))
    levels: Array = np.clip(np.rint(small * LEVELS) + grain, 0, LEVELS - 1).astype(np.uint8)
    return levels * np.uint8(256 // LEVELS)
