"""DMUE (She et al., CVPR 2021): each class's branch, which never saw the class, says what else its faces look like.

Branch c, a copy of the last stage, learns the other C-1 classes from faces that are not of class c. For a face of
class c its prediction, to the power 1/T (1.2) and normalised, is the latent distribution q (0 at c, no gradient). With
two classes q is the other class for certain. L = up CE(score z, y) + up (omega mean (softmax z without its label - q)^2
+ gamma SP) + down mean_c CE(branch c), omega .5; SP is the squared difference between row-normalised Gram
matrices of the branch's logits and of the target's features after dropout and neck, of the faces that the branch learns
from; branches share dropout and neck with the target; up and down are ramps around `turn` of the epochs (10 of 36 for
RAF-DB). score in (0, 1) comes from the face's mean cosine to each class's faces in the batch (scaled to 0..1) and its
label. The target branch predicts. `dmue-released` has the code's gamma of 1000, for networks that know faces: from
scratch that term outweighs all else and nothing is learnt. `dmue` has 10, the best of 10, 30, 100, 300 and 1000 on the
drawn faces with 30 % wrong labels (docs/findings.md), which is ours.

Differences from JDAI-CV/FaceX-Zoo addition_module/DMUE at 16b793a (train.py:97-133, make_model.py:98-165):
- it draws all classes equally often, as `balanced` does, and skips a batch in which some class has fewer than two faces
  (train.py:188-193); here none is skipped, and a class that is not in the batch has cosine 0.
- its branch c sees class c in a pass of its own (resnet_multibranch.py), here beside the other classes: those faces
  enter the batch statistics of the branch's stage. At the neck both groups have their own, as there.
- its neck's running statistics are of branches and target by turns (make_model.py:119-135); here of the target alone.
- its optimiser holds stages and classifiers only (train.py:55-57): scorer and neck stay as they began; here they learn,
  all but the neck's bias. Its classifiers begin smaller (std .001).
"""

import copy
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method
from fer_bench.parts.batch_norm import BatchNorm, of_some
from fer_bench.parts.dropout import draw_seeds, seeded_dropout
from fer_bench.parts.ramps import ramp_down, ramp_up
from fer_bench.parts.sampling import balanced_order
from fer_bench.parts.small_loss import mean_over
from fer_bench.registry import register


@register("dmue", paper="She et al., CVPR 2021", year=2021, family="fer", needs=("own order",), passes=2.5,
          schedule_epochs=36,
          history=("the Gram matrices are of the branches' logits and of the target after dropout and neck; gamma 10",))
@register("dmue-released", paper="She et al., CVPR 2021, official code", year=2021, family="fer", needs=("own order",),
          passes=2.5, schedule_epochs=36, preset={"gamma": 1000.0})
