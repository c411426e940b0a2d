"""EAC, Erasing Attention Consistency (Zhang et al., ECCV 2022): the attention maps of a mirrored face must be mirrored.

L = CE(z of view 1, y) + lam mean (maps(view 1) - mirror(maps(view 2)))^2 over faces, classes and places; maps of all
classes by the classifier's weights, whose gradient is stopped (zyh-uaiaaaa/Erasing-Attention-Consistency
model.py:22-41, main.py:59-69 at 61efdfd). View 2 is a mirrored face without a loss of its own. Which one the code
decides by the name of the label file (dataset.py:42-64): the mirror image of view 1 for the clean list, a view with
its own erasing for any other, as here by default; `view=mirror` is the first. The erasing, which gives it its name, is
the method's whatever the recipe erases: half of all faces, scale .02 to .25 (main.py:134). Flip, shift and pixel noise
are the recipe's: where it flips view 1, view 2 is the face as it was, and view 2 has its own pixel noise.
"""

from typing import Any, ClassVar, Literal

from torch import Tensor
from torch.nn import functional as F

from fer_bench.method import Batch, Clock, Context, Method
from fer_bench.parts.class_maps import class_maps, maps_apart
from fer_bench.registry import register


@register("eac", paper="Zhang et al., ECCV 2022", year=2022, family="fer", needs=("second view",), passes=2,
          history=("it erases, whatever the recipe does",))
class EAC(Method):
    views: ClassVar[dict[str, dict[str, Any]]] = {
        "first": {"erase": 0.5, "erase_scale": (0.02, 0.25)},
        "mirrored": {"erase": 0.5, "erase_scale": (0.02, 0.25), "mirror": True}}
    paper_recipe: ClassVar[dict[str, Any]] = {
        "optimiser": "adam", "lr": 2e-4, "weight_decay": 1e-4, "schedule": "exponential", "gamma": 0.9,
        "batch_size": 32, "epochs": 60, "augment": {"noise": 0.5, "erase": 0.5, "erase_scale": (0.02, 0.25)},
        "colour": "rgb", "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    paper_sources: ClassVar[dict[str, str]] = {
        "code": "zyh-uaiaaaa/Erasing-Attention-Consistency at 61efdfd, src/", "optimiser, weight_decay": "main.py:168",
        "lr": "README.md:62, for ResNet-18; main.py:168 has 1e-4 for ResNet-50", "schedule, gamma": "main.py:169",
        "batch_size": "main.py:31", "epochs": "main.py:36", "noise": "dataset.py:54-56; no flip of the first view",
        "erase, erase_scale": "main.py:134", "colour": "dataset.py:46", "mean, std": "main.py:132-133",
        "weights": "resnet18_msceleb.pth for ResNet-18 (README.md:62)"}

    def __init__(
        self, context: Context, *, lam: float = 5.0, view: Literal["independent", "mirror"] = "independent"
    ) -> None:
        super().__init__(context)
        self.lam, self.view = lam, view

    def loss(self, batch: Batch, clock: Clock) -> Tensor:
        other = batch.images.flip(-1) if self.view == "mirror" else batch.view("mirrored")
        maps, mirrored = self.net.features(batch.images), self.net.features(other)  # two passes: own batch statistics
        weight = self.net.head.weight
        apart = maps_apart(class_maps(maps, weight), class_maps(mirrored, weight)).mean()
        return F.cross_entropy(self.net.head(maps.mean((2, 3))), batch.labels) + self.lam * apart
