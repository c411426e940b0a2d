"""Eyes, brows, nose, cheeks and mouth of the synthetic faces: where each action unit moves what.

All functions paint into a canvas in face coordinates (x, y: float64 [96, 96], warped by the pose).
``units`` gives an intensity by AU number; ``side`` is -1 (left in the picture) or 1.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fer_bench.data.drawn.canvas import Array, Canvas, bend, cover, spot, stroke
from fer_bench.data.drawn.look import Look

Units = Mapping[int, float]
EYE_Y, BROW_Y, NOSE_Y, MOUTH_Y = -.17, -.42, .2, .53
SIDES = (-1, 1)


def eyes(canvas: Canvas, x: Array, y: Array, look: Look, sided: tuple[Units, Units]) -> None:
    """Both eyes: AU5 lifts the upper lid, AU7 narrows, AU6 pushes the lower lid up."""
    for side, units in zip(SIDES, sided, strict=True):
        middle = side * look.eye_gap
        t = (x - middle) / look.eye_width
        arch = np.clip(1 - t**2, 0, None)
        tilt = EYE_Y - side * t * (.02 + look.eye_tilt) * look.eye_width * 3
        raised = units[5] * (1 - .45 * units[7])
        droop = .25 * units[15] * units[1]  # heavy lids of sadness
        upper = look.eye_height * (1 + raised - .3 * units[7] - .25 * units[6] - .3 * units[9] - droop)
        lower = look.eye_height * (.75 - .45 * units[7] - .5 * units[6] - .35 * units[9] + .2 * raised)
        top, bottom = tilt - upper * arch, tilt + lower * arch
        inside = cover(np.maximum(np.maximum(top - y, y - bottom), np.abs(x - middle) - look.eye_width))
        canvas.shade(.22 * spot(x, y, (middle, EYE_Y - .02), (.25, .14)))
        canvas.paint(inside, .9 - .1 * np.clip(t**2, 0, 1))
        iris = (x - middle - look.gaze[0]) ** 2 + (y - EYE_Y + .01 - look.gaze[1]) ** 2
        canvas.paint(inside * cover(np.sqrt(iris) - look.eye_height * .98), look.iris)
        canvas.paint(inside * cover(np.sqrt(iris) - look.eye_height * .42), .03)
        glint = spot(x, y, (middle + look.gaze[0] - .03, EYE_Y - .045), (.025, .025))
        canvas.paint(inside * glint, 1.)
        within = cover(np.abs(x - middle) - look.eye_width * 1.05)
        canvas.paint(within * cover(np.abs(y - top) - .018 - .01 * look.lashes), .12)
        canvas.shade(.35 * within * cover(np.abs(y - bottom) - .008))
        crease = tilt - (upper + .055 + .015 * raised) * np.clip(1 - (t / 1.15) ** 2, 0, None)
        canvas.shade(.3 * within * cover(np.abs(y - crease) - .008))
        _eye_wrinkles(canvas, x, y, look, units, side)


def _eye_wrinkles(canvas: Canvas, x: Array, y: Array, look: Look, units: Units, side: int) -> None:
    """Crow's feet and the fold under the eye (AU6, AU7), and the bag there that comes with age."""
    middle, end = side * look.eye_gap, side * (look.eye_gap + look.eye_width * 1.15)
    fold = bend((middle - side * .15, EYE_Y + .1), (middle, EYE_Y + .2), (middle + side * .2, EYE_Y + .09))
    canvas.shade((.1 * look.age + .3 * units[6] + .15 * units[7]) * stroke(x, y, fold, [.012] * 5, .06))
    for rise in (-.07, .0, .07):
        foot = [(end, EYE_Y + .02 + .3 * rise), (end + side * .12, EYE_Y + .03 + 1.3 * rise)]
        canvas.shade(.35 * units[6] * stroke(x, y, foot, [.012, .004]))


