"""RandAugment on batches of bytes: a few operations of a list, one after the other, each drawn for each face.

The list, ranges and the half chance of each operation are those of MAN's strong view (zzzzzzyang/MAN randaugument.py at
df07e3f, as FixMatch has it in PyTorch); each operation gives what Pillow's gives. Whatever changes a pixel by its value
alone is a look-up table for each face, so that a batch is looked up once for all of them.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

OPERATIONS = ("identity", "autocontrast", "equalize", "rotate", "solarize", "color", "contrast", "brightness",
              "sharpness", "shear-x", "shear-y", "translate-x", "translate-y", "posterize")
HIGHEST = 10.0  # of the magnitude
CHANCE = 0.5  # of each operation
DEGREES, SHEAR, SHIFT = 30.0, 0.3, 10 / 224  # at the highest magnitude; SHIFT of the side
FILL = 128  # what comes in from outside
GREY = (19595, 38470, 7471)  # Pillow's weights of red, green and blue, of 65536


def draw_operations(count: int, number: int, rng: torch.Generator) -> dict[str, Tensor]:
    """What happens to each of ``count`` faces, in order: operation int64 [N, number], 0 where chance leaves it out;
    sign float32 [N, number], to which side shears, turns and shifts go."""
    kinds = torch.randint(len(OPERATIONS), (count, number), generator=rng)
    done = torch.rand(count, number, generator=rng) < CHANCE
    sides = torch.randint(2, (count, number), generator=rng)
    return {"operation": kinds * done, "sign": 2.0 * sides - 1}


def randaugment(images: Tensor, operation: Tensor, sign: Tensor, magnitude: float) -> Tensor:
    """uint8 [B, S, S, C] after the operations [B, number], each at ``magnitude`` of 0..10."""
    for kinds, sides in zip(operation.unbind(1), sign.unbind(1), strict=True):
        images = operate(images, kinds, sides, magnitude / HIGHEST)
    return images


def operate(images: Tensor, kinds: Tensor, sign: Tensor, level: float) -> Tensor:
    """One operation for each face. kinds: int64 [B], places in OPERATIONS. level: 0..1."""
    factor = 0.1 + 1.8 * level
    changed = look_up(images, tables(images, kinds, level, factor))
    if images.shape[-1] == 3:
        changed = torch.where(is_one(kinds, "color"), blend(grey(images).expand_as(images), images, factor), changed)
    changed = torch.where(is_one(kinds, "sharpness"), blend(smooth(images), images, factor), changed)
    moving = is_one(kinds, "rotate", "shear-x", "shear-y", "translate-x", "translate-y")
    return torch.where(moving, warp(images, kinds, sign * level), changed)


def is_one(kinds: Tensor, *names: str) -> Tensor:
    """bool [B, 1, 1, 1], where a face's operation is one of these."""
    found = torch.zeros_like(kinds, dtype=torch.bool)
    for name in names:
        found = found | (kinds == OPERATIONS.index(name))
    return found.view(-1, 1, 1, 1)


def tables(images: Tensor, kinds: Tensor, level: float, factor: float) -> Tensor:
    """What each value becomes, uint8 [B, C, 256]; itself, where an operation does not work by values."""
    value, counts = torch.arange(256, device=images.device), histogram(images)
    mean = (grey(images).flatten(1).double().mean(1) + 0.5).floor().view(-1, 1, 1)
    found = value.expand_as(counts)
    for name, table in (
        ("autocontrast", stretched(counts, value)), ("equalize", equalised(counts, value)),
        ("solarize", torch.where(value < int(256 * level), value, 255 - value)),
        ("contrast", blend(mean, value, factor)), ("brightness", blend(torch.zeros_like(mean), value, factor)),
        ("posterize", value & (256 - 2 ** (8 - max(1, int(4 * level))))),
    ):
        found = torch.where(is_one(kinds, name).squeeze(-1), table.long(), found)
    return found.to(torch.uint8)