class DMUE(Method):
    given: Tensor  # int64 [N], the given labels
    paper_recipe: ClassVar[dict[str, Any]] = {
        "optimiser": "adam", "lr": 1e-4, "head_lr": 10.0, "weight_decay": 1e-4, "batch_size": 72, "epochs": 36,
        "schedule": "step", "milestones": ((6, 0.5), (12, 0.1), (22, 0.5), (25, 0.1)),
        "head_milestones": ((4, 0.5), (8, 0.1), (14, 0.01), (22, 0.05), (25, 0.01)),
        "augment": {"noise": 0.25, "crop": 0.0714, "flip": 0.5, "erase": 0.5, "erase_scale": (0.02, 0.25)},
        "colour": "rgb", "mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    paper_parameters: ClassVar[dict[str, Any]] = {"turn": 0.2777777777777778, "gamma": 1000.0}
    paper_sources: ClassVar[dict[str, str]] = {
        "code": "JDAI-CV/FaceX-Zoo at 16b793a, addition_module/DMUE/; config.py is AffectNet's",
        "optimiser": "train.py:55-57", "lr, schedule, milestones": "config.py:34",
        "head_lr, head_milestones": "config.py:35", "weight_decay": "config.py:70", "batch_size": "config.py:31",
        "epochs": "config.py:69", "noise": "datasets/bases.py:40-42", "flip": "config.py:51",
        "crop": "ours: by 16 px, for a random crop of 224 from 256 px (datasets/make_dataloader.py:14-15)",
        "erase, erase_scale": "datasets/make_dataloader.py:20", "colour": "datasets/bases.py:17",
        "mean, std": "config.py:52-53", "turn": "config.py:29: 9 or 10 epochs for RAF-DB",
        "gamma": "config.py:28",
        "weights": "its own of MS-Celeb (config.py:60)",
        "left out": "the central 224 of 256 px in the test (datasets/make_dataloader.py:24-25); here the whole face"}

    def __init__(
        self, context: Context, *, temperature: float = 1.2, omega: float = 0.5, gamma: float = 10.0,
        turn: float = 0.28, dropout: float = 0.5, balanced: bool = True,
    ) -> None:
        super().__init__(context)
        self.classes, dim = context.num_classes, self.net.dim
        self.temperature, self.omega, self.gamma, self.turn = temperature, omega, gamma, turn
        self.dropout, self.balanced = dropout, balanced
        self.register_buffer("given", context.labels.clone())
        stage = self.net.stages("layer4")
        self.branches = nn.ModuleList([copy.deepcopy(stage) for _ in range(self.classes)])
        self.branch_heads = nn.ModuleList([nn.Linear(dim, self.classes - 1, bias=False) for _ in range(self.classes)])
        self.neck, self.net.head = BatchNorm(dim), nn.Linear(dim, self.classes, bias=False)
        self.neck.bias.requires_grad_(False)  # as in the code: features keep no offset before the bias-free head
        self.scorer = nn.Sequential(nn.Linear(2 * self.classes, self.classes), nn.PReLU(), nn.Linear(self.classes, 1))

    def classifiers(self) -> list[nn.Module]:
        return [*super().classifiers(), *self.branch_heads]

    def order(self, clock: Clock, generator: torch.Generator) -> Tensor | None:
        return balanced_order(self.given.cpu(), generator) if self.balanced else None

    def draw(self, generator: torch.Generator, size: int) -> dict[str, Tensor]:
        return {"dropped": torch.stack([draw_seeds(generator, size) for _ in range(1 + self.classes)], 1)}

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        maps, given = self.net.features_and_input(batch.images, "layer4")
        features, labels = maps.mean((2, 3)), batch.labels
        dropped = batch.draws["dropped"]  # int64 [B, 1 + C]: of the target, of each branch
        target = self.neck(seeded_dropout(features, dropped[:, 0], self.dropout))
        logits: Tensor = self.net.head(target)
        score = self.score(features, labels)
        batch.log(weight=score)
        wrong, latent, apart = self.from_branches(given, target, labels, dropped[:, 1:])
        without_label = logits.softmax(1) * (1 - F.one_hot(labels, self.classes))
        soft = (without_label - latent).square().mean()
        turn = self.turn * clock.epochs
        up, down = ramp_up(clock.epoch, turn, 5.0), ramp_down(clock.epoch, turn, 1.0)
        right: Tensor = F.cross_entropy(score[:, None] * logits, labels)
        return up * (right + self.omega * soft + self.gamma * apart) + down * wrong

    def from_branches(self, given: Tensor, target: Tensor, labels: Tensor,
                      dropped: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The branches' mean loss, the latent distributions [B, C], and the mean difference of Gram matrices. target:
        its features [B, D] after dropout and neck. dropped: seeds of the branches' dropout, int64 [B, C]."""
        losses, rows, apart = [], [], []
        for c, (branch, head) in enumerate(zip(self.branches, self.branch_heads, strict=True)):
            own, others = self.net.branch(branch, given).mean((2, 3)), labels != c
            logits = head(of_some(self.neck, seeded_dropout(own, dropped[:, c], self.dropout), others))
            shifted = (labels - (labels > c).long()).clamp(max=self.classes - 2)
            losses.append(mean_over(F.cross_entropy(logits, shifted, reduction="none"), others))
            hidden = head(of_some(self.neck, own, ~others)).detach()  # of the class itself, without dropout
            p = (hidden / self.temperature).softmax(1)  # softmax to the power 1/T, normalised
            rows.append(torch.cat([p[:, :c], torch.zeros_like(p[:, :1]), p[:, c:]], 1))
            seen = others[:, None].to(own.dtype)
            pairs = seen.sum().clamp(min=1) ** 2
            apart.append((gram(seen * logits) - gram(seen * target)).square().sum() / pairs)
        latent = torch.stack(rows, 1)[torch.arange(len(labels), device=labels.device), labels]
        return torch.stack(losses).mean(), latent, torch.stack(apart).mean()

    def score(self, features: Tensor, labels: Tensor) -> Tensor:
        """Confidence [B] in (0, 1) of features [B, D]."""
        onehot = F.one_hot(labels, self.classes).to(features.dtype)
        directions = F.normalize(features)
        cosines = directions @ directions.T @ onehot / onehot.sum(0).clamp(min=1)
        low, high = cosines.amin(1, keepdim=True), cosines.amax(1, keepdim=True)
        scaled = (cosines - low) / (high - low).clamp(min=1e-6)
        return torch.sigmoid(self.scorer(torch.cat([scaled, onehot], 1))).squeeze(1)

    def predict(self, images: Tensor) -> Tensor:
        logits: Tensor = self.net.head(self.neck(self.net.embed(images)))
        return logits


def gram(features: Tensor) -> Tensor:
    """Row-normalised Gram matrix [B, B] of features [B, D]."""
    return F.normalize(features @ features.T)
