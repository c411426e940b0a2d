"""Every augmentation against the library or the literal loop that it stands for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import ks_2samp
from tinydata import batches as tiny_batches
from torchvision.transforms import RandomErasing

from fer_bench.engine import augment
from fer_bench.engine.data import TrainingData
from fer_bench.engine.keyed import generator
from fer_bench.engine.resize import resize
from fer_bench.method import Method
from fer_bench.protocols.prepare import Faces
from fer_bench.protocols.protocol import Augment, Recipe


def recipe(size: int = 16, colour: str = "grey", **changes) -> Recipe:
    channels = 1 if colour == "grey" else 3
    return Recipe(name="t", title="t", backbone="resnet10-w16", image_size=size, colour=colour, epochs=2, batch_size=8,
                  lr=0.1, schedule="constant", mean=(0.5,) * channels, std=(0.25,) * channels,
                  augment=Augment(**changes))


def random_images(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("shape", "size"), [((100, 100), 224), ((48, 48), 64), ((100, 100), 64), ((7, 7), 13),
                                             ((40, 60), 32), ((33, 20), 48), ((48, 30), 48), ((16, 16), 16)])
def test_resize_is_pillow_s_bit_for_bit(shape, size, channels):
    images = random_images(3, *shape, channels)
    images[0] = (images[0] > 127) * 255
    resized = resize(images, size)
    for ours, image in zip(resized, images.squeeze(-1) if channels == 1 else images, strict=True):
        theirs = np.asarray(Image.fromarray(image.numpy()).resize((size, size), Image.Resampling.BILINEAR))
        assert np.array_equal(ours.squeeze(-1).numpy() if channels == 1 else ours.numpy(), theirs)


def test_grey_is_pillow_s_luma():
    images = random_images(2, 16, 16, 3)
    ours = augment.normalise(images, recipe()) * 0.25 + 0.5
    theirs = [np.asarray(Image.fromarray(image.numpy()).convert("L")) for image in images]
    assert np.array_equal((ours[:, 0] * 255).round().numpy(), np.stack(theirs))


def test_normalise_is_pixels_minus_mean_over_std():
    images = random_images(2, 16, 16, 3)
    ours = augment.normalise(images, recipe(colour="rgb"))
    assert torch.allclose(ours, (images.permute(0, 3, 1, 2) / 255 - 0.5) / 0.25)


def test_a_grey_face_becomes_three_equal_channels_of_a_colour_recipe():
    ours = augment.normalise(random_images(2, 16, 16, 1), recipe(colour="rgb"))
    assert ours.shape == (2, 3, 16, 16) and torch.equal(ours[:, 0], ours[:, 2])


def theirs_and_ours(scale: tuple[float, float], size: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (top, left, height, width) of torchvision and of the suite."""
    torch.manual_seed(1)
    image = torch.ones(1, size, size)
    theirs = []
    for _ in range(count):
        top, left, height, width, _ = RandomErasing.get_params(image, scale, (0.3, 3.3), [0.0])
        theirs.append((top, left, height, width) if height < size or width < size else (0, 0, 0, 0))
    ours = augment.draw_boxes(Augment(erase=1, erase_scale=scale), count, size, generator("boxes"))
    return np.array(theirs, dtype=float), ours.numpy()


@pytest.mark.parametrize(("scale", "size"), [((0.02, 0.25), 224), ((0.02, 0.33), 48), ((0.02, 0.9), 48)])
def test_erased_boxes_are_distributed_as_torchvision_s(scale, size):
    theirs, ours = theirs_and_ours(scale, size, 6000)
    for measure in (lambda b: b[:, 2] * b[:, 3], lambda b: b[:, 2] / np.maximum(b[:, 3], 1), lambda b: b[:, 0],
                    lambda b: b[:, 1], lambda b: b[:, 2]):
        assert ks_2samp(measure(theirs), measure(ours)).pvalue > 1e-3


def test_erased_boxes_lie_inside_the_image():
    box = augment.draw_boxes(Augment(erase=1, erase_scale=(0.02, 1.0)), 20000, 16, generator("inside"))
    box = box[box[:, 2] > 0]
    assert (box >= 0).all() and (box[:, 0] + box[:, 2] <= 16).all() and (box[:, 1] + box[:, 3] <= 16).all()


def test_the_erased_share_is_the_probability():
    box = augment.draw_boxes(Augment(erase=0.3), 20000, 48, generator("share"))
    assert abs((box[:, 2] > 0).float().mean() - 0.3) < 4 * (0.3 * 0.7 / 20000) ** 0.5


def test_erase_sets_the_rectangle_to_zero_and_nothing_else():
    images = torch.rand(3, 1, 16, 16) + 1
    boxes = [(2, 3, 4, 5), (0, 0, 0, 0), (10, 0, 6, 15)]
    expected = images.clone()
    for face, (top, left, height, width) in enumerate(boxes):
        expected[face, :, top : top + height, left : left + width] = 0
    assert torch.equal(augment.erase(images, torch.tensor(boxes, dtype=torch.float32)), expected)


def standard(images, name):
    return torch.randn(images.shape, generator=generator(name))


def test_pixel_noise_is_clipped_and_truncated_as_numpy_s():
    images = random_images(2, 16, 16, 1)
    ours = augment.add_pixel_noise(images, torch.tensor([True, True]), 30.0, standard(images, "n"))
    noise = torch.randn(images.shape, generator=generator("n")).numpy() * np.float32(30**0.5)
    assert np.array_equal(ours.numpy(), np.clip(images.numpy() + noise, 0, 255).astype(np.uint8))