def brows(canvas: Canvas, x: Array, y: Array, look: Look, sided: tuple[Units, Units]) -> None:
    """Both brows: AU1 lifts the inner end, AU2 the outer part, AU4 lowers and draws together."""
    for side, units in zip(SIDES, sided, strict=True):
        base = BROW_Y + look.brow_y + .05 * units[9] + .02 * units[7] - .02 * units[5]
        frown = units[4] * (1 - .7 * units[1])
        inner = (look.eye_gap - .2 - .06 * units[4], base - .19 * units[1] + .155 * frown)
        peak_x = look.eye_gap + .06
        oblique = units[1] * (1 - units[2])  # the inner end alone goes up: the brow slopes outwards
        peak = (peak_x, base - look.brow_arch - .05 * units[1] - .12 * units[2] + .04 * oblique
                + .09 * units[4] * (1 - units[1]))
        outer = (look.eye_gap + .25, base + .03 - .13 * units[2] + .02 * units[4] + .06 * oblique)
        control = (2 * peak[0] - (inner[0] + outer[0]) / 2, 2 * peak[1] - (inner[1] + outer[1]) / 2)
        line = [(side * px, py) for px, py in bend(inner, control, outer, 7)]
        width = look.brow_width * np.array([.85, 1.05, 1.05, 1., .85, .6, .3])
        canvas.paint(look.brow_dark * stroke(x, y, line, width.tolist(), .05), look.hair_tone)
        furrow = [(side * .055, BROW_Y + .12), (side * .075, BROW_Y - .07)]
        canvas.shade(.5 * units[4] * stroke(x, y, furrow, [.014, .006], .05))


def forehead(canvas: Canvas, x: Array, y: Array, look: Look, units: Units) -> None:
    """Lines across the forehead: over its whole width for AU1+2, in the middle for AU1 alone."""
    reach = .16 + .26 * units[2]
    strength = .35 * units[1] * (.45 + .55 * units[2]) + .08 * look.age
    for height in (-.62, -.71):
        line = y - height - look.brow_y + .05 * np.cos(x * 5) * (1 - units[4])
        canvas.shade(strength * cover(np.abs(line) - .009, .05) * cover(np.abs(x) - reach, .2))


def nose(canvas: Canvas, x: Array, y: Array, look: Look, units: Units) -> None:
    """Ridge, wings and nostrils; AU9 shortens the nose, widens the wings and wrinkles its root."""
    base = NOSE_Y + look.nose_length - .055 * units[9] - .015 * units[10]
    wide = look.nose_width * (1 + .2 * units[9] + .1 * units[12] + .06 * units[10])
    ridge = spot(x, y, (0, base - .27), (.055, .24))
    canvas.shade(-.12 * ridge - .16 * spot(x, y, (0, base - .07), (.06, .06)))
    for side in SIDES:
        flank = bend((side * .09, -.22), (side * .05, 0), (side * wide, base - .05))
        canvas.shade((.13 + .1 * side * look.light[0]) * stroke(x, y, flank, [.03] * 5, .12))
        wing = bend((side * wide, base - .1), (side * (wide + .05), base), (side * wide * .6, base + .005))
        canvas.shade((.3 + .2 * units[9]) * stroke(x, y, wing, [.014] * 5, .06))
        canvas.shade(.6 * spot(x, y, (side * wide * .52, base), (.04, .028)))
        for step in (0., .075):
            line = bend((side * .13, -.17 + step), (side * .06, -.1 + step), (0, -.12 + step))
            canvas.shade(.45 * units[9] * stroke(x, y, line, [.012] * 5, .05))
    canvas.shade(.18 * spot(x, y, (0, base + .05), (.13, .05)))


def cheeks(canvas: Canvas, x: Array, y: Array, look: Look, sided: tuple[Units, Units]) -> None:
    """Cheek bulge (AU6, AU12) and the fold from nose to mouth (AU9, AU10, AU12)."""
    for side, units in zip(SIDES, sided, strict=True):
        smile = .5 * (units[6] + units[12])
        canvas.shade(-(.05 + .16 * smile) * spot(x, y, (side * .43, .17 - .06 * smile), (.17, .14)))
        canvas.shade(.12 * smile * spot(x, y, (side * .47, .36), (.12, .09)))
        lift = max(units[9], units[10])
        top = (side * (look.nose_width + .05), NOSE_Y - .04 - .08 * lift)
        end = (side * (look.mouth_width + .1 + .08 * units[12]),
               MOUTH_Y + .04 - .06 * units[12] + .05 * units[15])
        middle = (side * (look.nose_width + .15 + .1 * smile + .07 * lift), NOSE_Y + .04 - .02 * lift)
        strength = .1 + .14 * look.age + .32 * units[12] + .4 * lift + .1 * units[20]
        canvas.shade(strength * stroke(x, y, bend(top, middle, end), [.016, .018, .018, .014, .006], .07))


