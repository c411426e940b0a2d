"""Edges of the methods with branches, teachers or groups: first weights, batch statistics, empty groups, ties."""

from __future__ import annotations

import math

import pytest
import torch
from test_parity import float64  # noqa: F401
from test_parity_branches import Staged, both_logits, literal_kl, literal_mimicry, softmax, sweep
from test_parity_fer import (
    FACES,
    LABELS,
    RAF,
    B,
    C,
    D,
    Given,
    assert_same,
    batch,
    build,
    clock_at,
    literal_ce,
    normed,
    pooled,
    random_maps,
)
from test_predictions import of
from torch import nn
from torch.nn import functional as F

from fer_bench.method import Context
from fer_bench.parts.teacher import decay_over
from fer_bench.registry import load_class, methods


class Normed(Given):
    """A network with batch normalisation of its stored maps."""

    def __init__(self, maps):
        super().__init__(maps)
        self.norm = nn.BatchNorm2d(self.dim)

    def features(self, images):
        return self.norm(super().features(images))


def test_soft_teacher_has_batch_statistics_of_its_own():
    maps, seen = random_maps().detach(), []
    method = build("soft", maps, net=Normed)
    assert method.teacher.training
    for p in method.teacher.parameters():
        nn.init.normal_(p)
    method.eval().train()
    assert method.teacher.training and method.teacher.norm.training
    method.teacher.register_forward_hook(lambda module, inputs, output: seen.append(output))
    method.loss(batch(), clock_at(3))
    torch.testing.assert_close(seen[0], of(method.teacher.head, pooled(normed(maps[FACES], method.teacher.norm))))
    own = maps[FACES].mean((0, 2, 3))
    torch.testing.assert_close(method.teacher.norm.running_mean, 0.1 * own)
    nn.init.constant_(method.net.norm.running_mean, 7.0)
    before, clock = method.teacher.norm.weight.clone(), clock_at(0)
    method.after_step(clock)
    assert torch.allclose(method.teacher.norm.weight, (before + method.net.norm.weight) / 2)
    torch.testing.assert_close(method.teacher.norm.running_mean, 0.1 * own)


def test_soft_teacher_forgets_its_first_weights_however_short_training_is():
    method, clock = build("soft", random_maps().detach()), clock_at(0)
    nn.init.ones_(method.teacher.head.weight), nn.init.zeros_(method.net.head.weight)
    for step in range(60 * 3):
        clock.step.fill_(step)
        method.after_step(clock)
    assert method.decay == decay_over(0.065, 60 * 3)
    assert method.teacher.head.weight.max() < 1e-6  # with the decay .999 it is 1 / 181
    assert decay_over(0.065, 80 * 192) == pytest.approx(0.999, abs=2e-6)  # RAF-DB in batches of 64
    assert decay_over(0.065, 3) == decay_over(0.0, 100) == 0


@pytest.mark.parametrize("right", [[2] * B, [2, 1, 1, 2, 1, 2, 2, 1], [2, 0, 0, 2, 0, 2, 2, 0], [1, 0] * 4, [0] * B])
def test_man_group_without_a_face_costs_nothing(right):
    maps, groups = (random_maps(), random_maps()), {2: [], 1: [], 0: []}
    method, m = build("man", *maps), literal_mimicry(31)
    method.right.copy_(torch.tensor(right))
    weak, strong = both_logits(method, FACES), both_logits(method, 2)
    for i, kind in enumerate(right):
        a, b = weak[0][i], weak[1][i]
        clean = (literal_ce(a, LABELS[i]) + literal_ce(b, LABELS[i])) / 2
        steady = sum(((softmax(weak[k][i]) - softmax(strong[k][i])) ** 2).sum() / C for k in range(2)) / 2
        mutual = 0.6 * ((1 - m) * clean + m * (literal_kl(a, b) + literal_kl(b, a)) / 2)
        groups[kind].append({2: clean, 1: mutual, 0: steady}[kind])
    expected = sum(sum(group) / len(group) for group in groups.values() if group)
    assert_same(method.loss(batch(), clock_at(30)), expected, *maps, *method.parameters())


@pytest.mark.parametrize(("threshold", "sure"), [("0.25", True), ("0.2500001", False)])
def test_ada_df_class_that_just_reaches_the_threshold_is_sure(threshold, sure):
    method = build("ada-df", random_maps(), net=Staged, threshold=threshold)
    z = torch.full((B, C), -1e9)
    for i, label in enumerate(LABELS):  # exactly a quarter for the label and three others
        z[i, [(int(label) + k) % C for k in range(4)]] = 0
    method.branches = lambda images: (z, None, None)
    method.begin_epoch(clock_at(1), sweep)
    assert method.distributions[3].tolist() == ([0.0, 0, 0, 0.25, 0.25, 0.25, 0.25] if sure
                                                else method.fallback[3].tolist())


def test_branches_begin_as_copies_and_attention_as_in_the_codes():
    ada = build("ada-df", random_maps(), net=Staged)
    assert ada.main_head.weight.equal(ada.net.head.weight) and ada.main_head is not ada.net.head
    wide = random_maps(4, 1, 64, 2, 2)
    head, context = build("dan", wide).heads[0], build("dacl", wide).context
    assert head.shapes[0][0].weight.std().item() == pytest.approx(math.sqrt(2 / (64 * 9)), rel=0.05)
    assert head.channels[0].weight.std().item() == pytest.approx(0.001, rel=0.2)
    assert not any(p.any() for name, p in head.named_parameters() if name.endswith("bias"))
    assert context[0].weight.std().item() == pytest.approx(math.sqrt(2 / (64 * 4)), rel=0.05)
    assert not any(layer.bias.any() for layer in context if isinstance(layer, nn.Linear))


def test_dmue_draws_classes_evenly_unless_told_not_to():
    labels = torch.tensor([0] * 900 + [1] * 100)
    method, plain = (build("dmue", random_maps(), net=Staged, labels=labels, counts=RAF, balanced=balanced)
                     for balanced in ("true", "false"))
    drawn = labels[method.order(clock_at(0), torch.Generator().manual_seed(0))]
    assert drawn.shape == (1000,) and 0.42 < drawn.double().mean() < 0.58
    assert plain.order(clock_at(0), torch.Generator()) is None


def test_dmue_neck_has_no_offset():
    method = build("dmue", random_maps(), net=Staged)
    assert not any(p is method.neck.bias for group in method.param_groups(1.0) for p in group["params"])
    assert not method.neck.bias.any()


def test_dmue_with_two_classes_takes_the_latent_class_for_the_other_one():
    context = Context(2, LABELS % 2, torch.tensor([4, 4]), 60, 3, lambda: Staged(random_maps()), (1, 2, 3))
    method = load_class(methods()[0]["dmue"])(context)
    method.net.head = nn.Linear(6, 2, bias=False)
    given = torch.randn(B, D, 2, 3)
    wrong, latent, _ = method.from_branches(given, torch.randn(B, 6), LABELS % 2, torch.arange(2 * B).view(B, 2))
    assert latent.tolist() == (1 - F.one_hot(LABELS % 2, 2)).tolist() and wrong == 0
