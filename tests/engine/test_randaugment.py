"""RandAugment's operations against Pillow's, face by face, and how they are drawn."""

import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from fer_bench.engine import randaugment as ra
from fer_bench.engine.keyed import generator

SIZE, LEVEL = 24, 0.7
FACTOR = 0.1 + 1.8 * LEVEL


def faces(channels: int, count: int = 6) -> torch.Tensor:
    """Smooth grey values of another range in each face, with noise; the last but one has one value, the last two."""
    rng = generator("faces", channels)
    y, x = torch.linspace(0, 1, SIZE).view(-1, 1, 1), torch.linspace(0, 1, SIZE).view(1, -1, 1)
    low = torch.linspace(0, 90, count).view(-1, 1, 1, 1)
    waves = (1 + (6 * x + 4 * y + torch.arange(channels)).sin()) / 2
    found = low + (160 - low) * waves + 8 * torch.randn(count, SIZE, SIZE, channels, generator=rng)
    found[-2], found[-1] = 77, torch.where(x < 0.5, 10.0, 200.0)
    return found.clamp(0, 255).to(torch.uint8)


def pillow(images: torch.Tensor, change) -> torch.Tensor:
    """What Pillow makes of each face."""
    made = []
    for face in images:
        image = Image.fromarray(face.squeeze(-1).numpy())
        made.append(torch.tensor(list(change(image).tobytes()), dtype=torch.uint8).view(face.shape))
    return torch.stack(made)


BY_VALUE = {
    "identity": lambda image: image,
    "autocontrast": ImageOps.autocontrast,
    "equalize": ImageOps.equalize,
    "solarize": lambda image: ImageOps.solarize(image, int(256 * LEVEL)),
    "contrast": lambda image: ImageEnhance.Contrast(image).enhance(FACTOR),
    "brightness": lambda image: ImageEnhance.Brightness(image).enhance(FACTOR),
    "sharpness": lambda image: ImageEnhance.Sharpness(image).enhance(FACTOR),
    "color": lambda image: ImageEnhance.Color(image).enhance(FACTOR),
    "posterize": lambda image: ImageOps.posterize(image, int(4 * LEVEL)),
}


def operated(images: torch.Tensor, name: str, sign: float = 1.0, level: float = LEVEL) -> torch.Tensor:
    count = len(images)
    return ra.operate(images, torch.full((count,), ra.OPERATIONS.index(name)), torch.full((count,), sign), level)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("name", BY_VALUE)
def test_what_changes_values_is_pillow_s_to_the_bit(name, channels):
    images = faces(channels)
    found = operated(images, name)
    assert torch.equal(found, pillow(images, BY_VALUE[name]))
    assert name == "identity" or (name == "color" and channels == 1) or not torch.equal(found, images)


def test_a_face_is_changed_by_its_own_operation_alone():
    images = faces(1)
    names = ("equalize", "rotate", "identity", "solarize", "shear-x", "sharpness")
    kinds = torch.tensor([ra.OPERATIONS.index(name) for name in names])
    found = ra.operate(images, kinds, torch.ones(6), LEVEL)
    for row, kind in enumerate(kinds.tolist()):
        assert torch.equal(found[row], operated(images, ra.OPERATIONS[kind])[row])


def moved_by_pillow(name: str, sign: float):
    amount = sign * LEVEL
    if name == "rotate":
        return lambda image: image.rotate(ra.DEGREES * amount, Image.Resampling.BILINEAR, fillcolor=ra.FILL)
    shear, shift = ra.SHEAR * amount, ra.SHIFT * SIZE * amount
    matrix = {"shear-x": (1, shear, 0, 0, 1, 0), "shear-y": (1, 0, 0, shear, 1, 0),
              "translate-x": (1, 0, shift, 0, 1, 0), "translate-y": (1, 0, 0, 0, 1, shift)}[name]
    return lambda image: image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR,
                                         fillcolor=ra.FILL)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("name", ["rotate", "shear-x", "shear-y", "translate-x", "translate-y"])
def test_what_moves_a_face_is_pillow_s_but_for_rounding_and_the_blend_at_the_border(name, sign):
    images = faces(1)
    found, expected = operated(images, name, sign).int(), pillow(images, moved_by_pillow(name, sign)).int()
    apart = (found - expected).abs().float()
    assert (apart <= 2).float().mean() > 0.93 and not torch.equal(found, images.int())
    assert (apart[:, 3:-3, 3:-3] <= 2).float().mean() > 0.97


def test_operations_are_drawn_evenly_and_each_is_left_out_by_even_chance():
    drawn = ra.draw_operations(30000, 2, generator("draw"))
    counts = torch.bincount(drawn["operation"].flatten(), minlength=14) / 60000
    assert counts[1:].tolist() == pytest.approx([0.5 / 14] * 13, abs=0.004)
    assert float(counts[0]) == pytest.approx(0.5 + 0.5 / 14, abs=0.01)
    assert drawn["sign"].unique().tolist() == [-1, 1] and float(drawn["sign"].mean()) == pytest.approx(0, abs=0.02)


def test_operations_follow_one_another():
    images = faces(1)
    kinds = torch.tensor([[2, 4]] * 6)
    once = ra.operate(images, kinds[:, 0], torch.ones(6), 0.5)
    twice = ra.operate(once, kinds[:, 1], torch.ones(6), 0.5)
    assert torch.equal(ra.randaugment(images, kinds, torch.ones(6, 2), 5.0), twice)