def mouth_corners(look: Look, sided: tuple[Units, Units]) -> tuple[float, tuple[float, float]]:
    """(half width of the mouth, y of its left and right corner)."""
    both = {unit: .5 * (sided[0][unit] + sided[1][unit]) for unit in sided[0]}
    wide = look.mouth_width * (1 + .28 * both[12] + .5 * both[20] + .06 * both[15] - .12 * both[23]
                               - .12 * both[24] - .1 * both[26] - .26 * both[27] - .06 * both[17])
    heights = [MOUTH_Y - .14 * u[12] + .1 * u[15] + .06 * u[20] + .03 * u[26] + .1 * u[27] for u in sided]
    return wide, (heights[0], heights[1])


def mouth(canvas: Canvas, x: Array, y: Array, look: Look, sided: tuple[Units, Units]) -> None:
    """Lips, teeth and the shadows around them."""
    both = {unit: .5 * (sided[0][unit] + sided[1][unit]) for unit in sided[0]}
    wide, corners = mouth_corners(look, sided)
    t = np.clip(x / wide, -1, 1)
    arch = 1 - t**2
    ends = corners[0] + (corners[1] - corners[0]) * (t + 1) / 2
    middle = MOUTH_Y + .03 * both[12] - .05 * both[17] - .03 * both[15] - .03 * both[10]
    line = middle + (ends - middle) * np.abs(t) ** 1.6
    gap = both[25] * (.075 + .12 * both[20] + .03 * both[12]) + .15 * both[26] + .3 * both[27]
    opening = gap * arch ** (.7 - .25 * both[27] - .35 * both[20])
    top = line - (.25 * opening + .05 * both[10] * arch)
    bottom = line + .75 * opening + .03 * both[10] * both[25] * arch
    thin = (1 - .6 * both[23]) * (1 - .65 * both[24]) * (1 - .25 * both[12]) * (1 - .35 * both[20])
    bow = 1 - .3 * np.exp(-((t / .2) ** 2))
    above = top - look.lip * thin * (.9 + .2 * both[10]) * arch**.8 * bow
    below = bottom + look.lip * thin * (1.25 + .25 * both[17]) * arch**.8
    within = np.abs(x) - wide
    canvas.shade(.2 * spot(x, y, (0, MOUTH_Y + .2 + .7 * gap), (.2, .05)) * (1 + .8 * both[17]))
    canvas.paint(.85 * cover(np.maximum(np.maximum(above - y, y - below), within)), look.lip_tone)
    canvas.shade(-.18 * spot(x, y, (0, float(bottom[0, bottom.shape[1] // 2]) + .05), (.12, .03)))
    inside = cover(np.maximum(np.maximum(top - y, y - bottom), within)) * np.clip(gap / .03, 0, 1)
    canvas.paint(inside, .07)
    canvas.paint(inside * both[27] * spot(x, y, (0, MOUTH_Y + .8 * gap), (.16, .08)), .32)
    show = np.clip(1.1 * both[12] + 1.2 * both[10] + 1.2 * both[20] + .4 * both[25] - .3 * both[27], 0, 1)
    canvas.paint(inside * show * cover(y - top - .07 * arch**.5, .03), .88)
    canvas.paint(inside * both[20] * cover(bottom - .06 * arch**.5 - y, .03), .85)
    canvas.paint(cover(np.abs(y - line) - .012, .05) * cover(within) * np.clip(1 - gap / .06, 0, 1), .15)
    _around_mouth(canvas, x, y, both, wide, corners)


def _around_mouth(canvas: Canvas, x: Array, y: Array, units: Units, wide: float,
                  corners: tuple[float, float]) -> None:
    """Shadows at the mouth's corners, lines down from them (AU15), the bulging chin (AU17)."""
    for side, height in zip(SIDES, corners, strict=True):
        depth = .25 + .3 * units[12] + .25 * units[15] + .15 * units[20] + .2 * units[24]
        canvas.shade(depth * spot(x, y, (side * (wide + .02), height), (.04, .045)))
        droop = [(side * (wide + .02), height), (side * (wide + .06), height + .13)]
        canvas.shade(.4 * units[15] * stroke(x, y, droop, [.014, .006], .06))
        canvas.shade(.25 * units[17] * spot(x, y, (side * .13, .8), (.05, .04)))
    canvas.shade(-.15 * units[17] * spot(x, y, (0, .79), (.11, .08)))
    pit = bend((-.14, .71), (0, .63), (.14, .71))
    canvas.shade(.35 * units[17] * stroke(x, y, pit, [.01, .018, .02, .018, .01], .06))
