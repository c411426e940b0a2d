"""The embedded dataset: frozen bytes, code that still draws them, faces that show what they say."""

from __future__ import annotations

import time

import numpy as np
import pytest

from fer_bench.data.drawn.canvas import LEVELS
from fer_bench.data.drawn.faces import draw_face, paint_face, stream
from fer_bench.data.drawn.features import mouth_corners
from fer_bench.data.drawn.look import Look, Pose, draw_look
from fer_bench.data.drawn.synthetic import COUNTS, Faces, load, names
from fer_bench.data.drawn.units import CLASSES, PROTOTYPES, UNITS, draw_votes

GOLDEN = "732ce8a0716d7f9f776ae015da986becac99152b28940fc9c3a868d372be3b36"
FRONTAL = Pose(roll=0., yaw=0., pitch=0., scale=1., slide=(0., 0.), mirror=1)


@pytest.fixture(scope="module")
def faces() -> Faces:
    return load()


def look() -> Look:
    """One identity without hair over the brows, beard or glasses."""
    return draw_look(stream("test look 3", "look"))


def painted(units: dict[int, float]) -> np.ndarray:
    return paint_face(look(), FRONTAL, units, np.random.default_rng(4))


def test_frozen_bytes_are_the_golden_ones(faces: Faces) -> None:
    assert faces.digest() == GOLDEN


def test_loading_is_quick() -> None:
    began = time.process_time()
    load()
    assert time.process_time() - began < .5


def test_faces_drawn_anew_equal_the_frozen_ones(faces: Faces) -> None:
    for row in range(7, 4000, 67):
        face = draw_face(faces.ids[row], int(faces.labels[row]))
        steps = np.abs(face.image.astype(int) - faces.images[row]) * LEVELS // 256
        assert steps.max() <= 1 and (steps > 0).mean() < .01, faces.ids[row]
        assert face.votes.tolist() == faces.votes[row].tolist()
        assert face.expression.second == faces.blend[row]


def test_counts(faces: Faces) -> None:
    for split, counts in COUNTS.items():
        assert tuple(np.bincount(faces.labels[faces.split == split], minlength=7)) == counts
    assert sum(COUNTS["train"]) == 3000 and sum(COUNTS["test"]) == 1000
    assert faces.images.shape == (4000, 48, 48) and faces.images.dtype == np.uint8
    assert len(set(faces.ids)) == 4000 and (faces.labels == names()[2]).all()


def test_ids_are_in_no_order_of_classes(faces: Faces) -> None:
    for start in range(0, 4000, 200):
        assert len(set(faces.labels[start : start + 200].tolist())) >= 5


def test_no_image_twice(faces: Faces) -> None:
    assert len({image.tobytes() for image in faces.images}) == 4000


def test_votes(faces: Faces) -> None:
    assert (faces.votes.sum(axis=1) == 10).all()
    rows, blend = np.arange(4000), faces.blend >= 0
    own = faces.votes[rows, faces.labels].astype(float)
    assert own[~blend].mean() > 8.5
    assert (faces.votes.argmax(axis=1) == faces.labels).mean() > .9
    second = faces.votes[rows, faces.blend][blend].astype(float)
    others = (10 - own[blend] - second) / 5
    assert own[blend].mean() > 4 and second.mean() > 2 and second.mean() > 5 * others.mean()
    assert .08 < blend.mean() < .14


@pytest.mark.parametrize("label", range(7))
def test_a_prototype_gets_its_own_votes(label: int) -> None:
    prototype = PROTOTYPES[CLASSES[label]]
    votes = np.stack([draw_votes(prototype, stream(str(i), "votes")) for i in range(20)])
    assert votes[:, label].mean() >= 8.5


def test_lip_corners_move() -> None:
    rest = dict.fromkeys(UNITS, 0.)
    calm, smile, sad = (mouth_corners(look(), (u, u)) for u in (rest, rest | {12: 1.}, rest | {15: 1.}))
    assert max(smile[1]) < min(calm[1]) < min(sad[1])  # y points down
    assert smile[0] > calm[0]


def dark_row(picture: np.ndarray, rows: slice, columns: slice) -> float:
    """Mean row of the darkest points of a part of the picture, weighted by how dark they are."""
    part = picture[rows, columns]
    weight = np.clip(np.quantile(part, .15) - part, 0, None)
    return float((weight.sum(axis=1) * np.arange(len(part))).sum() / weight.sum())


def test_brows_and_mouth_move_in_the_drawing() -> None:
    calm = painted({})
    inner = slice(36, 44), slice(16, 32)  # columns and rows of the left brow's inner end
    raised, lowered = painted({1: 1.}), painted({4: 1.})
    rows, columns = inner[1], inner[0]
    assert dark_row(raised, rows, columns) < dark_row(calm, rows, columns) < dark_row(lowered, rows, columns)
    mouth = slice(70, 88), slice(40, 56)
    assert painted({25: 1., 26: 1.})[mouth].min() < .6 * calm[mouth].mean()
    assert (painted({27: 1., 25: 1.})[mouth] < .15).sum() > 30 + (calm[mouth] < .15).sum()