def histogram(images: Tensor) -> Tensor:
    """Pixels of each value, int64 [B, C, 256]. Counted in one row, which CUDA can do in a fixed order."""
    batch, channels = images.shape[0], images.shape[-1]
    start = 256 * torch.arange(batch * channels, device=images.device).view(batch, 1, 1, channels)
    places = (images + start).flatten()
    counts = torch.zeros(256 * batch * channels, dtype=torch.int64, device=images.device)
    return counts.scatter_add_(0, places, torch.ones_like(places)).view(batch, channels, 256)


def stretched(counts: Tensor, value: Tensor) -> Tensor:
    """Autocontrast's table: least to 0, greatest to 255; nothing changes in a face of one value."""
    low, high = extremes(counts)
    low, span = low.double(), (high - low).double()
    scale = torch.full_like(low, 255) / span.clamp(min=1)  # 255 / x would round twice, by way of 1 / x
    return torch.where(span > 0, (value * scale - low * scale).clamp(0, 255).long(), value)


def equalised(counts: Tensor, value: Tensor) -> Tensor:
    """Equalize's table: each value to its rank; nothing changes where the faces have too few values."""
    below = counts.cumsum(-1) - counts
    step = (below.gather(-1, extremes(counts)[1])) // 255  # all pixels but those of the greatest value
    return torch.where(step > 0, ((below + step // 2) // step.clamp(min=1)).clamp(max=255), value)


def extremes(counts: Tensor) -> tuple[Tensor, Tensor]:
    """The least and the greatest value that occur, int64 [B, C, 1] each."""
    there = (counts > 0).int()
    return there.argmax(-1, keepdim=True), 255 - there.flip(-1).argmax(-1, keepdim=True)


def look_up(images: Tensor, table: Tensor) -> Tensor:
    """uint8 [B, S, S, C] by tables [B, C, 256]."""
    pixels = images.flatten(1, 2).transpose(1, 2).long()
    return table.gather(2, pixels).transpose(1, 2).reshape(images.shape)


def blend(dull: Tensor, images: Tensor, factor: float) -> Tensor:
    """dull + factor (images - dull), cut to 0..255 and truncated as Pillow's ImageEnhance; uint8."""
    dull = dull.float()
    return (dull + factor * (images.float() - dull)).clamp(0, 255).to(torch.uint8)


def grey(images: Tensor) -> Tensor:
    """One channel by Pillow's weights, uint8 [B, S, S, 1]."""
    if images.shape[-1] == 1:
        return images
    red, green, blue = images.int().unbind(-1)
    return ((red * GREY[0] + green * GREY[1] + blue * GREY[2] + 0x8000) >> 16).to(torch.uint8).unsqueeze(-1)


def smooth(images: Tensor) -> Tensor:
    """Pillow's SMOOTH: the eight neighbours with weight 1, the pixel with 5; the border stays. uint8."""
    pixels, found = images.short(), images.clone()
    rows = pixels[:, :-2] + pixels[:, 1:-1] + pixels[:, 2:]
    around = rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:] + 4 * pixels[:, 1:-1, 1:-1]
    found[:, 1:-1, 1:-1] = (2 * around + 13) // 26
    return found


def warp(images: Tensor, kinds: Tensor, amount: Tensor) -> Tensor:
    """Faces turned about their centre, sheared from their corner, or shifted, by ``amount`` [B] of -1..1 of the most;
    bilinear, FILL outside."""
    size = images.shape[1]
    place = (2 * torch.arange(size, device=images.device) + 1) / size - 1
    y, x = place.view(1, -1, 1), place.view(1, 1, -1)

    def by(name: str, most: float) -> Tensor:
        return (amount * most * (kinds == OPERATIONS.index(name))).view(-1, 1, 1)

    turn = by("rotate", math.radians(DEGREES))
    across = turn.cos() * x - turn.sin() * y + by("shear-x", SHEAR) * (y + 1) + by("translate-x", 2 * SHIFT)
    down = turn.cos() * y + turn.sin() * x + by("shear-y", SHEAR) * (x + 1) + by("translate-y", 2 * SHIFT)
    pixels = images.permute(0, 3, 1, 2).float() - FILL
    moved = F.grid_sample(pixels, torch.stack([across, down], -1), align_corners=False)
    return (moved + FILL).round().clamp(0, 255).permute(0, 2, 3, 1).to(torch.uint8)