def test_pixel_noise_lowers_the_mean_by_half_a_level():
    images = torch.full((40, 64, 64, 1), 128, dtype=torch.uint8)
    changed = augment.add_pixel_noise(images, torch.ones(40, dtype=torch.bool), 30.0, standard(images, "mean"))
    residual = changed.float() - 128
    assert abs(residual.mean() + 0.5) < 0.06 and abs(residual.var() - 30 - 1 / 12) < 0.5


def test_pixel_noise_spares_the_faces_that_were_not_drawn():
    images = random_images(2, 8, 8, 1)
    changed = augment.add_pixel_noise(images, torch.tensor([False, True]), 30.0, standard(images, "n"))
    assert torch.equal(changed[0], images[0]) and not torch.equal(changed[1], images[1])


def test_shift_is_pad_and_crop():
    images, pad = torch.rand(9, 2, 12, 12), 3
    shift = torch.tensor([(r, c) for r in (-3, 0, 2) for c in (-1, 0, 3)])
    padded = torch.nn.functional.pad(images, (pad,) * 4)
    expected = [p[:, pad + r : pad + r + 12, pad + c : pad + c + 12] for p, (r, c) in zip(padded, shift, strict=True)]
    assert torch.equal(augment.shift_images(images, shift), torch.stack(expected))


def test_shifts_are_uniform_over_the_range():
    drawn = augment.draw_view(recipe(shift=2), 20000, 0, 0, 0)["shift"]
    counts = torch.bincount(drawn.flatten() + 2, minlength=5)
    assert len(counts) == 5 and (counts - 8000).abs().max() < 4 * (40000 * 0.2 * 0.8) ** 0.5


def test_flip_mirrors_the_drawn_faces():
    images, flip = random_images(4, 16, 16, 1), torch.tensor([True, False, True, False])
    drawn = {"flip": flip}
    ours = augment.augment_batch(images, drawn, recipe(flip=0.5), None)
    plain = augment.normalise(images, recipe())
    assert torch.equal(ours[0], plain[0].flip(-1)) and torch.equal(ours[1], plain[1])


def test_no_augmentation_is_plain_normalisation():
    images = random_images(4, 16, 16, 1)
    drawn = augment.draw_view(recipe(), 4, 0, 0, 0)
    ours = augment.augment_batch(images, drawn, recipe(), None)
    assert torch.equal(ours, augment.normalise(images, recipe()))


class Drawing(Method):
    """A method that draws a lot, to show that this moves nothing else."""

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)

    def draw(self, rng, size):
        return {"numbers": torch.rand(1000, generator=rng)}


class Quiet(Drawing):
    def draw(self, rng, size):
        torch.rand(17)
        return {}


CHANGES = {"noise": 0.5, "flip": 0.5, "shift": 2, "erase": 0.5}


def data(seed: int = 0, **changes: float) -> TrainingData:
    labels = np.arange(30) % 3
    faces = Faces(random_images(30, 16, 16).numpy(), labels, labels, tuple(map(str, range(30))), None)
    return TrainingData(faces, recipe(**(CHANGES | changes)), seed, torch.device("cpu"))


def batches(seed: int, epoch: int, method: Method, second: bool = False) -> torch.Tensor:
    return torch.cat([b.second_view() if second else b.images for b in tiny_batches(data(seed), method, epoch)])


def test_order_is_a_permutation():
    index = torch.cat([b.index for b in tiny_batches(data(), Quiet(), 0)])
    assert index.tolist() != list(range(30)) and sorted(index.tolist()) == list(range(30))


def test_images_and_labels_belong_to_their_index():
    plain = data()
    plain.recipe = recipe()
    for batch in tiny_batches(plain, Quiet(), 0):
        assert torch.equal(batch.labels, batch.index % 3)
        assert torch.equal(batch.images, augment.normalise(plain.images[batch.index], recipe()))


def test_the_last_batch_is_kept_though_smaller():
    assert [len(b.labels) for b in tiny_batches(data(), Quiet(), 0)] == [8, 8, 8, 6] and data().steps == 4


def test_faces_do_not_depend_on_the_method():
    assert torch.equal(batches(0, 1, Quiet()), batches(0, 1, Drawing()))


@pytest.mark.parametrize("other", [(1, 1), (0, 0)])
def test_faces_depend_on_seed_and_epoch(other):
    assert not torch.equal(batches(0, 1, Quiet()), batches(*other, Quiet()))


def test_an_epoch_does_not_depend_on_what_ran_before():
    one = data()
    list(tiny_batches(one, Quiet(), 0))
    assert torch.equal(torch.cat([b.images for b in tiny_batches(one, Quiet(), 1)]), batches(0, 1, Quiet()))


def test_the_second_view_is_another_one():
    first, second = batches(0, 1, Quiet()), batches(0, 1, Quiet(), second=True)
    assert not any(torch.equal(a, b) for a, b in zip(first[:10], second[:10], strict=True))


def test_the_first_view_does_not_depend_on_the_second():
    seen = []
    for batch in tiny_batches(data(), Quiet(), 1):
        batch.second_view()
        seen.append(batch.images)
    assert torch.equal(torch.cat(seen), batches(0, 1, Quiet()))


def test_method_draws_depend_on_seed_epoch_and_step_alone():
    drawn = [b.draws["numbers"] for b in tiny_batches(data(), Drawing(), 0)]
    again = [b.draws["numbers"] for b in tiny_batches(data(), Drawing(), 0)]
    assert torch.equal(drawn[1], again[1]) and not torch.equal(drawn[0], drawn[1])
