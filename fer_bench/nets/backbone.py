"""Backbones: networks split where methods need them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from fer_bench.errors import UserError, near
from fer_bench.nets import dlib_face, iresnet
from fer_bench.nets.slim import WIDTHS, SlimResNet
from fer_bench.nets.statistics import give_statistics, has_statistics
from fer_bench.nets.weights import load_strictly, read_checkpoint


class Backbone(nn.Module):
    """A timm network split where methods need it. Its maps are computed in the run's precision, all else in float32."""

    def __init__(self, trunk: nn.Module, num_classes: int, bf16: bool) -> None:
        super().__init__()
        self.trunk = trunk
        self.dim = int(trunk.num_features)  # type: ignore[arg-type]
        self.head = nn.Linear(self.dim, num_classes)
        self.bf16 = bf16

    def features(self, images: Tensor) -> Tensor:
        """Feature maps, float32 [B, D, h, w]."""
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self.bf16):
            maps: Tensor = self.trunk.forward_features(images)  # type: ignore[operator]
        return maps.float()

    def features_and_input(self, images: Tensor, stage: str) -> tuple[Tensor, Tensor]:
        """``features``, and what a stage ("layer2", "layer4") was given on the way: where branches begin."""
        given: list[Tensor] = []
        hook = self.stages(stage)[0].register_forward_pre_hook(lambda module, inputs: given.append(inputs[0]))
        try:
            maps = self.features(images)
        finally:
            hook.remove()
        return maps, given[0]

    def stages(self, first: str) -> nn.Sequential:
        """The network's own stages from ``first`` to the last. Raises UserError where there are no such stages."""
        names = [f"layer{number}" for number in range(int(first[-1]), 5)]
        if not all(hasattr(self.trunk, name) for name in names):
            raise UserError(f"this method needs a network with stages {', '.join(names)}, such as resnet18; choose one "
                            "with --set-recipe backbone=NAME")
        return nn.Sequential(*(getattr(self.trunk, name) for name in names))

    def branch(self, stages: nn.Module, given: Tensor) -> Tensor:
        """What (a copy of) the last stages make of ``given``, float32 [B, D, h, w]."""
        with torch.autocast(given.device.type, torch.bfloat16, enabled=self.bf16):
            maps: Tensor = stages(given)
        return maps.float()

    def embed(self, images: Tensor) -> Tensor:
        """Globally averaged features, float32 [B, D]."""
        return self.features(images).mean((2, 3))

    def forward(self, images: Tensor) -> Tensor:
        """Logits, float32 [B, C]."""
        logits: Tensor = self.head(self.embed(images))
        return logits


def make_trunk(name: str, channels: int, pretrained: bool = False) -> nn.Module:
    """A network without its classifier, ours or timm's, whose ``forward_features`` gives [B, D, h, w]."""
    if name in WIDTHS:
        return SlimResNet(WIDTHS[name], channels)
    if name == dlib_face.NAME:
        return dlib_face.DlibFace(channels)
    if name in iresnet.BLOCKS:
        return iresnet.IResNet(name, channels)
    import timm

    if not timm.is_model(name):
        ours = [*WIDTHS, dlib_face.NAME, *iresnet.BLOCKS]
        raise UserError(f"unknown backbone '{name}': {near(name, [*ours, *timm.list_models()])}")
    try:
        network: nn.Module = timm.create_model(name, pretrained=pretrained, num_classes=0, in_chans=channels)
    except Exception as error:
        if not pretrained:
            raise
        raise UserError(f"--weights imagenet: timm could not fetch the weights of '{name}' ({type(error).__name__}); "
                        "download them once where there is a network and give the file with --weights PATH") from error
    return network


def backbone_maker(name: str, channels: int, num_classes: int, bf16: bool, weights: str, content: str = "",
                   faces: Callable[[], Tensor] | None = None) -> Callable[[], Backbone]:
    """A function that builds the network anew. ``weights``: "none", "imagenet" or the path of a checkpoint, ``content``
    its ``content_hash`` if that is known.

    faces: gives float32 [N, channels, S, S], of which a checkpoint without statistics for its batch norms gets some;
    evaluation stays as it was (nets/statistics.py). Raises UserError at once, before any training, when the checkpoint
    does not fit.
    """
    state = None if weights in ("none", "imagenet") else read_checkpoint(Path(weights), content)

    def make() -> Backbone:
        trunk = make_trunk(name, channels, pretrained=weights == "imagenet")
        if state is not None:
            load_strictly(trunk, state, name, Path(weights).name)
        return Backbone(trunk, num_classes, bf16)

    if state is not None:
        with torch.random.fork_rng(devices=[]):
            trunk = make().trunk
        if faces is not None and not has_statistics(state):
            give_statistics(trunk, faces())
            state = trunk.state_dict()
    return make
