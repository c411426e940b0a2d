"""Who a synthetic face belongs to and how it is turned: read it for identity and pose and their ranges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fer_bench.data.drawn.canvas import Array, grid

HAIR_STYLES = ("short", "fringe", "parted", "long", "receding", "bald")


@dataclass(frozen=True)
class Look:
    """One identity. Lengths in face units (the picture is two wide), tones 0 (black) .. 1 (white)."""

    skin: float
    hair_tone: float
    lip_tone: float
    iris: float
    backdrop: float
    head_width: float
    head_height: float
    jaw: float  # how much the face narrows towards the chin
    eye_gap: float
    eye_width: float
    eye_height: float
    eye_tilt: float
    lashes: float
    brow_y: float
    brow_arch: float
    brow_width: float
    brow_dark: float
    nose_length: float
    nose_width: float
    mouth_width: float
    lip: float
    age: float
    hair: str
    hairline: float
    parting: float
    beard: float
    glasses: float
    gaze: tuple[float, float]
    light: tuple[float, float, float]


def draw_look(rng: np.random.Generator) -> Look:
    """Draw one identity."""
    skin = rng.uniform(.55, .9)
    fair = rng.random()  # fair hair is rarer, and rarer still with dark skin
    hair_tone = float(rng.uniform(.06, .22) if fair < .7 or skin < .55 else rng.uniform(.3, .62))
    made_up, grown, wears = rng.random(), rng.random(), rng.random()
    bearded = grown < .2
    angle = rng.uniform(-1.2, 1.2)
    style = HAIR_STYLES[int(rng.integers(2, 6))] if bearded else HAIR_STYLES[int(rng.integers(0, 5))]
    return Look(
        skin=skin, hair_tone=hair_tone,
        lip_tone=skin * (rng.uniform(.45, .6) if made_up < .3 else rng.uniform(.62, .8)),
        iris=rng.uniform(.1, .38), backdrop=rng.uniform(.1, .85),
        head_width=rng.uniform(.68, .79), head_height=rng.uniform(.93, 1.02), jaw=rng.uniform(.12, .34),
        eye_gap=rng.uniform(.31, .36), eye_width=rng.uniform(.16, .195), eye_height=rng.uniform(.072, .096),
        eye_tilt=rng.uniform(-.05, .06), lashes=float(made_up < .3),
        brow_y=rng.uniform(-.03, .03), brow_arch=rng.uniform(.01, .055), brow_width=rng.uniform(.02, .042),
        brow_dark=rng.uniform(.6, .95), nose_length=rng.uniform(-.03, .05), nose_width=rng.uniform(.1, .15),
        mouth_width=rng.uniform(.25, .32), lip=rng.uniform(.04, .075), age=rng.uniform(0, 1) ** 1.5,
        hair="short" if style == "bald" and rng.random() < .3 else style, hairline=rng.uniform(-.82, -.7),
        parting=rng.uniform(-.3, .3), beard=float(rng.uniform(.35, .85) if bearded else 0.),
        glasses=float(rng.uniform(.05, .3) if wears < .13 else 0.),
        gaze=(rng.uniform(-.035, .035), rng.uniform(-.012, .015)),
        light=(float(np.sin(angle)) * .8, rng.uniform(-.55, -.1), .75),
    )


@dataclass(frozen=True)
class Pose:
    """How a face is turned. roll: radians; yaw, pitch: shifts of the face's middle; slide: face units."""

    roll: float
    yaw: float
    pitch: float
    scale: float
    slide: tuple[float, float]
    mirror: int  # -1 or 1: which side is which


def draw_pose(rng: np.random.Generator) -> Pose:
    """Draw one pose; most are near frontal, as in cropped photographs."""
    roll, yaw, pitch = rng.standard_normal(3)
    return Pose(
        roll=float(np.clip(roll, -2.2, 2.2)) * .07, yaw=float(np.clip(yaw, -2, 2)) * .05,
        pitch=float(np.clip(pitch, -2, 2)) * .03, scale=rng.uniform(1.06, 1.22),
        slide=(rng.uniform(-.075, .075), rng.uniform(-.075, .075)), mirror=int(rng.integers(2)) * 2 - 1,
    )


def face_coordinates(pose: Pose) -> tuple[Array, Array, Array, Array]:
    """Positions of the grid on the face, float64 [96, 96] each: (x, y) of its features, (x, y) of the head.

    Features slide over the head as it turns (yaw, pitch): most in its middle, not at its rim.
    """
    x, y = grid()
    x, y = x - pose.slide[0], y - pose.slide[1]
    cos, sin = np.cos(pose.roll) / pose.scale, np.sin(pose.roll) / pose.scale
    head_x, head_y = pose.mirror * (x * cos + y * sin), y * cos - x * sin
    rim = np.clip(1 - head_x**2, 0, 1)
    return (head_x - pose.yaw * rim, head_y - pose.pitch * np.clip(1 - head_y**2, 0, 1),
            head_x - .25 * pose.yaw, head_y)
