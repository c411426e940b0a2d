"""Views that a method declares: whose draws they share, what they show, and what is refused."""

import numpy as np
import pytest
import torch
from tinydata import batches as tiny_batches

from fer_bench.engine import augment
from fer_bench.engine.data import TrainingData
from fer_bench.errors import UserError
from fer_bench.method import Method
from fer_bench.protocols.prepare import Faces
from fer_bench.protocols.protocol import Augment, load_recipe

FACES = 30


def training_data(views=None, seed: int = 0, **changes) -> TrainingData:
    labels = np.arange(FACES) % 3
    images = np.random.default_rng(1).integers(0, 256, (FACES, 16, 16, 1), dtype=np.uint8)
    faces = Faces(images, labels, labels, tuple(map(str, range(FACES))), None)
    recipe = load_recipe("quick").model_copy(
        update={"image_size": 16, "batch_size": 8, "augment": Augment(**({"flip": 0.5} | changes))})
    data = TrainingData(faces, recipe, seed, torch.device("cpu"))
    data.declare(views or {})
    return data


class Quiet(Method):
    def __init__(self) -> None:
        torch.nn.Module.__init__(self)


def seen(data: TrainingData, view: str = "first", epoch: int = 1) -> torch.Tensor:
    """A view of an epoch's faces, in its order."""
    return torch.cat([batch.images if view == "first" else batch.view(view)
                      for batch in tiny_batches(data, Quiet(), epoch)])


ERASING = {"erase": 1.0, "erase_scale": (0.05, 0.25)}


def test_a_first_view_of_one_s_own_has_the_recipe_s_flips_and_its_own_erasing():
    plain, own = seen(training_data()), seen(training_data({"first": ERASING}))
    changed = plain != own
    assert changed.flatten(1).any(1).all() and not own[changed].any()  # what differs is erased, to zero
    shares = changed.flatten(1).float().mean(1)
    assert shares.min() > 0.02 and shares.max() < 0.3


def test_a_mirrored_view_is_the_mirror_image_of_the_first_also_where_that_is_cropped():
    moved = {"crop": 0.2, "shift": 2}
    data = training_data({"first": moved, "turned": {**moved, "mirror": True}})
    assert torch.equal(seen(data, "turned"), seen(data).flip(-1))
    assert not torch.equal(seen(data), seen(training_data()))


def test_a_mirrored_view_erases_for_itself():
    data = training_data({"first": ERASING, "turned": {**ERASING, "mirror": True}})
    first, turned = seen(data) == 0, seen(data, "turned").flip(-1) == 0
    assert not torch.equal(first, turned)


STRONG = {"randaugment": 2, "cutout": 0.2}


def test_methods_share_the_draws_of_a_kind_whatever_they_call_it():
    one, other = training_data({"strong": STRONG}), training_data({"again": dict(reversed(STRONG.items()))})
    assert torch.equal(seen(one, "strong"), seen(other, "again"))
    assert not torch.equal(seen(one, "strong"), seen(training_data({"strong": {**STRONG, "cutout": 0.3}}), "strong"))
    assert torch.equal(seen(one), seen(training_data()))  # the first view is everybody's


def test_two_views_of_one_kind_have_draws_of_their_own():
    data = training_data({"one": STRONG, "two": STRONG})
    assert torch.equal(seen(data, "one"), seen(training_data({"strong": STRONG}), "strong"))
    assert not torch.equal(seen(data, "one"), seen(data, "two"))


def test_a_view_depends_on_seed_and_epoch_alone():
    views = {"strong": STRONG}
    data = training_data(views)
    expected = seen(data, "strong", 2)
    seen(data, "strong", 0)
    assert torch.equal(seen(data, "strong", 2), expected)
    assert not torch.equal(seen(data, "strong", 1), expected)
    assert not torch.equal(seen(training_data(views, seed=1), "strong", 2), expected)


def test_a_strong_view_differs_more_than_a_weak_one():
    weak, strong = training_data({"strong": {}}), training_data({"strong": STRONG})
    plain = torch.cat([augment.normalise(weak.images[b.index], weak.recipe) for b in tiny_batches(weak, Quiet(), 1)])
    gaps = [(seen(data, "strong") - plain).abs().mean() for data in (weak, strong)]
    assert gaps[1] > 1.1 * gaps[0] > 0


def test_crop_is_numpy_s_padding_reflected_and_cut_back():
    images = torch.randint(0, 256, (5, 9, 9, 1), dtype=torch.uint8)
    shift = torch.tensor([[0, 0], [3, -2], [-3, 3], [1, 0], [-1, -3]])
    found = augment.crop_images(images, shift)
    for face, (down, right), made in zip(images, shift.tolist(), found, strict=True):
        padded = np.pad(face.squeeze(-1).numpy(), 3, mode="reflect")
        expected = padded[3 + down : 12 + down, 3 + right : 12 + right]
        assert np.array_equal(made.squeeze(-1).numpy(), expected)


@pytest.mark.parametrize(("share", "pixels"), [(0.3, 6), (0.15, 3), (0.36, 7), (0.01, 1)])
def test_cutout_is_a_grey_square_cut_off_at_the_border(share, pixels):
    images = torch.zeros(40, 20, 20, 1, dtype=torch.uint8)
    centre = torch.rand(40, 2)
    found = augment.cut_out(images, centre, share)
    for face, (y, x) in zip(found, (centre * 20).long().tolist(), strict=True):
        expected = torch.zeros(20, 20, 1, dtype=torch.uint8)
        top, left = y - pixels // 2, x - pixels // 2
        expected[max(top, 0) : top + pixels, max(left, 0) : left + pixels] = 128
        assert torch.equal(face, expected)


def test_a_view_that_is_not_declared_is_named_with_its_neighbour():
    batch = next(iter(tiny_batches(training_data({"strong": STRONG}), Quiet(), 0)))
    with pytest.raises(UserError, match="unknown view 'storng': did you mean strong"):
        batch.view("storng")


@pytest.mark.parametrize(("views", "line"), [
    ({"strong": {"randaugmnet": 2}}, "view 'strong': unknown key 'randaugmnet': did you mean randaugment"),
    ({"strong": {"erase": 2}}, "view 'strong': erase: found 2, input should be less than or equal to 1"),
    ({"strong": {"magnitude": 5}}, "view 'strong': .*a magnitude has no effect without randaugment operations"),
    ({"first": {"mirror": True}}, "view 'first': it is what the others mirror"),
    ({"first": {"randaugment": 1}, "turned": {"mirror": True}}, "view 'turned': RandAugment turns and shears"),
    ({"strong": {"erase": 0.5, "erase_scale": (0.5, 0.1)}}, "view 'strong': erase_scale: found 0.5 to 0.1"),
    ({"strong": {"mirror": 3}}, "view 'strong': mirror: found 3, expected True or False"),
    ({"strong": 5}, "view 'strong': found 5, expected a name"),
    ({3: {}}, "view 3: found {}, expected a name"),
    (["strong"], r"views: found \['strong'\], expected names"),
], ids=["key", "value", "no effect", "first", "turned", "range", "mirror", "number", "no name", "list"])
def test_views_that_cannot_be_are_refused(views, line):
    with pytest.raises(UserError, match=line):
        training_data(views)
