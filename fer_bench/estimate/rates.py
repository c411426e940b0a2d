"""Seconds from counts: so much for a launch, an operation, a byte."""

from __future__ import annotations

from dataclasses import dataclass

from fer_bench.estimate.cards import Card
from fer_bench.fake.counts import Work

# Of a GPU's peaks, what batches of faces reach: nobody has measured it here. The shares and times are those with which
# the kernel-by-kernel model of a ResNet-18 at 224 px comes out (docs/decisions.md).
COMPUTE, BANDWIDTH = 0.5, 0.9
GAP = 1.2e-6  # seconds between two kernels of a replayed graph
LAUNCH = 18e-6  # seconds of Python, autograd and driver for each kernel that is launched by a called step
CARD_FACTOR = 2.0  # within which a card's time is believed, until somebody measures one


@dataclass(frozen=True)
class Rates:
    """Seconds for each launch, floating-point operation and byte. host: seconds of a launch that others hide."""

    launch: float
    flop: float
    byte: float
    host: float = 0.0

    def seconds(self, work: Work) -> float:
        """What some work takes."""
        device = self.launch * work.launches + self.flop * work.flops + self.byte * work.bytes
        return max(device, self.host * work.launches)


def card_rates(card: Card, precision: str, engine: str) -> Rates:
    """A roofline: arithmetic and memory traffic one after the other; called steps also wait for the host."""
    return Rates(GAP, 1 / (COMPUTE * card.flops(precision)), 1 / (BANDWIDTH * card.bytes),
                 LAUNCH if engine == "eager" else 0.0)
