"""A made package in the form of dlib-face's, with random tensors: the files, and a literal forward pass over them."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fer_bench.nets.dlib_face import from_package
from fer_bench.nets.weights import content_hash
from fer_bench.weights.catalog import DLIB_FACE, Package
from fer_bench.weights.tfjs import decode

WIDTHS = {"conv32_1": (32, 32), "conv32_2": (32, 32), "conv32_3": (32, 32), "conv64_down": (32, 64),
          "conv64_1": (64, 64), "conv64_2": (64, 64), "conv64_3": (64, 64), "conv128_down": (64, 128),
          "conv128_1": (128, 128), "conv128_2": (128, 128), "conv256_down": (128, 256), "conv256_1": (256, 256),
          "conv256_2": (256, 256), "conv256_down_out": (256, 256)}


def shapes() -> dict[str, list[int]]:
    """Names and shapes of the package's 117 tensors, as its source lists them."""
    kernels = {"conv32_down": [7, 7, 3, 32]}
    for name, (before, width) in WIDTHS.items():
        kernels |= {f"{name}/conv1": [3, 3, before, width], f"{name}/conv2": [3, 3, width, width]}
    found = {}
    for name, kernel in kernels.items():
        found[f"{name}/conv/filters"] = kernel
        found |= {f"{name}/{key}": kernel[-1:] for key in ("conv/bias", "scale/weights", "scale/biases")}
    return {**found, "fc": [256, 128]}


def files(seed: int = 0, spread: float = 1.0) -> tuple[bytes, bytes]:
    """Manifest and values: one byte a value, but float32 for the kernels of width 64, as in the real ones."""
    rng, entries, values = np.random.default_rng(seed), [], []
    for name, shape in shapes().items():
        entry = {"name": name, "shape": shape, "dtype": "float32"}
        size = spread / np.sqrt(np.prod(shape[:-1])) if "filters" in name or name == "fc" else 0.5
        middle = 1.0 if name.endswith("scale/weights") else 0.0
        if name.startswith("conv64") and "filters" in name:
            values.append((middle + size * rng.standard_normal(shape)).astype("<f4").tobytes())
        else:
            entry["quantization"] = {"dtype": "uint8", "scale": 2 * size / 255, "min": middle - size}
            values.append(rng.integers(0, 256, shape).astype("u1").tobytes())
        entries.append(entry)
    return json.dumps([{"weights": entries, "paths": ["model.bin"]}]).encode(), b"".join(values)


def package_of(manifest: bytes, values: bytes, content: str = "") -> Package:
    """A package of these files, as the catalog would have it."""
    sha = hashlib.sha256(manifest).hexdigest(), hashlib.sha256(values).hexdigest()
    content = content or content_hash(from_package(decode(manifest, values)))
    return Package("dlib-face", "made@1", DLIB_FACE.manifest, DLIB_FACE.values, sha, (len(manifest), len(values)),
                   content, "face112", "none", "made")


def tgz(path: Path, members: dict[str, bytes]) -> Path:
    """A .tgz with these members."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def forward(tensors: dict[str, np.ndarray], images: np.ndarray) -> np.ndarray:
    """The descriptor float64 [B, 128] of float64 [B, S, S, 3], S = 150, as the package's source computes it."""
    x = pool(np.maximum(scaled(tensors, "conv32_down", images, 2, "valid"), 0), 3, np.max)
    for name in WIDTHS:
        down = "_down" in name
        inner = np.maximum(scaled(tensors, f"{name}/conv1", x, 2 if down else 1, "valid" if down else "same"), 0)
        inner = scaled(tensors, f"{name}/conv2", inner, 1, "same")
        shortcut = x
        if down:
            shortcut = pool(x, 2, np.mean)
            rows = shortcut.shape[1] - inner.shape[1]
            inner = np.pad(inner, ((0, 0), (0, rows), (0, rows), (0, 0)))
            shortcut = np.pad(shortcut, ((0, 0), (0, 0), (0, 0), (0, inner.shape[3] - shortcut.shape[3])))
        x = np.maximum(inner + shortcut, 0)
    return x.mean((1, 2)) @ tensors["fc"].astype(float)


def scaled(tensors: dict[str, np.ndarray], name: str, x: np.ndarray, stride: int, padding: str) -> np.ndarray:
    """scale * (convolution + bias) + bias."""
    kernel = tensors[f"{name}/conv/filters"].astype(float)
    size = kernel.shape[0]
    if padding == "same":
        x = np.pad(x, ((0, 0), (size // 2, size // 2), (size // 2, size // 2), (0, 0)))
    out = (x.shape[1] - size) // stride + 1
    reach = stride * (out - 1) + 1
    found = np.zeros((len(x), out, out, kernel.shape[3]))
    for row in range(size):
        for column in range(size):
            found += x[:, row : row + reach : stride, column : column + reach : stride] @ kernel[row, column]
    return (found + tensors[f"{name}/conv/bias"]) * tensors[f"{name}/scale/weights"] + tensors[f"{name}/scale/biases"]


def pool(x: np.ndarray, size: int, of: Callable[..., np.ndarray]) -> np.ndarray:
    """Maximum or mean of squares, two apart, without padding."""
    out = (x.shape[1] - size) // 2 + 1
    rows = [[of(x[:, 2 * i : 2 * i + size, 2 * j : 2 * j + size], axis=(1, 2)) for j in range(out)] for i in range(out)]
    return np.stack([np.stack(row, 1) for row in rows], 1)
