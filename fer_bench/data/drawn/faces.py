"""One synthetic face from its id. Read it for the order in which head, features and disturbances are painted.

Every random number is a function of the id and of what it is for, so that a face can be drawn by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from fer_bench.data.drawn import features
from fer_bench.data.drawn.canvas import Array, Canvas, cover, grid, photograph, spot, stroke
from fer_bench.data.drawn.features import EYE_Y, MOUTH_Y, NOSE_Y, SIDES
from fer_bench.data.drawn.look import Look, Pose, draw_look, draw_pose, face_coordinates
from fer_bench.data.drawn.units import UNITS, Expression, draw_expression, draw_votes

VERSION = 1  # a new version is a new dataset: all faces change
OCCLUDED = .08  # share of faces with something in front of them


@dataclass(frozen=True)
class Face:
    """One drawn face. image: uint8 [48, 48]; votes: uint8 [7], sum 10; expression holds label and units."""

    image: Array
    votes: Array
    expression: Expression


def stream(face_id: str, purpose: str) -> np.random.Generator:
    """The random numbers of one face for one purpose."""
    key = blake2b(f"synthetic|{VERSION}|{face_id}|{purpose}".encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))


def draw_face(face_id: str, label: int) -> Face:
    """Draw the face ``face_id`` of class ``label`` (0..6)."""
    expression = draw_expression(label, stream(face_id, "expression"))
    votes = draw_votes(expression.units, stream(face_id, "votes"))
    look, pose = draw_look(stream(face_id, "look")), draw_pose(stream(face_id, "pose"))
    tone = paint_face(look, pose, expression.units, stream(face_id, "details"))
    return Face(photograph(tone, stream(face_id, "camera")), votes, expression)


def paint_face(look: Look, pose: Pose, units: Mapping[int, float], rng: np.random.Generator) -> Array:
    """Reflected light of the whole picture before the camera, float64 [96, 96].

    units: intensity by AU number; missing ones are 0. rng: asymmetry, backdrop, hair strands, occlusion.
    """
    sided = _sides(units, rng)
    both = {unit: units.get(unit, 0.) for unit in UNITS}
    x, y, head_x, head_y = face_coordinates(pose)
    canvas = Canvas(look.backdrop)
    _backdrop(canvas, rng)
    _behind(canvas, head_x, head_y, look)
    jaw_drop = .05 * both[26] + .13 * both[27]
    face, light = _head(head_x, head_y, look, jaw_drop)
    bare = canvas.tone.copy()
    canvas.tone[:] = look.skin
    features.nose(canvas, x - .4 * pose.yaw, y, look, both)
    features.forehead(canvas, x, y, look, both)
    features.cheeks(canvas, x, y, look, sided)
    features.eyes(canvas, x, y, look, sided)
    features.brows(canvas, x, y, look, sided)
    if look.beard:
        _beard(canvas, x, y, look)
    features.mouth(canvas, x, y, look, sided)
    canvas.tone = bare + face * (canvas.tone * light - bare)
    _hair(canvas, head_x, head_y, look, rng)
    if look.glasses:
        _glasses(canvas, x, y, look)
    if rng.random() < OCCLUDED:
        _occlude(canvas, look, rng)
    return canvas.tone


def _sides(units: Mapping[int, float], rng: np.random.Generator) -> tuple[dict[int, float], dict[int, float]]:
    """Intensities of the left and right half of the face: nobody moves both alike."""
    uneven = np.clip(rng.normal(0, .1, len(UNITS)), -.3, .3).tolist()
    left, right = ({unit: min(1., units.get(unit, 0.) * (1 + side * u))
                    for unit, u in zip(UNITS, uneven, strict=True)} for side in SIDES)
    return left, right


def _backdrop(canvas: Canvas, rng: np.random.Generator) -> None:
    x, y = grid()
    for _ in range(3):
        centre, radius = rng.uniform(-1, 1, 2), rng.uniform(.2, .8, 2)
        canvas.paint(.6 * spot(x, y, tuple(centre), tuple(radius)), rng.uniform(.05, .95))


def _behind(canvas: Canvas, x: Array, y: Array, look: Look) -> None:
    """Long hair, neck, shoulders and ears: what the head covers."""
    if look.hair == "long":
        mane = np.maximum(np.abs(x) - look.head_width - .1 - .06 * np.cos(y * 3), y - 1.1)
        canvas.paint(cover(mane, .08), look.hair_tone * .85)
    shoulders = np.maximum(.95 + .35 * x**2 - y, np.abs(x) - 1.5)
    canvas.paint(cover(shoulders, .06), look.backdrop * .5 + .12)
    neck = np.maximum(np.abs(x) - .38 - .1 * np.clip(y - .85, 0, 1), .4 - y)
    canvas.paint(cover(neck, .06), look.skin * .6)
    for side in SIDES:
        ear = ((x - side * look.head_width) / .1) ** 2 + ((y + .02) / .2) ** 2
        canvas.paint(cover(np.sqrt(ear) - 1, .25), look.skin * .72)


def _head(x: Array, y: Array, look: Look, jaw_drop: float) -> tuple[Array, Array]:
    """(coverage of the head, light that its round form catches): float64 [96, 96] each."""
    below = np.clip(y / (look.head_height + jaw_drop), 0, 1.5)
    width = look.head_width * (1 - look.jaw * below**1.5)
    height = np.where(y > 0, look.head_height - .03 + jaw_drop, look.head_height + .02)
    across, down = x / width, y / height
    radius = np.sqrt(np.abs(across) ** 2.3 + np.abs(down) ** 2.3)
    depth = np.sqrt(np.clip(1.15 - across**2 * .9 - down**2 * .6, .02, None))
    length = np.sqrt(across**2 + down**2 * .5 + depth**2)
    facing = (across * look.light[0] + .7 * down * look.light[1] + depth * look.light[2]) / length
    return cover(radius - 1, .06), .42 + .68 * np.clip(facing, 0, 1.2)


def _hair(canvas: Canvas, x: Array, y: Array, look: Look, rng: np.random.Generator) -> None:
    """Hair in front of the head, by style, with strands."""
    phase, density = rng.uniform(0, 6), rng.uniform(18, 34)
    if look.hair == "bald":
        return
    skull = np.sqrt((x / (look.head_width + .07)) ** 2 + (y / (look.head_height + .1)) ** 2) - 1
    shift, depth, power = look.parting if look.hair == "parted" else 0., .55, 3.
    line = look.hairline
    if look.hair == "fringe":
        line, depth, power = line + .2, .3, 6.
    elif look.hair == "receding":
        line, depth, power = line - .1, .65, 2.5
    elif look.hair == "long":
        depth, power = 1.5, 4.
    edge = line + depth * np.abs((x - shift) / (look.head_width + .05 + abs(shift))) ** power
    edge = edge + .008 * np.sin(density * x + phase)
    strands = 1 + .16 * np.sin(density * (x + .25 * y) + phase) * np.sin(.4 * density * x)
    bound = np.maximum(np.maximum(skull, y - 1.), y - edge)
    canvas.paint(cover(bound, .07), look.hair_tone * strands * (1.25 - .25 * y))


def _beard(canvas: Canvas, x: Array, y: Array, look: Look) -> None:
    """Full beard and moustache, under the mouth in painting order."""
    line = MOUTH_Y + .1 - 1. * np.clip(np.abs(x) - .25, 0, None) ** 1.2
    canvas.paint(look.beard * cover(line - y, .2), look.hair_tone * 1.1)
    lip = NOSE_Y + .2 + .4 * x**2
    band = np.maximum(np.abs(y - lip) - .055, np.abs(x) - look.mouth_width * 1.05)
    canvas.paint(look.beard * cover(band, .08), look.hair_tone * 1.1)


def _glasses(canvas: Canvas, x: Array, y: Array, look: Look) -> None:
    for side in SIDES:
        across, down = np.abs((x - side * look.eye_gap) / .25), np.abs((y - EYE_Y - .02) / .19)
        ring = (across**3 + down**3) ** (1 / 3)
        canvas.paint(.12 * cover(ring - 1, .2), .95)
        canvas.paint(cover(np.abs(ring - 1) - .07, .2), look.glasses)
        temple = [(side * (look.eye_gap + .25), EYE_Y - .03), (side * (look.head_width - .03), EYE_Y - .05)]
        canvas.paint(stroke(x, y, temple, [.018, .018]), look.glasses)
    canvas.paint(stroke(x, y, [(-.1, EYE_Y), (.1, EYE_Y)], [.018, .018]), look.glasses)


def _occlude(canvas: Canvas, look: Look, rng: np.random.Generator) -> None:
    """A hand from below, or a bar, in front of part of the face."""
    x, y = grid()
    if rng.random() < .5:
        reach, root = rng.uniform(.15, .6), rng.uniform(-.7, .7)
        lean = -.35 * root + rng.uniform(-.15, .15)
        for finger in range(4):
            tip = (root + lean + .17 * (finger - 1.5), reach + .05 * (finger - 1.3) ** 2)
            line = [(root + .16 * (finger - 1.5), 1.05), tip]
            canvas.paint(stroke(x, y, line, [.1, .085]), look.skin * .55)
            canvas.paint(stroke(x, y, line, [.075, .06], .08), look.skin * .95)
        return
    angle, place = rng.uniform(-.5, .5) + (np.pi / 2) * int(rng.integers(2)), rng.uniform(-.75, .75)
    across = x * np.cos(angle) + y * np.sin(angle) - place
    canvas.paint(cover(np.abs(across) - rng.uniform(.08, .2)), rng.uniform(.05, .9))
