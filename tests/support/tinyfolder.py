"""A tiny dataset of class folders, a tiny recipe, and the command line run in this process or in another one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

CHECKOUT = Path(__file__).resolve().parents[2]
CLASSES = ("bars", "columns", "squares")
RECIPE = """title: for tests
backbone: resnet10-w16
image_size: 16
colour: grey
epochs: {epochs}
batch_size: 16
lr: 2.0e-3
schedule: cosine
mean: [0.5]
std: [0.25]
augment: {{flip: 0.5, shift: 2, erase: 0.5}}
"""


def pattern(label: int, generator: np.random.Generator, size: int = 16) -> np.ndarray:
    """A noisy 16x16 image of one of three patterns, uint8."""
    image = np.full((size, size), 60.0)
    start = int(generator.integers(0, 4))
    if label == 0:
        image[start::4] += 120
    elif label == 1:
        image[:, start::4] += 120
    else:
        image[start + 3 : start + 10, start + 3 : start + 10] += 120
    return np.clip(image + generator.normal(0, 20, image.shape), 0, 255).astype(np.uint8)


def make_folder(root: Path, train: int = 20, test: int = 10) -> Path:
    """Write ``train/<class>/*.png`` and ``test/<class>/*.png`` under ``root``."""
    generator = np.random.default_rng(7)
    for split, count in (("train", train), ("test", test)):
        for label, name in enumerate(CLASSES):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                Image.fromarray(pattern(label, generator)).save(folder / f"{number:03d}.png")
    return root


def write_recipe(path: Path, epochs: int = 2) -> Path:
    """Write the tiny recipe."""
    path.write_text(RECIPE.format(epochs=epochs))
    return path


class Place:
    """A temporary place with a dataset, a recipe, and folders for results, work and cache."""

    def __init__(self, root: Path, epochs: int = 2, train: int = 20) -> None:
        self.root = root
        self.data = make_folder(root / "faces", train)
        self.recipe = write_recipe(root / "tiny.yaml", epochs)
        self.results, self.work, self.cache = root / "results", root / "work", root / "cache"

    def words(self, *more: str, results: str = "results") -> list[str]:
        """Arguments of the run command on the tiny dataset; its work folder lies beside the results folder. The state
        is saved as often as can be, so that faults meet every moment of it."""
        return ["--dataset", f"folder:{self.data}", "--recipe", str(self.recipe), "--cache", str(self.cache),
                "--results", str(self.root / results), "--work", str(self.root / results / "../work" / results),
                "--device", "cpu", "--save-every", "0", *more]

    def records(self, results: str = "results") -> list[dict[str, Any]]:
        """All records under a results folder, ordered by method, protocol and seed."""
        found = [json.loads(p.read_text()) for p in (self.root / results / "records").glob("??/*.json")]
        return sorted(found, key=lambda r: (r["label"], r["spec"]["protocol"]["name"], r["spec"]["seed"]))


def call(*words: str) -> int:
    """Run the command line in this process; returns its exit status."""
    from fer_bench.cli import main

    with pytest.raises(SystemExit) as stopped:
        main(list(words))
    return int(stopped.value.code or 0)


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line of a command that must end with status 2."""
    capsys.readouterr()
    status = call(*words)
    shown = capsys.readouterr()
    assert status == 2, shown.err
    lines = shown.err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: "), shown.err
    return lines[0]


def environment() -> dict[str, str]:
    """Environment variables of a child process: this checkout importable, one thread."""
    return {**os.environ, "PYTHONPATH": str(CHECKOUT), "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


def start(*words: str) -> subprocess.Popen[str]:
    """Start the real command in another process, with its standard error as text."""
    return subprocess.Popen([sys.executable, str(CHECKOUT / "run_bench.py"), *words], env=environment(), text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def python(code: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in another process."""
    return subprocess.run([sys.executable, "-c", code], env=environment(), text=True, capture_output=True, timeout=120)
