"""FER+ (Barsoum et al., ICMI 2016, arXiv 1608.01041): four ways to learn from several annotators' votes for each face.

A class with fewer than `least` votes counts as having none (microsoft/FERPlus src/ferplus.py:215-218 at ae2128a: single
votes are dropped). With v the shares of the votes that are left, q = softmax(z), and classes in turn:

- `votes-ce`: L = -sum_c v_c log q_c.
- `votes-majority`: L = -log q_k, k the class with most votes; of a tie the given label if it is among them, else the
  first.
- `votes-multi-label`: L = -log max_c t_c q_c, t_c = 1 where v_c >= `theta`, else `floor` (src/train.py:43-44,
  src/ferplus.py:197-201, theta 0.3 in l.251): any of the classes that many voted for is as good.
- `votes-draw`: L = -log q_k, k drawn anew each time a face is seen, with chances v.

A face without such votes, or without a class that reaches `theta`, is trained on its given label. Ours: no face is left
out, since all methods train on the same ones; and all classes stay that have such votes, where the code's cross-entropy
and draw take the most voted for until they have 75 % (l.234).
"""

import math
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method
from fer_bench.registry import register


@register("votes-ce", paper="Barsoum et al., ICMI 2016", year=2016, family="votes", needs=("votes",))
@register("votes-majority", paper="Barsoum et al., ICMI 2016", year=2016, family="votes", needs=("votes",),
          preset={"target": "majority"})
@register("votes-multi-label", paper="Barsoum et al., ICMI 2016", year=2016, family="votes", needs=("votes",),
          preset={"target": "multi-label"})
@register("votes-draw", paper="Barsoum et al., ICMI 2016", year=2016, family="votes", needs=("votes",),
          preset={"target": "draw"})
class Votes(Method):
    needs_votes = True
    paper_recipe: ClassVar[dict[str, Any]] = {
        "optimiser": "sgd", "lr": 0.005, "momentum": 0.9, "weight_decay": 0.0, "schedule": "step",
        "milestones": ((20, 0.5), (40, 0.1)), "batch_size": 32, "epochs": 100, "augment": {"crop": 0.08, "flip": 0.5},
        "colour": "grey", "mean": (0.5,), "std": (0.25,)}
    paper_sources: ClassVar[dict[str, str]] = {
        "code": "microsoft/FERPlus at ae2128a", "optimiser, momentum": "src/train.py:91,112",
        "lr": "src/models.py:25, times the 0.1 of each gradient that CNTK's momentum of 0.9 takes",
        "weight_decay": "src/train.py:112 has none", "schedule, milestones": "src/train.py:90",
        "batch_size": "src/train.py:87", "epochs": "src/train.py:48",
        "crop": "src/ferplus.py:81, src/img_util.py:44-45,88", "flip": "src/img_util.py:62",
        "colour": "src/train.py:67",
        "mean, std": "ours: each face's histogram is equalised there (src/img_util.py:23-41)",
        "weights": "none (src/models.py:51)",
        "left out": "turns by 20 degrees, scales to 1.05 and skews of .05 (src/ferplus.py:82-84); a VGG13 at 64 px"}

    def __init__(self, context: Context, *, target: Literal["share", "majority", "multi-label", "draw"] = "share",
                 least: int = 2, theta: float = 0.3, floor: float = 0.001) -> None:
        super().__init__(context)
        self.target, self.least, self.theta, self.floor = target, least, theta, floor
        self.classes = context.num_classes

    def draw(self, generator: torch.Generator, size: int) -> dict[str, Tensor]:
        if self.target != "draw":
            return {}
        return {"wait": -torch.rand(size, self.classes, generator=generator).clamp(min=1e-9).log()}

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        log_q = self.net(batch.images).log_softmax(1)
        given = F.one_hot(batch.labels, self.classes).to(log_q.dtype)
        votes = torch.where(batch.votes >= self.least, batch.votes, 0.0)
        votes = torch.where(votes.sum(1, keepdim=True) > 0, votes, given)
        if self.target == "multi-label":
            among = votes >= self.theta * votes.sum(1, keepdim=True)
            among = torch.where(among.any(1, keepdim=True), among, given > 0)
            log_q = torch.where(among, log_q, log_q + math.log(self.floor))
            return -log_q.amax(1).mean()
        loss: Tensor = -(self.weights(votes, given, batch) * log_q).sum(1).mean()
        return loss

    def weights(self, votes: Tensor, given: Tensor, batch: Batch) -> Tensor:
        """What each class counts in the cross-entropy, [B, C]; votes: those that are left."""
        if self.target == "share":
            return votes / votes.sum(1, keepdim=True)
        if self.target == "majority":
            chosen = ((votes == votes.amax(1, keepdim=True)) * (1 + given)).argmax(1)
        else:  # the first of events that come at rates v
            chosen = (votes / batch.draws["wait"]).argmax(1)
        return F.one_hot(chosen, self.classes).to(votes.dtype)
