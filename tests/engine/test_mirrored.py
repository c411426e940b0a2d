"""A mirrored view: the mirror image of the first but for pixel noise and erasing, as EAC's maps need it."""

from __future__ import annotations

import pytest
import torch
from tinydata import CPU, RECIPE, batches, tiny_data

from fer_bench.engine.data import TrainingData
from fer_bench.method import Batch, Method
from fer_bench.protocols.protocol import Augment


class Nothing(Method):
    def __init__(self) -> None:
        torch.nn.Module.__init__(self)


def first_batch(**changes: float) -> Batch:
    augment = Augment(shift=3, erase_scale=(0.02, 0.1), **changes)
    data = TrainingData(tiny_data().train, RECIPE.model_copy(update={"augment": augment}), 0, CPU)
    data.declare({"mirrored": {"mirror": True}})
    return next(batches(data, Nothing(), 0))


@pytest.mark.parametrize("flip", [0.0, 0.5, 1.0])
def test_it_is_the_mirror_image_whatever_the_flip_and_shift_of_the_first(flip):
    batch = first_batch(flip=flip)
    assert torch.equal(batch.view("mirrored"), batch.images.flip(-1))
    assert not torch.equal(batch.second_view(), batch.images)


def test_erasing_and_pixel_noise_are_its_own():
    batch = first_batch(flip=0.5, erase=1.0)
    view, mirror = batch.view("mirrored"), batch.images.flip(-1)
    kept = (view != 0) & (mirror != 0)
    assert torch.equal(view[kept], mirror[kept]) and 0.5 < kept.float().mean() < 0.95
    assert ((view == 0) & (mirror != 0)).any() and ((view != 0) & (mirror == 0)).any()
    noisy = first_batch(flip=0.5, noise=1.0)
    assert not torch.equal(noisy.view("mirrored"), noisy.images.flip(-1))
