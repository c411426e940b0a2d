"""What a run took: time, memory, parameters, and forward passes, which compare methods whatever the machine."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

from fer_bench.engine.trainer import Row, Trainer
from fer_bench.nets import Backbone


def cost(trainer: Trainer, seconds: list[list[float]], epochs: int) -> Row:
    """Seconds of training and evaluation, images/s, how steps were run, parameters, forward passes, and peak memory
    where the device tells it. Times of a run that shared its device include the others' turns.

    seconds: of training and of evaluation, of all epochs. epochs: how many of them this trainer has done.
    """
    training, evaluation = (sum(column) for column in zip(*seconds, strict=True))
    device, method = trainer.device, trainer.method
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
    sweeps = trainer.data.sweeps / epochs if epochs else 0.0
    return {"seconds": training + evaluation, "training_seconds": training,
            "images_per_second": len(trainer.data) * len(seconds) / training,
            "parameters": sum(p.numel() for p in method.parameters()), "forward_passes": passes(trainer) + sweeps,
            "peak_memory_bytes": peak, "engine": trainer.lane.engine(method),
            "why_not_faster": trainer.lane.why_not(method)}


@torch.no_grad()
def passes(trainer: Trainer) -> float:
    """Arithmetic of one training loss in forward passes of one network, heads included; sweeps are not in it.

    Computes the loss of the batch that the data stands at once more, which may change the method's state.
    """
    size = trainer.data.size(trainer.data.step)
    network = next((module for module in trainer.method.modules() if isinstance(module, Backbone)), None)
    if network is None:
        return 0.0
    with FlopCounterMode(display=False) as one:
        batch = trainer.data.batch(size)
        network.features(batch.images)
    with FlopCounterMode(display=False) as all_:
        trainer.method.loss(batch, trainer.clock)
    return float(all_.get_total_flops() / one.get_total_flops())
