"""MEK, Mine Extra Knowledge (Zhang et al., NeurIPS 2023): let the many faces of major classes teach the minor ones.

v_c = N / (10 n_c) of the given labels. RAC: lam mean over faces of sum_c v_c (squared difference of the class map of
a face and of its mirror image, as EAC, averaged over places). RSL: labels 1 - eps, eps spread over the other classes
in proportion to v. L = CE(z, RSL labels) + RAC. `mek-rac` and `mek-rsl` are the halves. The code
(zyh-uaiaaaa/Mine-Extra-Knowledge train_exp.py:78-94,235-242 at 2ec823d) has v of RAF-DB's counts written in; here it
comes from the split, and is 0 for a class without a face. lam 2 and eps .1 are the paper's for ResNet (section 4.2);
`mek-swin` has those of the code, which trains a Swin-T: .1 and .3. The code clips the gradients' norm at 5
(train_exp.py:249,254), which is the recipe's business: `clip_grad_norm`, 5 on track `paper`. The constant 10 makes the
sum of v about 10 on RAF-DB, but more where classes are less balanced (34.9 at imbalance factor 100): RAC then pulls
harder than the paper's.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method
from fer_bench.parts.class_maps import class_maps, maps_apart
from fer_bench.parts.class_weights import inverse_frequency
from fer_bench.registry import register


@register("mek", paper="Zhang et al., NeurIPS 2023", year=2023, family="fer", passes=2,
          history=("the paper's lam 2 and eps .1 for ResNet in the place of Swin-T's .1 and .3",))
@register("mek-swin", paper="Zhang et al., NeurIPS 2023, Swin-T's values", year=2023, family="fer", passes=2,
          preset={"lam": 0.1, "epsilon": 0.3})
@register("mek-rac", paper="Zhang et al., NeurIPS 2023, consistency only", year=2023, family="fer",
          preset={"epsilon": 0.0}, passes=2, history=("the paper's lam 2 for ResNet in the place of Swin-T's .1",))
@register("mek-rsl", paper="Zhang et al., NeurIPS 2023, labels only", year=2023, family="fer", preset={"lam": 0.0},
          history=("the paper's eps .1 for ResNet in the place of Swin-T's .3",))
class MEK(Method):
    rarity: Tensor  # float32 [C], v
    targets: Tensor  # float32 [C, C], the label distribution of each class
    paper_recipe: ClassVar[dict[str, Any]] = {
        "optimiser": "adam", "lr": 1e-4, "weight_decay": 1e-4, "schedule": "exponential", "gamma": 0.9,
        "batch_size": 32, "epochs": 60, "clip_grad_norm": 5.0,
        "augment": {"noise": 0.5, "erase": 0.5, "erase_scale": (0.02, 0.25)},
        "colour": "rgb", "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    paper_sources: ClassVar[dict[str, str]] = {
        "code": "zyh-uaiaaaa/Mine-Extra-Knowledge at 2ec823d, code/, which trains a Swin-T; for ResNet the paper's "
                "section 4.2 as frichickens/MEK-CV at 3fb255f reports it",
        "optimiser, lr, schedule, gamma": "MEK-CV README.md:66", "weight_decay": "MEK-CV mek/config.py:41",
        "epochs": "MEK-CV kaggle/mek_resnet18_MS-Celeb-1M.py:5-6", "clip_grad_norm": "train_exp.py:249,254, of Swin-T",
        "batch_size": "configs/exp.py:108, of Swin-T", "noise, erase, erase_scale": "ours: EAC's, by the same authors",
        "colour": "expression/datasets.py:84", "mean, std": "ours: EAC's, by the same authors",
        "weights": "resnet18_msceleb.pth (MEK-CV kaggle/mek_resnet18_MS-Celeb-1M.py:8)"}

    def __init__(self, context: Context, *, lam: float = 2.0, epsilon: float = 0.1) -> None:
        super().__init__(context)
        self.lam = lam
        self.register_buffer("rarity", inverse_frequency(context.class_counts) / 10)
        own = torch.eye(context.num_classes)
        others = self.rarity * (1 - own)
        total = others.sum(1, keepdim=True)
        given_away = epsilon * (total > 0)  # nothing where no other class has a face
        self.register_buffer("targets", (1 - given_away) * own + given_away * others / total.where(total > 0, 1))

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        maps = self.net.features(batch.images)
        loss = F.cross_entropy(self.net.head(maps.mean((2, 3))), self.targets[batch.labels])
        if self.lam:
            mirrored, weight = self.net.features(batch.images.flip(-1)), self.net.head.weight
            apart = maps_apart(class_maps(maps, weight), class_maps(mirrored, weight))
            loss = loss + self.lam * (apart * self.rarity).sum(1).mean()
        return loss
