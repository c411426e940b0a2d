"""dlib's network against a literal forward pass, and what batch norm put in leaves as it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from made_package import files, forward, shapes
from torch import nn

from fer_bench.errors import UserError
from fer_bench.nets.backbone import backbone_maker, make_trunk
from fer_bench.nets.dlib_face import DlibFace, from_package
from fer_bench.nets.statistics import give_statistics, has_statistics
from fer_bench.weights.tfjs import decode

TENSORS = decode(*files())


def network() -> DlibFace:
    """The network with the made tensors."""
    trunk = DlibFace(3).eval()
    state = from_package(TENSORS)
    state.pop("fc.weight")
    trunk.load_state_dict(state, strict=False)
    return trunk


def faces(count: int = 3, size: int = 150, seed: int = 1) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).uniform(-0.5, 0.5, (count, 3, size, size)).astype(np.float32))


def test_the_package_has_the_tensors_of_its_source():
    assert len(shapes()) == 117
    assert sum(int(np.prod(shape)) for name, shape in shapes().items() if "conv/bias" not in name) == 5_611_040


def test_it_is_the_package_s_network():
    images = faces()
    with torch.no_grad():
        maps = network().forward_features(images)
        found = maps.mean((2, 3)) @ from_package(TENSORS)["fc.weight"].T
    expected = forward(TENSORS, images.permute(0, 2, 3, 1).numpy().astype(float))
    assert maps.shape == (3, 256, 2, 2)
    assert np.abs(expected).max() > 0.1 and np.abs(found.numpy() - expected).max() < 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize(("size", "rows"), [(64, 3), (96, 2), (112, 3), (128, 3), (150, 2), (224, 3)])
def test_maps_never_shrink_to_a_point(size, rows):
    trunk = make_trunk("dlib-face", 3).eval()
    assert trunk.forward_features(torch.zeros(1, 3, size, size)).shape == (1, 256, rows, rows)


def test_faces_that_are_too_small_are_refused():
    with pytest.raises(UserError, match="64 pixels and more, found 48"):
        make_trunk("dlib-face", 3).forward_features(torch.zeros(1, 3, 48, 48))


def test_statistics_change_nothing_in_evaluation():
    trunk, images = network(), faces(20, 112)
    state = trunk.state_dict()
    assert not has_statistics(state)
    with torch.no_grad():
        before = trunk.forward_features(images[:5])
        give_statistics(trunk, images)
        after = trunk.forward_features(images[:5])
    assert has_statistics(trunk.state_dict()) and not trunk.training
    assert (after - before).abs().max() < 1e-4 * before.abs().max()


def test_statistics_are_those_of_what_each_norm_is_given():
    trunk, images = network(), faces(70, 112)  # more than one batch of them
    given: dict[nn.Module, torch.Tensor] = {}
    for module in trunk.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_pre_hook(lambda module, inputs: given.__setitem__(module, inputs[0].clone()))
    with torch.no_grad():
        trunk.forward_features(images)
        inputs = dict(given)
        give_statistics(trunk, images)
    for module, values in inputs.items():
        assert torch.allclose(module.running_mean, values.mean((0, 2, 3)), rtol=1e-4, atol=1e-4)
        assert torch.allclose(module.running_var, values.var((0, 2, 3), correction=0), rtol=1e-3, atol=1e-5)


def test_in_training_on_those_faces_nothing_changes_either():
    """With the statistics of its own batch a batch norm says the same in training as in evaluation."""
    trunk, images = network(), faces(20, 112)
    with torch.no_grad():
        give_statistics(trunk, images)
        evaluated = trunk.forward_features(images)
        trained = trunk.train().forward_features(images)
    assert (trained - evaluated).abs().max() < 1e-3 * evaluated.abs().max()


def test_every_backbone_of_a_run_starts_from_the_same_statistics(tmp_path):
    path = tmp_path / "dlib.pth"
    torch.save(from_package(TENSORS), path)
    asked = []

    def some() -> torch.Tensor:
        asked.append(1)
        return faces(8, 112)

    make = backbone_maker("dlib-face", 3, 7, False, str(path), faces=some)
    one, other = make().trunk.state_dict(), make().trunk.state_dict()
    assert len(asked) == 1 and has_statistics(one)
    assert all(torch.equal(one[key], other[key]) for key in one)
    torch.save(one, path)  # a checkpoint that has statistics keeps them
    backbone_maker("dlib-face", 3, 7, False, str(path), faces=some)
    assert len(asked) == 1


def test_a_tensor_too_many_or_too_few_is_named():
    with pytest.raises(UserError, match="1 tensors too many, first 'conv9/bias'"):
        from_package({**TENSORS, "conv9/bias": np.zeros(3, np.float32)})
    with pytest.raises(UserError, match="'conv64_2/conv1/scale/biases' is missing"):
        from_package({key: value for key, value in TENSORS.items() if key != "conv64_2/conv1/scale/biases"})


def test_bf16_is_near(tmp_path):
    torch.save(from_package(TENSORS), tmp_path / "w.pth")
    exact, rough = (backbone_maker("dlib-face", 3, 7, bf16, str(tmp_path / "w.pth"))().eval() for bf16 in (False, True))
    with torch.no_grad():
        one, other = exact.features(faces(2, 112)), rough.features(faces(2, 112))
    assert other.dtype == torch.float32 and 0 < (one - other).abs().max() < 0.05 * one.abs().max()


def test_another_kernel_would_be_noticed():
    """The literal forward pass is 20 times nearer than this to the network with one transposed kernel."""
    images = faces(1)
    expected = forward(TENSORS, images.permute(0, 2, 3, 1).numpy().astype(float))
    state = from_package(TENSORS)
    for key in ("layer2.0.conv1.weight", "conv1.weight", "layer4.2.conv2.weight"):
        trunk = network()
        trunk.load_state_dict({**trunk.state_dict(), key: state[key].transpose(2, 3)})
        with torch.no_grad():
            found = trunk.forward_features(images).mean((2, 3)) @ state["fc.weight"].T
        assert np.abs(found.numpy() - expected).max() > 2e-3 * np.abs(expected).max(), key
