"""DMUE's loss and gradient against its formula, written out in loops."""

from __future__ import annotations

import pytest
import torch
from test_parity import float64  # noqa: F401
from test_parity_branches import D, Staged, branch_features, fall, rise, softmax, unequal
from test_parity_fer import (
    FACES,
    LABELS,
    B,
    C,
    assert_same,
    batch,
    build,
    clock_at,
    linear,
    literal_ce,
    normed,
    random_maps,
)

from fer_bench.parts.dropout import seeded_dropout


def literal_gram(features, faces):
    rows = [torch.stack([features[i] @ features[j] for j in faces]) for i in faces]
    return [row / row.square().sum().sqrt() for row in rows]


def literal_sp(own, target, faces):
    """Mean squared difference of the row-normalised Gram matrices of some faces."""
    ours, theirs = literal_gram(own, faces), literal_gram(target, faces)
    return sum(((a - b) ** 2).sum() for a, b in zip(ours, theirs, strict=True)) / len(faces) ** 2


def literal_score(method, f):
    scores = []
    for i in range(B):
        cosine = [f[i] @ f[j] / (f[i].norm() * f[j].norm()) for j in range(B)]
        of_class = [[cosine[j] for j in range(B) if LABELS[j] == c] for c in range(C)]
        means = [sum(own) / len(own) if own else torch.zeros(()) for own in of_class]
        scaled = [(m - min(means)) / (max(means) - min(means)) for m in means]
        x = torch.stack([*scaled, *(torch.tensor(float(LABELS[i] == c)) for c in range(C))])
        scores.append(torch.sigmoid(method.scorer[2](method.scorer[1](method.scorer[0](x))))[0])
    return scores


def normed_apart(rows, norm):
    """Some faces' features, by the statistics of these faces alone."""
    return dict(zip(rows, normed(torch.stack(list(rows.values())), norm), strict=True)) if rows else {}


def literal_dmue(method, given, kept, epoch, gamma):
    """kept: [B, 1 + C, D], what dropout leaves of the target's features and of each branch's, and how much of it."""
    f = branch_features(method.net.stage, given)
    target = normed(f * kept[:, 0], method.neck)
    z = [linear(method.net.head, v) for v in target]
    score, latent, wrong, apart = literal_score(method, f), {}, 0, 0
    for c in range(C):
        own, head = branch_features(method.branches[c], given), method.branch_heads[c]
        others = [i for i in range(B) if LABELS[i] != c]
        learnt = normed_apart({i: own[i] * kept[i, 1 + c] for i in others}, method.neck)
        rows = {i: linear(head, v) for i, v in learnt.items()}
        wrong = wrong + sum(literal_ce(rows[i], LABELS[i] - int(LABELS[i] > c)) for i in others) / len(others) / C
        apart = apart + literal_sp(rows, target, others) / C
        for i, v in normed_apart({i: own[i] for i in range(B) if i not in others}, method.neck).items():
            q = (softmax(linear(head, v)) ** (1 / 1.2)).detach()
            latent[i] = torch.cat([q[:c], torch.zeros(1), q[c:]]) / q.sum()
    right = sum(literal_ce(score[i] * z[i], LABELS[i]) for i in range(B)) / B
    soft = sum((softmax(z[i])[k] * (k != LABELS[i]) - latent[i][k]) ** 2 for i in range(B) for k in range(C)) / (B * C)
    up, down = rise(epoch, 0.28 * 60), fall(epoch, 0.28 * 60)
    return up * right + up * (0.5 * soft + gamma * apart) + down * wrong


def dropping():
    """A drawn number for each face's features in the target and in the branches."""
    return {"dropped": torch.arange(B * (1 + C)).view(B, 1 + C) * 7919}


@pytest.mark.parametrize("epoch", [0, 5, 17, 59])
@pytest.mark.parametrize("gamma", [0, 1000])
def test_dmue_is_the_sum_of_its_four_losses_with_ramps(gamma, epoch):
    given, draws = random_maps(), dropping()
    method = unequal(build("dmue", given, net=Staged, gamma=str(gamma)))
    kept = torch.stack([seeded_dropout(torch.ones(B, D), seeds, 0.5) for seeds in draws["dropped"].unbind(1)], 1)
    learnt = [p for p in method.parameters() if p is not method.neck.bias]
    assert_same(method.loss(batch(draws), clock_at(epoch)), literal_dmue(method, given[FACES], kept, epoch, gamma),
                given, *learnt)


@pytest.mark.parametrize("gamma", [0, 1000])
def test_dmue_branch_is_not_trained_by_faces_of_its_class(gamma):
    method, outputs = unequal(build("dmue", random_maps(), net=Staged, gamma=str(gamma))), []
    for branch in method.branches:
        branch.register_forward_hook(lambda module, inputs, output: outputs.append(output))
    loss = method.loss(batch(dropping()), clock_at(20))
    for c, gradient in enumerate(torch.autograd.grad(loss, outputs)):
        own = gradient[c == LABELS].abs().sum()
        assert own == 0 < gradient.abs().sum()


def test_dmue_latent_distributions_spare_the_label_and_sum_to_one():
    given = random_maps()
    method = build("dmue", given, net=Staged)
    _, latent, _ = method.from_branches(given[FACES], torch.randn(B, D), LABELS, dropping()["dropped"][:, 1:])
    assert latent[range(B), LABELS].abs().max() == 0 and not latent.requires_grad
    assert latent.sum(1).tolist() == pytest.approx([1] * B) and (latent > 0).sum(1).eq(C - 1).all()


def test_dmue_similarity_tells_partly_trained_branches_from_the_target():
    """Pooled features are positive, so that their Gram matrices are all but constant; logits and centred features are
    not: 1000 SP must weigh beside a cross-entropy of about 1."""
    given = random_maps()
    method = unequal(build("dmue", given, net=Staged))
    target = method.neck(branch_features(method.net.stage, given[FACES]))
    _, _, apart = method.from_branches(given[FACES], target, LABELS, dropping()["dropped"][:, 1:])
    assert 1000 * float(apart.detach()) > 1
