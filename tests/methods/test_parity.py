"""Every method's loss and gradient against its formula written out in loops, in float64, on random logits."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, log, nn

from fer_bench.engine.data import make_clock, set_clock
from fer_bench.method import Batch, Context
from fer_bench.registry import load_class, methods, resolve_parameters

FOUND, EPOCHS, C, B = methods()[0], 60, 7, 16
GENERATOR = torch.Generator().manual_seed(0)
LOGITS = 2 * torch.randn(B, C, generator=GENERATOR, dtype=torch.float64)
MIRRORED = LOGITS + torch.randn(B, C, generator=GENERATOR, dtype=torch.float64)
LABELS = torch.randint(0, C, (B,), generator=GENERATOR)
IMAGES = torch.tensor([1.0, 0.0]).expand(B, 1, 2, 2)  # the mirror image can be told


@pytest.fixture(autouse=True)
def float64():
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    yield
    torch.set_default_dtype(torch.float32)


class Given(nn.Module):
    """A network that returns stored logits, also as embedding: of the faces, or of their mirror images."""

    dim = C

    def __init__(self, faces: Tensor, mirrored: Tensor) -> None:
        super().__init__()
        self.faces, self.mirrored = faces, mirrored
        self.head: nn.Module = nn.Identity()

    def features(self, images: Tensor) -> Tensor:
        return self.forward(images)[:, :, None, None]

    def forward(self, images: Tensor) -> Tensor:
        return self.faces if images[0, 0, 0, 0] == 1 else self.mirrored

    embed = forward


def build(name: str, faces: Tensor = LOGITS, mirrored: Tensor = MIRRORED, **values: str):
    """A method on stored logits. ``values`` as given with --set."""
    def network() -> Given:
        net = Given(faces, mirrored)
        net.head = nn.Linear(C, C) if name == "scn" else net.head
        return net

    context = Context(C, LABELS.clone(), LABELS.bincount(minlength=C), EPOCHS, 3, network)
    return load_class(FOUND[name])(context, **resolve_parameters(FOUND[name], values))


def clock_at(epoch: float):
    """At an epoch, or at one or two thirds of it: epochs have three steps."""
    clock = make_clock(EPOCHS, 3, torch.device("cpu"))
    set_clock(clock, round(3 * epoch))
    return clock


def batch() -> Batch:
    return Batch(IMAGES, LABELS, torch.arange(B), {}, lambda: IMAGES)


def literal_weight(p: Tensor, label: int, epoch: int, peak1: bool = False, slope: float = 15) -> Tensor:
    """w of one face, p [C]: a bivariate density, by a matrix inverse."""
    rival = max((p[k] for k in range(len(p)) if k != label), key=lambda value: value.item())
    if p[label].item() >= rival.item():
        ramp, mu = 1 - math.exp(-slope * epoch / EPOCHS), (0.5, 0.5)
        a, c = 0.8**2 + (0.8 / 2) ** 2, ramp * (-(0.8**2) + (0.8 / 2) ** 2)
    else:
        mu = (0.3, 0.15)
        a, c = 0.91**2 + (0.91 / 6) ** 2, 0.91**2 - (0.91 / 6) ** 2
    v = torch.stack([p[label] - mu[0], rival - mu[1]])
    sigma = torch.tensor([[a, c], [c, a]])
    density = torch.exp(-0.5 * v @ torch.linalg.inv(sigma) @ v)
    return density if peak1 else density / (2 * math.pi * math.sqrt(torch.linalg.det(sigma)))


def literal_jsd(p: Tensor, q: Tensor) -> Tensor:
    """Textbook Jensen-Shannon divergence of two distributions [C]."""
    m = (p + q) / 2
    return sum(p[k] * log(p[k] / m[k]) + q[k] * log(q[k] / m[k]) for k in range(C)) / 2


def literal_jsd_as_coded(z: Tensor, mirrored: Tensor) -> Tensor:
    """src/loss.py:61-66: the mixture in logit space, KL from it to the parts."""
    p, q, g = z.softmax(0), mirrored.softmax(0), ((z + mirrored) / 2).softmax(0)
    return sum(g[k] * log(g[k] / p[k]) + g[k] * log(g[k] / q[k]) for k in range(C)) / 2


def literal(name: str, z: Tensor, mirrored: Tensor, epoch: int, values: dict[str, str]) -> Tensor:
    """The loss of a method, face by face."""
    peak1, l1 = values.get("density") == "peak1", values.get("regulariser") == "l1"
    lam, slope = float(values.get("lam", 0.5)), float(values.get("slope", 15))
    total = torch.zeros(())
    for i in range(B):
        p, q = z[i].softmax(0), mirrored[i].softmax(0)
        ce = -log(p[LABELS[i]])
        if name in ("ce", "focal"):
            total = total + (1 - p[LABELS[i]]) ** float(values.get("gamma", 2)) * ce if name == "focal" else total + ce
            continue
        weight = literal_weight(p, int(LABELS[i]), epoch, peak1, slope)
        if name == "nla-released":
            total = total + lam * ce + lam * weight * ce + (1 - lam) * B * literal_jsd_as_coded(z[i], mirrored[i])
            continue
        if values.get("detach_weight") == "true":
            weight = weight.detach()
        total = total + lam * (1 if name == "jsd" else 1 + weight) * ce
        if name != "naw":
            total = total + (1 - lam) * ((p - q).abs().sum() if l1 else literal_jsd(p, q))
    return total / B


VARIANTS = [("ce", {}), ("focal", {}), ("focal", {"gamma": "0.5"}), ("nla", {}), ("nla", {"density": "peak1"}),
            ("nla", {"regulariser": "l1"}), ("nla", {"lam": "0.3", "slope": "10"}), ("nla-released", {}),
            ("nla", {"detach_weight": "true"}), ("naw", {"detach_weight": "true"}),
            ("nla-released", {"lam": "0.3", "slope": "10"}), ("naw", {}), ("naw", {"lam": "0.3"}), ("jsd", {}),
            ("jsd", {"lam": "0.3"})]


@pytest.mark.parametrize("epoch", [0, 3, 59])
@pytest.mark.parametrize(("name", "values"), VARIANTS, ids=str)
def test_loss_and_gradient_are_those_of_the_formula(name, values, epoch):
    z, mirrored = (t.clone().requires_grad_() for t in (LOGITS, MIRRORED))
    loss = build(name, z, mirrored, **values).loss(batch(), clock_at(epoch))
    expected = literal(name, z, mirrored, epoch, values)
    found = torch.autograd.grad(loss, (z, mirrored), allow_unused=True, materialize_grads=True)
    wanted = torch.autograd.grad(expected, (z, mirrored), allow_unused=True, materialize_grads=True)
    torch.testing.assert_close(loss, expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(found, wanted, rtol=1e-8, atol=1e-12)


def test_focal_with_gamma_zero_is_cross_entropy():
    focal, ce = (method.loss(batch(), clock_at(0)) for method in (build("focal", gamma="0"), build("ce")))
    assert float(focal) == pytest.approx(float(ce))


@pytest.mark.parametrize("name", ["nla", "nla-released", "naw", "naw-l1"])
def test_gradient_flows_through_the_weight_unless_told_not_to(name):
    """At (p_label, p_rival) = (.3, .4) the label's logit gets -.985 of the cross-entropy's pull without the flow, -.549
    with it: no public code stops it (reference: jungyu0413/NLA at b86f31f)."""
    gradients = []
    for values in ({}, {"detach_weight": "false"}, {"detach_weight": "true"}):
        z = LOGITS.clone().requires_grad_()
        build(name, z, **values).loss(batch(), clock_at(5)).backward()
        gradients.append(z.grad)
    assert torch.equal(gradients[0], gradients[1]) and (gradients[0] - gradients[2]).abs().max() > 1e-3


@pytest.mark.parametrize(("detach", "pull"), [("true", -0.985), ("false", -0.549)])
def test_pull_on_the_label_of_an_ambiguous_lost_face(detach, pull):
    p = torch.tensor([[0.3, 0.4, 0.2, 0.1]])
    z, label = p.log().requires_grad_(), torch.tensor([0])
    method = build("nla", detach_weight=detach)
    weight = method.weight(z.softmax(1), label, clock_at(59))
    weight = weight.detach() if method.detach_weight else weight
    ((1 + weight) * torch.nn.functional.cross_entropy(z, label)).sum().backward()
    assert float(z.grad[0, 0]) == pytest.approx(pull, abs=1e-3)


@pytest.mark.parametrize("case", ["true", "false"])
def test_ratio_is_that_of_the_gaussian_s_axes(case):
    """It falls to exp(-1/2) of its peak sqrt(2) s away on the long axis, sqrt(2) s / ratio on the short one."""
    method = build("nla", density="peak1", **{f"ratio_{case}": "3", f"std_{case}": "0.5"})
    std, long = getattr(method, f"std_{case}"), -1.0 if case == "true" else 1.0
    for sign, length in ((long, 0.5), (-long, 0.5 / 3)):
        x, y = torch.tensor([length]), torch.tensor([sign * length])  # a way of sqrt(2) length
        value = method.gaussian(x, y, (0.0, 0.0), std, torch.tensor(long))
        assert float(value) == pytest.approx(math.exp(-0.5))


@pytest.mark.parametrize("name", ["ratio_true", "ratio_false"])
def test_a_ratio_below_one_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} is 0.5, expected 1 .* or more"):
        build("nla", **{name: "0.5"})



TRUE = [((1, 0), 0.146, 0.205), ((0.9, 0.1), 0.163, 0.220), ((0.9, 0.05), 0.159, 0.216), ((0.7, 0.2), 0.183, 0.235),
        ((0.5, 0.5), 0.199, 0.249), ((0.35, 0.3), 0.191, 0.226), ((0.2, 0.15), 0.174, 0.179)]
FALSE = [((0.01, 0.95), 0.0009), ((0.1, 0.8), 0.011), ((0.1, 0.6), 0.058), ((0.2, 0.5), 0.190), ((0.3, 0.4), 0.407),
         ((0.45, 0.5), 0.447), ((0.4, 0.45), 0.453), ((0.3, 0.35), 0.461), ((0, 1), 0.0004)]
PEAK1 = [((1, 0), 0.732, 0.823), ((0.9, 0.1), 0.819, 0.883), ((0.7, 0.2), 0.922, 0.945), ((0.5, 0.5), 1, 1),
         ((0.35, 0.3), 0.962, 0.908), ((0.2, 0.15), 0.876, 0.719), ((0.1, 0.8), 0.019, 0.019)]


def weight_of(pair: tuple[float, float], epoch: int, density: str = "normalised") -> float:
    """w of a face with these probabilities of label and rival; the rest is spread over enough other classes."""
    rest = torch.full((8,), (1 - sum(pair)) / 8)
    p = torch.cat([torch.tensor(pair), rest])[None]
    return float(build("nla", density=density).weight(p, torch.tensor([0]), clock_at(epoch)))


ROWS = [("normalised", *row) for row in TRUE + [(pair, w, w) for pair, w in FALSE]] + [("peak1", *row) for row in PEAK1]


@pytest.mark.parametrize(("density", "pair", "early", "late"), ROWS)
def test_weight_has_the_reference_value(density, pair, early, late):
    tolerance = 5e-5 if early < 0.001 else 1.01e-3  # as printed
    assert weight_of(pair, 0, density) == pytest.approx(early, abs=tolerance)
    assert weight_of(pair, 59, density) == pytest.approx(late, abs=tolerance)


def test_weight_peaks_say_the_covariances():
    """det Sigma: .80^2, .80^2 - .48^2, .8511^2 - .8051^2."""
    for epoch, covariance in ((0, 0), (59, -0.48)):
        expected = 1 / (2 * math.pi * math.sqrt(0.8**2 - covariance**2))
        assert weight_of((0.5, 0.5), epoch) == pytest.approx(expected, rel=1e-6)
    distance = -2 * math.log(weight_of((0.3, 0.35), 0, "peak1"))  # 0.2 along the rival's axis
    assert distance == pytest.approx(0.04 * 0.8511 / (0.8511**2 - 0.8051**2), rel=2e-3)


def test_tie_of_label_and_rival_counts_as_won():
    assert weight_of((0.4, 0.4), 0) == pytest.approx(weight_of((0.4, 0.4 - 1e-9), 0), rel=1e-6)
    assert weight_of((0.4, 0.4), 0) != pytest.approx(weight_of((0.4, 0.4 + 1e-9), 0), rel=1e-2)


@pytest.mark.parametrize("name", ["nla", "nla-released", "jsd"])
def test_face_equal_to_its_mirror_image_costs_nothing_more(name):
    assert float(build(name).apart(LOGITS, LOGITS).sum()) == pytest.approx(0, abs=1e-12)


def test_logged_weight_is_the_weight_of_each_face():
    given = batch()
    build("nla").loss(given, clock_at(7))
    expected = [float(literal_weight(LOGITS[i].softmax(0), int(LABELS[i]), 7)) for i in range(B)]
    assert given.logged["weight"].tolist() == pytest.approx(expected)
