"""What predicts, and what learns: each method's logits, parameter groups and paper recipe, apart from its loss."""

from __future__ import annotations

import math

import pytest
import torch
from test_parity import float64  # noqa: F401
from test_parity_branches import Staged, branch_features, softmax
from test_parity_fer import FACES, IMAGES, RAF, B, Given, build, linear, pooled, random_maps
from tinydata import tiny_trainer
from torch.nn import functional as F

from fer_bench.engine.optim import lr_factor
from fer_bench.protocols.protocol import load_recipe
from fer_bench.registry import load_class, methods

INFOS = methods()[0]
STAGED = ("dmue", "ada-df")


def trained(name):
    """A method whose networks, heads and statistics all differ, in evaluation mode."""
    method = build(name, *(random_maps().detach() for _ in range(3)), counts=RAF,
                   net=Staged if name in STAGED else Given)
    with torch.no_grad():
        for p in method.parameters():
            p.add_(torch.randn_like(p))
        for key, value in method.named_buffers():
            if key.endswith(("running_mean", "running_var")):
                value.add_(torch.rand_like(value))
    return method.eval()


def by_running(x, norm):
    """Batch normalisation of [B, D, ...] by the running statistics, channel by channel."""
    shape = (1, -1, *[1] * (x.dim() - 2))
    mean, deviation = norm.running_mean.view(shape), (norm.running_var + norm.eps).sqrt().view(shape)
    y = (x - mean) / deviation
    return y * norm.weight.view(shape) + norm.bias.view(shape) if norm.affine else y


def of(head, vectors):
    return torch.stack([linear(head, v) for v in vectors])


def first(method):
    return of(method.net.head, pooled(method.net.maps[FACES]))


def of_nets(*names):
    return lambda method: [of(net.head, pooled(net.maps[FACES])) for net in (getattr(method, name) for name in names)]


def mean_of_two(method):
    one, other = of_nets("net", "peer")(method)
    return (one + other) / 2


def cct(method):
    rows = zip(*of_nets("net", "second", "third")(method), strict=True)
    return torch.stack([torch.log(sum(softmax(z) for z in row) / 3) for row in rows])


def rul(method):
    vectors = by_running(method.net.maps[FACES], method.mu.maps).flatten(1)
    return of(method.net.head, by_running(of(method.mu.linear, vectors), method.mu.norm))


def dmue(method):
    return of(method.net.head, by_running(branch_features(method.net.stage, method.net.maps[FACES]), method.neck))


def ada_df(method):
    features = branch_features(method.main, method.net.maps[FACES])
    return torch.stack([torch.sigmoid(linear(method.main_alpha, f)) * linear(method.main_head, f) for f in features])


def scn(method):
    return torch.sigmoid(of(method.importance, pooled(method.net.maps[FACES]))) * first(method)


def post_hoc(method):
    return first(method) - torch.tensor([math.log(n / sum(RAF)) for n in RAF])


def ldam(method):
    rows = [[30 * f @ w / (f.norm() * w.norm()) for w in method.net.head.weight]
            for f in pooled(method.net.maps[FACES])]
    return torch.stack([torch.stack(row) for row in rows])


def dan_head(head, maps):
    def convolved(pair, x):
        return by_running(F.conv2d(x, pair[0].weight, pair[0].bias, padding=pair[0].padding), pair[1])

    squeezed = convolved(head.squeeze, maps)
    pooled_ = pooled(maps * sum(convolved(shape, squeezed) for shape in head.shapes).clamp(min=0).sum(1)[:, None])
    down, norm, _, up = head.channels
    return pooled_ * torch.sigmoid(of(up, by_running(of(down, pooled_), norm).clamp(min=0)))


def dan(method):
    heads = [dan_head(head, method.net.maps[FACES]) for head in method.heads]
    weights = sum(head.exp() for head in heads).log()
    return by_running(of(method.net.head, sum(head - weights for head in heads)), method.norm)


LITERAL = {"rul": rul, "dmue": dmue, "man": mean_of_two, "dividemix": mean_of_two, "cct": cct, "ada-df": ada_df,
           "scn": scn, "dan": dan, "ldam-drw": ldam, "logit-adjustment-post-hoc": post_hoc}


@pytest.mark.parametrize("name", INFOS)
def test_what_predicts(name):
    """Of the others the first network: the student, not its teacher; the first of two, not its peer."""
    method = trained(name)
    with torch.no_grad():
        torch.testing.assert_close(method.predict(IMAGES), LITERAL.get(name, first)(method), rtol=1e-9, atol=1e-10)


def test_cct_s_logits_are_the_mean_probabilities():
    method = trained("cct")
    mean = sum(z.softmax(1) for z in of_nets("net", "second", "third")(method)) / 3
    assert torch.allclose(method.predict(IMAGES).softmax(1), mean, rtol=1e-12)
    assert method.predict(IMAGES).exp().sum(1).tolist() == pytest.approx([1] * B)


@pytest.mark.parametrize("name", INFOS)
def test_every_parameter_that_learns_is_in_one_group_with_its_rate(name):
    values = {key: p.default for key, p in INFOS[name].parameters.items()}
    method = tiny_trainer(load_class(INFOS[name]), values | ({"fc_lr": 10.0} if name == "rul" else {})).method
    groups = method.param_groups(1e-3)
    held = [id(p) for group in groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in method.parameters() if p.requires_grad)
    fast = {id(p) for p in method.net.head.parameters()} if name == "rul" else set()
    for group in groups:
        assert all(group["lr"] == pytest.approx(1e-2 if id(p) in fast else 1e-3) for p in group["params"])


SOURCES = {  # optimiser, weight decay, share of the first rate after 20 epochs
    "soft": ("adam", 0, 1), "cct": ("adam", 0, 0.95 ** 20), "man": ("adam", 1e-4, 0.9 ** 20),
    "rul": ("adam", 1e-4, 0.9 ** 20), "ada-df": ("adam", 0, 0.9 ** 20), "dan": ("sgd", 1e-4, 0.01),
    "dacl": ("sgd", 5e-4, 0.1), "center-loss": ("sgd", 5e-4, 0.1), "dmue": ("adam", 1e-4, 0.2),
    "dare-loss": ("adam", 0, 0.98 ** 20), "smec": ("adam", 1e-4, 0.9 ** 20),
}


@pytest.mark.parametrize("name", INFOS)
def test_the_paper_recipe_is_one_of_this_suite(name):
    stated = INFOS[name].paper_recipe
    recipe = load_recipe("paper", {}, stated)
    assert {key: getattr(recipe, key) for key in stated} == stated
    if name in SOURCES:
        optimiser, decay, share = SOURCES[name]
        assert (recipe.optimiser, recipe.weight_decay) == (optimiser, decay)
        assert lr_factor(recipe, 20 * 3, 3) == pytest.approx(share, rel=0.1)
        assert {"optimiser", "weight_decay", "schedule", "lr", "epochs", "batch_size"} <= set(stated)
