"""Faces on their way from stored pixels to a network: batched, on the device, every draw keyed by (seed, epoch, view).

Same steps, order and distributions as the per-image pipelines of the reference repositories (SCN, RUL, EAC, NLA):
pixel noise on uint8, Pillow's resize, crop, flip, RandAugment, cutout, normalise, shift, erase.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor

from fer_bench.engine.keyed import generator
from fer_bench.engine.randaugment import FILL, draw_operations, grey, randaugment
from fer_bench.engine.resize import resize
from fer_bench.protocols.protocol import Augment, Recipe

ERASE_RATIO = (0.3, 3.3)  # torchvision's RandomErasing
ERASE_TRIES = 10


def draw_view(recipe: Recipe, count: int, seed: int, epoch: int, view: str) -> dict[str, Tensor]:
    """The augmentation of every training face in one epoch, by row: CPU tensors of length ``count``.

    noisy, flip: bool [N]. shift, crop: int64 [N, 2], rows and columns. box: float32 [N, 4], top, left, height, width.
    operation, sign: of ``draw_operations``. centre: float32 [N, 2], of the cutout, as shares of the side.
    """
    rng, augment, size = generator("augment", seed, epoch, view), recipe.augment, recipe.image_size
    drawn = {
        "noisy": torch.rand(count, generator=rng) < augment.noise,
        "flip": torch.rand(count, generator=rng) < augment.flip,
        "shift": torch.randint(-augment.shift, augment.shift + 1, (count, 2), generator=rng),
        "box": draw_boxes(augment, count, size, rng),
    }
    if augment.crop:
        border = min(pixels_of(augment.crop, size), size - 1)
        drawn["crop"] = torch.randint(-border, border + 1, (count, 2), generator=rng)
    if augment.randaugment:
        drawn |= draw_operations(count, augment.randaugment, rng)
    if augment.cutout:
        drawn["centre"] = torch.rand(count, 2, generator=rng)
    return drawn


def pixels_of(share: float, size: int) -> int:
    """A share of the side in whole pixels, at least one."""
    return max(1, round(share * size))


def draw_boxes(augment: Augment, count: int, size: int, rng: torch.Generator) -> Tensor:
    """Erased rectangles, float32 [N, 4]; zero size where nothing is erased. torchvision's RandomErasing: up to ten
    tries of (area, ratio), the first that fits inside the image counts, none when no try fits."""
    area = size * size * torch.empty(count, ERASE_TRIES).uniform_(*augment.erase_scale, generator=rng)
    low, high = (math.log(r) for r in ERASE_RATIO)
    ratio = torch.empty(count, ERASE_TRIES).uniform_(low, high, generator=rng).exp()
    height, width = (area * ratio).sqrt().round(), (area / ratio).sqrt().round()
    fits = (height < size) & (width < size)
    first = fits.int().argmax(1, keepdim=True)
    height, width = height.gather(1, first).squeeze(1), width.gather(1, first).squeeze(1)
    place = torch.rand(count, 2, generator=rng)
    top, left = (place[:, 0] * (size - height + 1)).floor(), (place[:, 1] * (size - width + 1)).floor()
    erased = fits.any(1) & (torch.rand(count, generator=rng) < augment.erase)
    return torch.stack([top, left, height * erased, width * erased], 1)


def add_pixel_noise(images: Tensor, noisy: Tensor, variance: float, noise: Tensor) -> Tensor:
    """Gaussian noise on uint8 [B, H, W, C] where ``noisy`` [B]: added, clipped, truncated as numpy's astype does.

    noise: standard normal, float32 [B, H, W, C].
    """
    changed = (images + noise * math.sqrt(variance)).clamp_(0, 255).to(torch.uint8)
    return torch.where(noisy.view(-1, 1, 1, 1), changed, images)


def shift_images(images: Tensor, shift: Tensor) -> Tensor:
    """Move float [B, C, S, S] by ``shift`` [B, 2] rows and columns; what comes in from outside is zero."""
    size = images.shape[-1]
    place = torch.arange(size, device=images.device)
    rows, columns = place + shift[:, :1], place + shift[:, 1:]  # [B, S]
    inside = ((rows >= 0) & (rows < size))[:, None, :, None] & ((columns >= 0) & (columns < size))[:, None, None, :]
    faces = torch.arange(len(images), device=images.device).view(-1, 1, 1)
    moved = images.permute(0, 2, 3, 1)[faces, rows.clamp(0, size - 1)[:, :, None], columns.clamp(0, size - 1)[:, None]]
    return moved.permute(0, 3, 1, 2) * inside


def erase(images: Tensor, box: Tensor) -> Tensor:
    """Set the rectangles ``box`` [B, 4] of normalised images [B, C, S, S] to zero."""
    place = torch.arange(images.shape[-1], device=images.device, dtype=torch.float32)
    top, left, height, width = (box[:, i].view(-1, 1) for i in range(4))
    rows = (place >= top) & (place < top + height)
    columns = (place >= left) & (place < left + width)
    return images.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], 0)


def crop_images(images: Tensor, shift: Tensor) -> Tensor:
    """Move uint8 [B, S, S, C] by ``shift`` [B, 2] rows and columns; what comes in from outside is reflected."""
    last = images.shape[1] - 1  # at most as far as this is reflected
    place = torch.arange(last + 1, device=images.device)
    rows, columns = ((last - (last - (place + offset).abs()).abs()) for offset in (shift[:, :1], shift[:, 1:]))
    faces = torch.arange(len(images), device=images.device).view(-1, 1, 1)
    return images[faces, rows[:, :, None], columns[:, None]]


def cut_out(images: Tensor, centre: Tensor, share: float) -> Tensor:
    """Set a square of uint8 [B, S, S, C], this share of the side long, to grey; cut off at the border. centre: [B, 2]
    of 0..1, where its middle is, or the lower right of its four middle pixels."""
    size = images.shape[1]
    place, side = torch.arange(size, device=images.device), pixels_of(share, size)
    first = [(size * at).floor() - side // 2 for at in (centre[:, :1], centre[:, 1:])]  # [B, 1] each
    rows, columns = ((place >= start) & (place < start + side) for start in first)
    return images.masked_fill((rows[:, :, None] & columns[:, None])[..., None], FILL)


def normalise(images: Tensor, recipe: Recipe) -> Tensor:
    """Plain faces, as they are predicted: uint8 [B, H, W, 1 or 3] to float32 [B, C, S, S]."""
    return to_float(fit_bytes(images, recipe), recipe)


def fit_bytes(images: Tensor, recipe: Recipe) -> Tensor:
    """uint8 [B, H, W, 1 or 3] resized to [B, S, S, C]. A colour face is made grey for a grey recipe."""
    images = resize(images, recipe.image_size)
    return grey(images) if recipe.colour == "grey" else images


def to_float(images: Tensor, recipe: Recipe) -> Tensor:
    """uint8 [B, S, S, C] to float32 [B, C, S, S], channels last: (x / 255 - mean) / std. A grey face becomes three
    equal channels for a colour recipe."""
    mean, std = constant(recipe.mean, images.device), constant(recipe.std, images.device)
    pixels = ((images.float() / 255 - mean) / std).permute(0, 3, 1, 2)
    return pixels.contiguous(memory_format=torch.channels_last)


@cache
def constant(values: tuple[float, ...], device: torch.device) -> Tensor:
    """A few numbers on a device, put there once: a copy in every step would wait for the device."""
    return torch.tensor(values).to(device)


def augment_batch(images: Tensor, draws: dict[str, Tensor], recipe: Recipe, noise: Tensor | None,
                  mirrored: dict[str, Tensor] | None = None) -> Tensor:
    """Stored uint8 [B, H, W, C] to a training batch float32 [B, C, S, S]; ``draws`` are the rows of ``draw_view``,
    ``noise`` standard normal numbers of the images' shape, if the recipe adds any.

    mirrored: the draws of another view, whose mirror image these faces shall be in flip, shift and crop.
    """
    augment = recipe.augment
    if mirrored is not None:
        draws = draws | as_mirror_image(mirrored)
    if noise is not None:
        images = add_pixel_noise(images, draws["noisy"], augment.noise_variance, noise)
    images = fit_bytes(images, recipe)
    if augment.crop:
        images = crop_images(images, draws["crop"])
    if augment.flip or mirrored is not None:  # while they are bytes, since those are a quarter to move
        images = torch.where(draws["flip"].view(-1, 1, 1, 1), images.flip(2), images)
    if augment.randaugment:
        images = randaugment(images, draws["operation"], draws["sign"], augment.magnitude)
    if augment.cutout:
        images = cut_out(images, draws["centre"], augment.cutout)
    pixels = to_float(images, recipe)
    if augment.shift:
        pixels = shift_images(pixels, draws["shift"])
    if augment.erase:
        pixels = erase(pixels, draws["box"])
    return pixels.contiguous(memory_format=torch.channels_last)


def as_mirror_image(draws: dict[str, Tensor]) -> dict[str, Tensor]:
    """The draws that show each face as the mirror image of what ``draws`` show."""
    rows, columns = draws["shift"].unbind(1)
    return {"flip": ~draws["flip"], "shift": torch.stack([rows, -columns], 1)} | {
        name: draws[name] for name in ("crop",) if name in draws}  # it comes before the flip
