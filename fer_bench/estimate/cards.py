"""Peak figures of GPUs, as their makers give them: dense, without sparsity."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fer_bench.errors import UserError, near


@dataclass(frozen=True)
class Card:
    """A GPU. fp32, tf32, bf16: peak FLOP/s, 0 where the hardware has no such type. bytes: of memory bandwidth, each
    second. memory: bytes. source: where the figures were read."""

    name: str
    title: str
    fp32: float
    tf32: float
    bf16: float
    bytes: float
    memory: float
    source: str

    def flops(self, precision: str) -> float:
        """Peak FLOP/s in a recipe's precision; what a card has not, it does in fp32 or slower."""
        return {"tf32": self.tf32, "bf16": self.bf16}.get(precision) or self.fp32


HOPPER, AMPERE = "glennklockwood.com/garden/processors/h100", "glennklockwood.com/garden/processors/A100"
CARDS = {card.name: card for card in (
    Card("h100", "H100 SXM 80 GB", 66.9e12, 494.7e12, 989.4e12, 3.35e12, 80e9, HOPPER),
    Card("h200", "H200 SXM 141 GB", 66.9e12, 494.7e12, 989.4e12, 4.8e12, 141e9,
         f"{HOPPER}; memory: anandtech.com/show/21136"),
    Card("a100", "A100 SXM 40 GB", 19.5e12, 156e12, 312e12, 1.555e12, 40e9, AMPERE),
    Card("a100-80gb", "A100 SXM 80 GB", 19.5e12, 156e12, 312e12, 2.039e12, 80e9,
         f"{AMPERE}; bandwidth: thundercompute.com/blog/nvidia-a100-specs-full-guide"),
    Card("a40", "A40 48 GB", 37.4e12, 74.8e12, 149.7e12, 0.696e12, 48e9, "NVIDIA's A40 data sheet, as on ecer.com"),
    Card("rtx4090", "RTX 4090 24 GB", 82.6e12, 82.6e12, 165.2e12, 1.008e12, 24e9,
         "waredb.com/processor/nvidia-geforce-rtx-4090"),
    Card("t4", "T4 16 GB", 8.1e12, 0, 0, 0.32e12, 16e9, "sysrqmts.com: NVIDIA Tesla T4"),
)}


def find_card(name: str) -> Card:
    """A card by its name in the table. Raises UserError with the nearest ones."""
    key = re.sub(r"[^a-z0-9-]", "", name.lower())
    if key not in CARDS:
        raise UserError(f"--card {name}: {near(key, CARDS)}")
    return CARDS[key]


def card_of(device: str, memory: float) -> Card | None:
    """The card of the table that a device's name means, by its memory where several do; None if there is none, or it is
    a slower form of one, or a part."""
    words = re.findall(r"[a-z0-9]+", device.lower())
    names = {*words, *map("".join, zip(words, words[1:], strict=False))}  # "RTX 4090", too
    if names & {"pcie", "nvl", "mig"}:
        return None
    those = [card for card in CARDS.values() if card.name.partition("-")[0] in names]
    return min(those, key=lambda card: abs(card.memory - memory), default=None)
