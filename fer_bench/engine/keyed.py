"""Where every random number of a run comes from: generators keyed by what they are for, never by what ran before.

So there is no generator state to save, a resumed run sees what an uninterrupted one sees, and every method of a seed
sees the same order and the same augmentations.
"""

from __future__ import annotations

import hashlib

import torch


def key(*parts: object) -> int:
    """63 bits from the parts' text: BLAKE2b of "a|b|c"."""
    digest = hashlib.blake2b("|".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def generator(*parts: object, device: torch.device | str = "cpu") -> torch.Generator:
    """A fresh generator for one purpose, e.g. ``generator("order", seed, epoch)``."""
    return torch.Generator(device=device).manual_seed(key(*parts))


def seed_everything(device: torch.device, *parts: object) -> None:
    """Key torch's own generators, of the CPU and of the run's device, for layers that draw for themselves. What
    ``torch.manual_seed`` does for the same numbers, without its look at every kind of device, which costs as much as
    half a millisecond a step."""
    torch.default_generator.manual_seed(key(*parts))
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(key(*parts))
