"""Methods that keep something of each face: it is read and written at the rows of the batch, in whatever order they
come, and nowhere else. ELR's loss is against its formula too."""

from __future__ import annotations

import pytest
import torch
from test_parity import LABELS, LOGITS, B, C, clock_at, float64  # noqa: F401
from test_parity import MIRRORED as PEER
from test_parity_dividemix import CLEAN, literal_dividemix
from test_parity_noise import IMAGES, Given, Pixels, assert_same, batch, build, ce, softmax
from test_parity_scn import literal_scn
from torch import Tensor, nn

VISITS = [[9, 3, 14, 0, 7, 12, 5], [3, 15, 9, 1, 12, 6, 2, 0]]  # shuffled, partial and overlapping


def literal_elr(z: Tensor, labels: list[int], memory: list[list[float]], beta: float, lam: float) -> Tensor:
    """Of the faces whose targets ``memory`` holds; changes it."""
    total = 0
    for i, label in enumerate(labels):
        p = [value.clamp(1e-4, 1 - 1e-4) for value in softmax(z[i])]
        known = [value.item() for value in p]
        memory[i] = [beta * memory[i][c] + (1 - beta) * known[c] / sum(known) for c in range(C)]
        total = total + ce(z[i], label) + lam * torch.log(1 - sum(memory[i][c] * p[c] for c in range(C)))
    return total / len(labels)


@pytest.mark.parametrize("values", [{}, {"beta": "0.4", "lam": "2"}], ids=str)
@pytest.mark.parametrize("scale", [1, 6])
def test_elr_remembers_each_face_and_leaves_the_others(scale, values):
    visits, net, (beta, lam) = [[3, 0, 7, 5], [7, 1, 3]], Given(LOGITS), (0.4, 2) if values else (0.7, 3)
    method, memory = build("elr", net, **values), [[0.0] * C for _ in range(B)]
    for logits, rows in zip((LOGITS, PEER), visits, strict=True):
        net.logits = (scale * logits[rows]).requires_grad_()
        own = [memory[i] for i in rows]
        expected = literal_elr(net.logits, [int(LABELS[i]) for i in rows], own, beta, lam)
        for i, values in zip(rows, own, strict=True):
            memory[i] = values
        assert_same(method.loss(batch(rows), clock_at(1)), expected, [net.logits])
        torch.testing.assert_close(method.targets, torch.tensor(memory), rtol=1e-12, atol=1e-15)
    assert not method.targets[[2, 4, 6, *range(8, B)]].any()


@pytest.mark.parametrize("p", [0.9, 0.99, 0.99999])
def test_elr_keeps_pulling_at_convergence_until_the_clamp(p):
    """With t = p near the label: minus lam p (p - <t, p>) / (1 - <t, p>), about lam / 2 where cross-entropy fades."""
    chances = torch.full((B, C), (1 - p) / (C - 1)).scatter(1, LABELS[:, None], p)
    z = chances.log().requires_grad_()
    method = build("elr", Given(z))
    method.targets.copy_(chances)
    method.loss(batch(), clock_at(1)).backward()
    overlap = p * p + (1 - p) ** 2 / (C - 1)
    pull = 0 if p > 1 - 1e-4 else 3 * p * (p - overlap) / (1 - overlap)
    assert z.grad[range(B), LABELS] == pytest.approx([-(pull + 1 - p) / B] * B, rel=1e-8)
    assert pull == 0 or pull == pytest.approx(1.5, rel=0.2)


class Faces(nn.Module):
    """The pixels are the embedding; the head is sure of itself, so that SCN finds much to doubt."""

    dim = 6

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, C)
        nn.init.normal_(self.head.weight, std=3)

    def embed(self, images: Tensor) -> Tensor:
        return images.flatten(1)


@pytest.mark.parametrize("scope", ["all", "low"])
def test_scn_reads_and_writes_the_labels_of_its_batch_only(scope):
    method, believed = build("scn", Faces(), relabel_scope=scope), LABELS.tolist()
    nn.init.constant_(method.importance.bias, 3)
    for rows in VISITS:
        features = IMAGES[rows].flatten(1)
        expected = literal_scn(method, features, torch.tensor([believed[i] for i in rows]))
        loss = method.loss(batch(rows), clock_at(9))
        assert_same(loss, expected, list(method.parameters()))
        alpha = torch.sigmoid(method.importance(features))[:, 0]
        low = sorted(range(len(rows)), key=lambda k: -alpha[k].item())[int(len(rows) * 0.7):]
        before = list(believed)
        for k, i in enumerate(rows):
            p = softmax(alpha[k] * method.net.head(features[k]))
            best = max(range(C), key=lambda c: p[c].item())
            if p[best] - p[believed[i]] > 0.2 and (scope == "all" or k in low):
                believed[i] = best
        assert method.labels.tolist() == believed != before
    assert believed[4] == LABELS[4] and method.labels[8] == LABELS[8]


@pytest.mark.parametrize("epoch", [6, 9])
@pytest.mark.parametrize("rows", VISITS, ids=len)
def test_dividemix_believes_the_peer_about_the_faces_of_its_batch(rows, epoch):
    nets = Pixels(1), Pixels(2)
    method = build("dividemix", *nets, warmup="0.1", ramp="0.05")
    method.clean.copy_(CLEAN["some"])
    draws = method.draw(torch.Generator().manual_seed(3), len(rows))
    expected = literal_dividemix(nets, rows, CLEAN["some"], draws, 0 if epoch == 6 else 25)
    given = batch(rows, **draws)
    assert_same(method.loss(given, clock_at(epoch)), expected, [w for net in nets for w in (net.weight, net.bias)])
    assert given.logged["weight"].tolist() == pytest.approx([sum(CLEAN["some"][i].tolist()) / 2 for i in rows])
    assert method.clean.equal(CLEAN["some"])
