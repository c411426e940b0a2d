"""Weights as TensorFlow.js keeps them: a manifest that names tensors in order, and their values one after the other."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from fer_bench.errors import UserError

DTYPES = {"float32": "<f4", "uint8": "u1", "uint16": "<u2"}  # of values as they lie in the file


def decode(manifest: bytes, values: bytes) -> dict[str, np.ndarray]:
    """Tensors float32 by name. A quantised value is byte * scale + min. Raises UserError unless every entry can be read
    and the values are used up to the last byte."""
    found: dict[str, np.ndarray] = {}
    start = 0
    for entry in _entries(manifest):
        try:
            name, shape = entry["name"], [int(length) for length in entry["shape"]]
            quantised = entry.get("quantization")
            kind = quantised["dtype"] if quantised else entry["dtype"]
            scale, least = (np.float32(quantised["scale"]), np.float32(quantised["min"])) if quantised else (1, 0)
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise UserError(f"weights manifest: an entry without {error}, expected name, shape and dtype; get the "
                            "package again") from None
        if kind not in DTYPES or (kind != "float32") != bool(quantised) or entry["dtype"] != "float32":
            raise UserError(f"weights manifest: '{name}' is {entry['dtype']} kept as {kind}, expected float32, as it "
                            "is or quantised to uint8 or uint16; get the package again")
        dtype, count = np.dtype(DTYPES[kind]), math.prod(shape)
        end = start + count * dtype.itemsize
        if min(shape, default=1) < 1 or end > len(values):
            raise UserError(f"weights manifest: '{name}' of shape {shape} ends at byte {end:,} of {len(values):,}; the "
                            "two files do not belong together, get the package again")
        raw = np.frombuffer(values, dtype, count, start).astype(np.float32)
        found[name] = (raw * scale + least if quantised else raw).reshape(shape)
        start = end
    if start != len(values):
        raise UserError(f"weights manifest: its tensors take {start:,} bytes, the file has {len(values):,}; the two "
                        "files do not belong together, get the package again")
    return found


def _entries(manifest: bytes) -> list[dict[str, Any]]:
    """What the manifest lists, in the order of the file."""
    try:
        content = json.loads(manifest)
        entries: list[dict[str, Any]] = [entry for group in content for entry in group["weights"]]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"weights manifest: no list of weights ({type(error).__name__}: {error}); get the package "
                        "again") from None
    return entries
