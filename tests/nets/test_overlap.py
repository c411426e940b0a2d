"""The helper thread of the slim networks changes no bit of a gradient, and nobody has to know of it."""

from __future__ import annotations

import copy
import os
from unittest.mock import patch

import pytest
import torch
from torch.nn import functional as F

from fer_bench.nets import overlap, slim
from fer_bench.nets.backbone import backbone_maker


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def network(bf16: bool = False):
    """A slim network whose every layer has a gradient: the last norms of its blocks begin at one, not zero."""
    torch.manual_seed(0)
    net = backbone_maker("resnet10-w16", 1, 4, bf16, "none")().to(memory_format=torch.channels_last)
    for module in net.modules():
        if isinstance(module, slim.Block):
            torch.nn.init.ones_(module.bn2.weight)
    return net


def gradients(net, passes: int = 1, size: int = 24) -> dict[str, torch.Tensor]:
    """Of a loss over some passes of one network, as a two-view method has them."""
    images = torch.randn(passes, 14, 1, size, size, generator=torch.Generator().manual_seed(1))
    losses = [F.cross_entropy(net(view.to(memory_format=torch.channels_last)), torch.arange(14) % 4) for view in images]
    torch.stack(losses).sum().backward()
    return {name: p.grad for name, p in net.named_parameters() if p.grad is not None}


def without_helper(act, *arguments, **more):
    with patch.object(slim, "promise_gradients", lambda network: None):
        return act(*arguments, **more)


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("passes", [1, 2, 3])
@pytest.mark.parametrize("size", [24, 48])
def test_the_bits_are_those_without_it(bf16, passes, size):
    found = gradients(network(bf16), passes, size)
    expected = without_helper(gradients, network(bf16), passes, size)
    assert found.keys() == expected.keys() and len(found) > 30
    assert all(torch.equal(found[name], expected[name]) for name in found)


def test_it_is_used_and_only_where_it_may(monkeypatch):
    asked = []
    monkeypatch.setattr(overlap, "helper", lambda process, real=overlap.helper: asked.append(process) or real(process))
    gradients(network())
    assert asked == [os.getpid()] * 14, "every convolution of the network, once"
    asked.clear()
    torch.set_num_threads(2)
    gradients(network())
    torch.set_num_threads(1)
    with torch.no_grad():
        network()(torch.zeros(2, 1, 24, 24))
    assert not asked


def test_frozen_layers_and_partial_gradients():
    def frozen(net):
        for p in net.trunk.layer1.parameters():
            p.requires_grad_(False)
        return net

    found, expected = gradients(frozen(network())), without_helper(gradients, frozen(network()))
    assert not any("layer1" in name for name in found)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    net = network()
    weight = net.trunk.layer2[0].conv1.weight
    loss = net(torch.ones(4, 1, 24, 24)).square().sum()
    assert torch.autograd.grad(loss, [weight])[0].abs().sum() > 0 and weight.grad is None


def test_a_network_can_be_copied_and_saved_after_a_pass():
    net = network()
    gradients(net)
    twin = copy.deepcopy(net)
    assert all(module.promised is None for module in twin.modules() if isinstance(module, overlap.Conv2d))
    assert twin.state_dict().keys() == net.state_dict().keys()


def test_a_forked_child_has_a_helper_of_its_own():
    gradients(network())
    child = os.fork()
    if not child:
        os._exit(0 if torch.isfinite(gradients(network())["head.weight"]).all() else 1)
    assert os.waitpid(child, 0)[1] == 0
