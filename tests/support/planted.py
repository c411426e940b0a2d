"""Methods with faults that only a CUDA device would show, each with a word of the message that must name it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from fer_bench.method import Method

FAULTS: dict[str, tuple[type[Method], str]] = {}


def says(word: str) -> Callable[[type[Method]], type[Method]]:
    def note(method: type[Method]) -> type[Method]:
        FAULTS[method.__name__] = (method, word)
        return method
    return note


class Ok(Method):
    """Cross-entropy, without a fault."""

    def loss(self, batch, clock):
        return F.cross_entropy(self.logits(batch), batch.labels)

    def logits(self, batch):
        return self.net(batch.images)


@says("CPU tensor beside")
class NoBuffer(Ok):
    def __init__(self, context):
        super().__init__(context)
        self.weight = torch.ones(7)

    def logits(self, batch):
        return super().logits(batch) * self.weight


@says("CPU tensor beside")
class ArangeOnHost(Ok):
    def loss(self, batch, clock):
        logs = self.logits(batch).log_softmax(1)
        return -logs[torch.arange(len(logs)), batch.labels].mean()


@says("CPU tensor beside")
class ZerosOnHost(Ok):
    def logits(self, batch):
        return super().logits(batch) + torch.zeros(7)


@says("0-d CPU tensor")
class NumberOnHost(Ok):
    def __init__(self, context):
        super().__init__(context)
        self.factor = torch.tensor(2.0)

    def loss(self, batch, clock):
        return super().loss(batch, clock) * self.factor


@says("value is read")
class Item(Ok):
    def loss(self, batch, clock):
        loss = super().loss(batch, clock)
        return loss * 2 if loss.item() > 1 else loss


@says("value is read")
class Branches(Ok):
    def loss(self, batch, clock):
        loss = super().loss(batch, clock)
        return loss * 2 if clock.epoch > 1 else loss


@says("nonzero")
class Nonzero(Ok):
    def loss(self, batch, clock):
        rows = (batch.labels > 1).nonzero().squeeze(1)
        return F.cross_entropy(self.logits(batch)[rows], batch.labels[rows])


@says("nonzero")
class Masked(Ok):
    def loss(self, batch, clock):
        some = batch.labels > 1
        return F.cross_entropy(self.logits(batch)[some], batch.labels[some])


@says("unique")
class Unique(Ok):
    def loss(self, batch, clock):
        return super().loss(batch, clock) * len(batch.labels.unique())


@says("copy between host and device")
class FromList(Ok):
    def loss(self, batch, clock):
        return super().loss(batch, clock) * torch.tensor([1.0, 2.0], device=batch.images.device).mean()


@says("copy between host and device")
class OnHostForAWhile(Ok):
    def loss(self, batch, clock):
        onehot = F.one_hot(batch.labels.cpu(), 7).float().to(batch.images.device)
        return -(onehot * self.logits(batch).log_softmax(1)).sum(1).mean()


@says("numpy")
class ThroughNumpy(Ok):
    def loss(self, batch, clock):
        onehot = torch.from_numpy(batch.labels.cpu().numpy() == 1)
        return super().loss(batch, clock) * onehot.float().mean()


@says("_adaptive_avg_pool2d_backward")
class AdaptivePooling(Ok):
    def logits(self, batch):
        maps = self.net.features(batch.images)
        return self.net.head(F.adaptive_avg_pool2d(maps, 2).mean((2, 3)))


@says("reflection_pad2d_backward")
class ReflectionPadding(Ok):
    def logits(self, batch):
        maps = self.net.features(batch.images)
        return self.net.head(F.pad(maps, (1, 1, 1, 1), mode="reflect").mean((2, 3)))


@says("randn_like: random numbers")
class DrawsInLoss(Ok):
    def logits(self, batch):
        return self.net(batch.images + torch.randn_like(batch.images))


@says("random numbers without a generator")
class Dropout(Ok):
    def logits(self, batch):
        return self.net.head(F.dropout(self.net.embed(batch.images)))


@says("rand: random numbers")
class DrawsOnHost(Ok):
    def loss(self, batch, clock):
        torch.rand(7)
        return super().loss(batch, clock)


@says("CPU tensor beside")
class ModuleInAList(Ok):
    def __init__(self, context):
        super().__init__(context)
        self.extra = [nn.Linear(7, 7)]

    def logits(self, batch):
        return self.extra[0](super().logits(batch))


@says("its input is not channels_last")
class ImagesNotChannelsLast(Ok):
    def logits(self, batch):
        given = self.net.features_and_input(batch.images, "layer4")[1]
        return self.net.head(self.net.branch(self.net.stages("layer4"), given.contiguous()).mean((2, 3)))


@says("its weight is not channels_last")
class WeightNotChannelsLast(Ok):
    def __init__(self, context):
        super().__init__(context)
        self.extra = nn.Conv2d(self.net.dim, self.net.dim, 3)

    def logits(self, batch):
        maps = F.conv2d(self.net.features(batch.images), self.extra.weight.contiguous())
        return self.net.head(maps.mean((2, 3)))


@says("the recipe says torch.bfloat16")
class WithoutAutocast(Ok):
    def logits(self, batch):
        return self.net.head(self.net.trunk.forward_features(batch.images).mean((2, 3)))


@says("CPU tensor beside")
class SweepToHost(Ok):
    def __init__(self, context):
        super().__init__(context)
        self.seen = torch.zeros(context.num_samples)

    def begin_epoch(self, clock, sweep):
        def visit(images, index):
            self.seen[index] = self.net(images).amax(1)
        sweep(visit)


@says("sweep: _to_copy")
class SweepThroughHost(Ok):
    def begin_epoch(self, clock, sweep):
        sweep(lambda images, index: self.net(images).amax(1).cpu())


@says("evaluation")
class PredictsWithHost(Ok):
    def predict(self, images):
        return self.net(images) + torch.zeros(7)


@says("CPU tensor beside")
class BufferBornOnHost(Ok):
    def __init__(self, context):
        super().__init__(context)
        self.register_buffer("mean", torch.zeros(7))

    def after_step(self, clock):
        self.mean = torch.zeros(7)

    def loss(self, batch, clock):
        return super().loss(batch, clock) + (self.logits(batch) * self.mean).sum()


@says("cannot use its recordings")
class RemembersATensor(Ok):
    def begin_epoch(self, clock, sweep):
        self.last = torch.zeros(3, device=self.net.head.weight.device)
