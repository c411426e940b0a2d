"""SCN's loss and its relabelling against the rule written out, in float64."""

from __future__ import annotations

import math

import pytest
import torch
from test_parity import IMAGES, LABELS, LOGITS, B, batch, build, clock_at, float64  # noqa: F401
from torch import Tensor, nn


def literal_scn(method, features: Tensor, labels: Tensor, beta: float = 0.7) -> Tensor:
    """Importance times logits, and rank regularisation of the importance."""
    alpha = [torch.sigmoid(method.importance(f))[0] for f in features]
    ce = [-(alpha[i] * method.net.head(features[i])).log_softmax(0)[labels[i]] for i in range(len(labels))]
    order = sorted(alpha, key=lambda a: -a.item())
    many = int(len(order) * beta)
    gap = sum(order[:many]) / many - sum(order[many:]) / (len(order) - many)
    return sum(ce) / len(ce) + torch.relu(method.margin_1 - gap)


@pytest.mark.parametrize("beta", [None, 0.4])
@pytest.mark.parametrize("margin", ["0.07", "0.9"])
def test_scn_loss_and_gradient_are_those_of_the_formula(margin, beta):
    features, values = LOGITS.clone().requires_grad_(), {} if beta is None else {"beta": str(beta)}
    method = build("scn", features, margin_1=margin, **values)
    loss, expected = method.loss(batch(), clock_at(0)), literal_scn(method, features, LABELS, beta or 0.7)
    torch.testing.assert_close(loss, expected)
    leaves = [features, *method.net.head.parameters(), *method.importance.parameters()]
    found, wanted = (torch.autograd.grad(x, leaves) for x in (loss, expected))
    torch.testing.assert_close(found, wanted, rtol=1e-8, atol=1e-12)


def scn_after(epoch: int, **values: str):
    """SCN after one batch of an epoch counted from 0, its labels, and what the rule asks for in scope all and low."""
    method = build("scn", 3 * LOGITS, **values)
    nn.init.constant_(method.importance.bias, 3)  # so that unimportant faces too have opinions
    method.loss(batch(), clock_at(epoch))
    logits, alpha = method.weighted(IMAGES)
    p = logits.softmax(1)
    low = set(sorted(range(B), key=lambda i: -alpha[i].item())[11:])
    doubt = p.amax(1) - p[range(B), LABELS]
    everywhere = [int(p[i].argmax()) if doubt[i] > method.margin_2 else int(LABELS[i]) for i in range(B)]
    return method, everywhere, [everywhere[i] if i in low else int(LABELS[i]) for i in range(B)]


def test_scn_relabels_from_the_tenth_epoch_on():
    assert scn_after(8)[0].labels.equal(LABELS)
    for epoch in (9, 30):
        method, expected, _ = scn_after(epoch)
        assert method.labels.tolist() == expected != LABELS.tolist()


def test_scn_scope_low_relabels_unimportant_faces_only():
    method, everywhere, expected = scn_after(9, relabel_scope="low")
    assert method.labels.tolist() == expected
    assert expected != everywhere and expected != LABELS.tolist()


def test_scn_trains_on_its_new_labels_for_good():
    method, expected, _ = scn_after(9)
    loss = method.loss(batch(), clock_at(0))
    torch.testing.assert_close(loss, literal_scn(method, 3 * LOGITS, torch.tensor(expected)))


def test_scn_margin_itself_does_not_relabel():
    method, logits = build("scn"), LOGITS[:1]
    label = torch.tensor([int(logits.argmin())])
    gap = float(logits.softmax(1).max() - logits.softmax(1).min())
    for margin, relabelled in ((gap, False), (math.nextafter(gap, 0), True)):
        method.margin_2 = margin
        method.relabel(logits, label, torch.tensor([0]), torch.tensor([0]), clock_at(9))
        assert (method.labels[0] != label) == relabelled
