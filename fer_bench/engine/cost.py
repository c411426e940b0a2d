"""What a run took: time, memory, parameters, and forward passes, which compare methods whatever the machine."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from fer_bench.engine.data import set_clock
from fer_bench.engine.trainer import Row, Trainer
from fer_bench.method import Batch
from fer_bench.nets.backbone import Backbone


def cost(trainer: Trainer, seconds: list[list[float]]) -> Row:
    """Seconds of training and evaluation, images/s, how steps were run, parameters, forward passes, and on a GPU the
    most memory that this process has held, its earlier runs and the others beside it included: a replayed step
    allocates nothing that could be counted. Times of a run that shared its device include the others' turns.

    seconds: of training and of evaluation, of all epochs.
    """
    training, evaluation = (sum(column) for column in zip(*seconds, strict=True))
    device, method = trainer.device, trainer.method
    peak = torch.cuda.max_memory_reserved(device) if device.type == "cuda" else None
    return {"seconds": training + evaluation, "training_seconds": training,
            "images_per_second": len(trainer.data) * len(seconds) / training,
            "parameters": sum(p.numel() for p in method.parameters()),
            "forward_passes": round(passes(trainer) + swept(trainer), 3),
            "peak_memory_bytes": peak, "engine": trainer.lane.engine(method),
            "why_not_faster": trainer.lane.why_not(method)}


@torch.no_grad()
def passes(trainer: Trainer) -> float:
    """Arithmetic of one training loss in forward passes of one network, heads included; sweeps are not in it.

    Computes the loss of the batch that the data stands at once more, which may change the method's state.
    """
    batch, one = a_pass(trainer)
    with FlopCounterMode(display=False) as loss:
        trainer.method.loss(batch, trainer.clock)
    return float(loss.get_total_flops() / one)


@torch.no_grad()
def swept(trainer: Trainer) -> float:
    """Arithmetic of an epoch's sweeps per face, the mean over all epochs, in forward passes of one network.

    Makes the sweeps over one batch once more, after which the method's state is of no use.
    """
    method, clock = trainer.method, trainer.clock
    batch, one = a_pass(trainer)

    def sweep(visit: Callable[[Tensor, Tensor], None]) -> None:
        method.eval()
        visit(batch.images, batch.index)
        method.train()

    with FlopCounterMode(display=False) as sweeps:
        for epoch in range(clock.epochs):
            set_clock(clock, epoch * clock.steps_per_epoch)
            method.begin_epoch(clock, sweep)
    return float(sweeps.get_total_flops() / clock.epochs / one)


def a_pass(trainer: Trainer) -> tuple[Batch, float]:
    """The batch that the data stands at, and the arithmetic of one network's pass over it; 1 without a network."""
    network = next((module for module in trainer.method.modules() if isinstance(module, Backbone)), None)
    with FlopCounterMode(display=False) as one:
        batch = trainer.data.batch(trainer.data.size(trainer.data.step))
        if network is not None:
            network.features(batch.images)
    return batch, float(one.get_total_flops() or 1)
