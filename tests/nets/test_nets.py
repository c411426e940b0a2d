"""Backbones and the strict loader of pre-trained weights."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from timm.models.resnet import BasicBlock, ResNet

from fer_bench.errors import UserError
from fer_bench.nets.backbone import backbone_maker, make_trunk, read_checkpoint

NAME = "resnet10-w16"


def weights(seed: int = 3, channels: int = 1) -> dict[str, torch.Tensor]:
    """A state_dict of the slim network, its weights drawn from a seed."""
    torch.manual_seed(seed)
    trunk = make_trunk(NAME, channels)
    return {k: torch.rand_like(v) if v.is_floating_point() else v for k, v in trunk.state_dict().items()}


def saved(tmp_path, content):
    path = tmp_path / "weights.pth"
    torch.save(content, path)
    return path


def load(path):
    return backbone_maker(NAME, 1, 3, False, str(path))().trunk.state_dict()


def prefixed(state, prefix):
    return {prefix + key: value for key, value in state.items()}


FORMS = {
    "plain": lambda s: s,
    "wrapped in state_dict": lambda s: {"state_dict": s, "epoch": 3},
    "wrapped in model": lambda s: {"model": s},
    "wrapped in net": lambda s: {"net": s, "optimizer": {"state": {}}},
    "wrapped in model_state_dict": lambda s: {"iter": 7, "model_state_dict": prefixed(s, "module.")},
    "wrapped twice": lambda s: {"model": {"state_dict": s}},
    "with a numpy number beside it": lambda s: {"state_dict": s, "best_prec1": np.float64(0.875), "n": np.int64(3)},
    "with 79,077 people": lambda s: {"state_dict": prefixed({**s, "fc.weight": torch.ones(79077, 1)}, "module.")},
    "with 8,631 people": lambda s: {**s, "classifier.weight": torch.ones(8631, 1)},
    "with module.": lambda s: {"state_dict": prefixed(s, "module.")},
    "with backbone.": lambda s: prefixed(s, "module.backbone."),
    "with fc": lambda s: {**s, "fc.weight": torch.ones(7, 128), "fc.bias": torch.ones(7)},
    "with feature": lambda s: {**s, "module.feature.weight": torch.ones(256, 128)},
    "without counters": lambda s: {k: v for k, v in s.items() if not k.endswith("num_batches_tracked")},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_usual_form_of_checkpoint_loads_bit_for_bit(tmp_path, form):
    state = weights()
    loaded = load(saved(tmp_path, FORMS[form](state)))
    assert all(torch.equal(loaded[k], state[k]) for k in state if not k.endswith("num_batches_tracked"))


def test_safetensors_load_bit_for_bit(tmp_path):
    state = weights()
    save_file(state, tmp_path / "weights.safetensors")
    loaded = load(tmp_path / "weights.safetensors")
    assert torch.equal(loaded["conv1.0.weight"], state["conv1.0.weight"])


def test_the_classifier_is_dropped(tmp_path):
    one = torch.ones(1)
    assert list(read_checkpoint(saved(tmp_path, {"fc.weight": one, "feature.bias": one, "a": one}))) == ["a"]


def refusal(tmp_path, state) -> str:
    with pytest.raises(UserError) as refused:
        load(saved(tmp_path, state))
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_missing_key_is_named(tmp_path):
    state = weights()
    del state["layer1.0.conv1.weight"]
    assert "1 missing (layer1.0.conv1.weight)" in refusal(tmp_path, state)


def test_an_extra_key_is_named(tmp_path):
    assert "1 unknown (layer9.weight)" in refusal(tmp_path, {**weights(), "layer9.weight": torch.ones(1)})


def test_another_shape_is_named(tmp_path):
    line = refusal(tmp_path, weights(channels=3))
    assert "1 of another shape (conv1.0.weight (8, 3, 3, 3) instead of (8, 1, 3, 3))" in line


def test_many_keys_are_counted_and_five_shown(tmp_path):
    line = refusal(tmp_path, {"weight": torch.ones(1)})
    assert " missing (" in line and line.count(".weight") <= 5 and ", ...)" in line


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(UserError, match="not a whole file of tensors"):
        read_checkpoint(path)


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    assert "expected a state_dict of tensors" in refusal(tmp_path, [torch.ones(1)])


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_checkpoint(tmp_path / "absent.pth")


def test_values_that_cannot_be_are_refused(tmp_path):
    state = weights()
    state["layer1.0.conv1.weight"][0, 0, 0, 0] = float("nan")
    assert "'layer1.0.conv1.weight' has values that are not finite" in refusal(tmp_path, state)
    state = weights()
    state["bn1.running_var"][3] = -1e-3
    assert "'bn1.running_var' has a variance below zero" in refusal(tmp_path, state)


@pytest.mark.parametrize(("content", "line"), [
    (b"", "an empty file"), (b"<!DOCTYPE html><title>Google Drive", "a web page, not a file of tensors"),
    (b"PK\x03\x04 cut off", "not a whole file of tensors")])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_what_a_failed_download_leaves_is_said_for_what_it_is(tmp_path, content, line, suffix):
    path = (tmp_path / "weights").with_suffix(suffix)
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        read_checkpoint(path)
    assert line in str(error.value) and not {"weights_only", "pickle", "\x1b"} & set(str(error.value).split())


def test_a_folder_is_said_to_be_one(tmp_path):
    with pytest.raises(UserError, match="a folder, expected a file of tensors in it"):
        read_checkpoint(tmp_path)


def test_the_keys_of_another_content_are_named(tmp_path):
    line = refusal(tmp_path, {"epoch": 3, "weights": weights(), "opt": {}})
    assert "found 'epoch', 'weights', 'opt', expected a state_dict of tensors, alone or under state_dict, model" in line


def test_insightface_networks_load_with_their_descriptor_s_layers(tmp_path):
    """Names as deepinsight/insightface's iresnet.py gives them: no norm is called as another's, and fc and features are
    dropped."""
    own = make_trunk("iresnet18", 3).state_dict()
    assert {"prelu.weight", "layer1.0.bn3.weight", "layer2.0.downsample.1.bias", "bn2.running_mean"} <= own.keys()
    torch.save({**own, "fc.weight": torch.ones(512, 25088), "features.weight": torch.ones(512)}, tmp_path / "ir18.pth")
    made = backbone_maker("iresnet18", 3, 7, False, str(tmp_path / "ir18.pth"))()
    assert made.features(torch.zeros(2, 3, 112, 112)).shape == (2, 512, 7, 7)
    count = sum(value.numel() for key, value in make_trunk("iresnet50", 3).named_parameters())
    assert count == 43_590_848 - 512 * (25_088 + 1) - 2 * 512  # of the whole network, less fc and features


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_code_in_a_pickle_is_never_run(tmp_path):
    line = refusal(tmp_path, {**weights(), "trap": Trap(tmp_path / "sprung")})
    assert not (tmp_path / "sprung").exists() and "never run" in line


def test_an_unknown_backbone_gives_the_near_match():
    with pytest.raises(UserError, match="did you mean resnet18"):
        make_trunk("resnet_18", 3)


@pytest.mark.parametrize(("name", "channels", "dim"), [("resnet10-w16", 1, 128), ("resnet10-w24", 3, 192)])
def test_slim_networks_have_the_promised_shapes(name, channels, dim):
    net = backbone_maker(name, channels, 7, False, "none")()
    maps = net.features(torch.zeros(2, channels, 48, 48))
    assert maps.shape == (2, dim, 6, 6) or maps.shape == (2, dim, 3, 3)
    assert net.embed(torch.zeros(2, channels, 48, 48)).shape == (2, net.dim) == (2, dim)


@pytest.mark.parametrize(("name", "width", "channels"), [("resnet10-w16", 16, 1), ("resnet10-w24", 24, 3)])
def test_slim_networks_are_timm_s_bit_for_bit(name, width, channels):
    torch.manual_seed(3)
    ours = make_trunk(name, channels)
    torch.manual_seed(3)
    theirs = ResNet(BasicBlock, (1, 1, 1, 1), num_classes=0, in_chans=channels, stem_type="deep",
                    stem_width=width // 2, channels=(width, 2 * width, 4 * width, 8 * width))
    theirs.maxpool = torch.nn.Identity()
    state = theirs.state_dict()
    assert list(ours.state_dict()) == list(state)
    assert all(torch.equal(value, state[key]) for key, value in ours.state_dict().items())
    for block in (ours.layer2[0], theirs.layer2[0]):  # zero at first: a block that is only its shortcut shows little
        torch.nn.init.constant_(block.bn2.weight, 0.7)
    images = torch.randn(4, channels, 48, 48)
    assert torch.equal(ours.forward_features(images), theirs.forward_features(images))
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        one.grad = other.grad = None
    ours.forward_features(images).square().mean().backward()
    theirs.forward_features(images).square().mean().backward()
    assert all(torch.equal(a.grad, b.grad) for a, b in zip(ours.parameters(), theirs.parameters(), strict=True))
    assert ours.num_features == theirs.num_features


def test_logits_are_the_head_of_the_mean_features():
    net = backbone_maker(NAME, 1, 3, False, "none")().eval()
    images = torch.rand(2, 1, 32, 32)
    assert torch.allclose(net(images), net.features(images).mean((2, 3)) @ net.head.weight.T + net.head.bias, atol=1e-6)


def test_bf16_gives_float32_outputs_near_the_exact_ones():
    torch.manual_seed(0)
    net = backbone_maker(NAME, 1, 3, False, "none")().eval()
    images = torch.rand(4, 1, 32, 32)
    exact = net(images)
    net.bf16 = True
    rough = net(images)
    assert rough.dtype == torch.float32 and 0 < (rough - exact).abs().max() < 0.1


def test_reading_weights_leaves_the_random_numbers_alone(tmp_path):
    path = saved(tmp_path, weights())
    torch.manual_seed(5)
    backbone_maker(NAME, 1, 3, False, str(path))
    after = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(1))
