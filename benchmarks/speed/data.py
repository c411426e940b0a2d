"""RAF-DB-sized JPEGs of made faces, and runs of our engine on them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fer_bench.runs.plan import Plan, make_plans
from fer_bench.runs.request import Request
from speed.job import EPOCHS, Job

CLASSES = 7
SIDE = 100  # pixels of RAF-DB's aligned faces
TRAIN, TEST = 12271, 3068  # RAF-DB basic
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PROBES = 12  # coarse cells a side of a made face
CHUNK = 256


def faces(job: Job) -> dict[str, Any]:
    """Make a job's faces and the pack that our engine reads; returns how many there are and their mean size."""
    train, test = (job.faces, max(job.faces // 4, CLASSES)) if job.faces else (TRAIN, TEST)
    mean = make_faces(Path(job.folder), train, test)
    plans(job, 1)
    return {"train": train, "test": test, "mean_jpeg_bytes": mean}


def make_faces(folder: Path, train: int, test: int) -> float:
    """Write ``train`` and ``test`` JPEGs as split/class/number.jpg; returns their mean size in bytes."""
    rng = np.random.default_rng(0)
    places = [folder / split / str(i % CLASSES) / f"{i:05d}.jpg"
              for split, count in (("train", train), ("test", test)) for i in range(count)]
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(places), CHUNK):
            chunk = places[start : start + CHUNK]
            list(pool.map(save, chunk, draw_faces(len(chunk), rng)))
    return float(np.mean([place.stat().st_size for place in places]))


def save(place: Path, pixels: np.ndarray) -> None:
    """One JPEG of quality 90."""
    place.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(place, quality=90)


def draw_faces(count: int, rng: np.random.Generator) -> np.ndarray:
    """uint8 [count, SIDE, SIDE, 3]: a skin-coloured ellipse with smooth shades and grain on a smooth background."""
    away = (np.arange(SIDE)[:, None] + 0.5) * PROBES / SIDE - 0.5 - np.arange(PROBES)
    spread = np.exp(-(away**2) / 0.7)
    spread = (spread / spread.sum(1, keepdims=True)).astype(np.float32)  # Gaussian upsampling, [SIDE, PROBES]
    coarse = rng.normal(0, 45, (count, 1, PROBES, PROBES)) + rng.normal(0, 15, (count, 3, PROBES, PROBES))
    shades = (spread @ coarse.astype(np.float32) @ spread.T).transpose(0, 2, 3, 1)
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    inside = 1 / (1 + np.exp(40 * (np.hypot(x / 0.38, y / 0.47) - 1)))[..., None].astype(np.float32)
    skin = rng.uniform(0.6, 1.1, (count, 1, 1, 1)).astype(np.float32) * np.array([205, 160, 135], np.float32)
    ground = rng.uniform(40, 200, (count, 1, 1, 3)).astype(np.float32)
    grain = rng.standard_normal((count, SIDE, SIDE, 1), dtype=np.float32) * 6
    faces: np.ndarray = (inside * skin + (1 - inside) * ground + shades + grain).clip(0, 255).astype(np.uint8)
    return faces


def listed(folder: Path, split: str) -> tuple[list[str], list[int]]:
    """Paths and labels of a split, ordered by number."""
    paths = sorted((folder / split).glob("*/*.jpg"), key=lambda path: path.name)
    return [str(path) for path in paths], [int(path.parent.name) for path in paths]


def plans(job: Job, runs: int) -> list[Plan]:
    """``runs`` runs of our engine on the faces, seeds 0, 1 ...: recipe ``paper`` with the usual pipeline's numbers (no
    flip, erasing .02-.25, ImageNet's mean and deviation). Reads the JPEGs into the cache beside them."""
    settings = {
        "image_size": str(job.size), "batch_size": str(job.batch), "precision": job.precision,
        "fast": str(job.fast).lower(), "epochs": str(EPOCHS), "mean": str(list(MEAN)), "std": str(list(STD)),
        "augment.noise": "0.5", "augment.noise_variance": "30", "augment.flip": "0", "augment.erase": "0.5",
        "augment.erase_scale": "[0.02, 0.25]"}
    request = Request((job.method,), ("clean",), (f"folder:{job.folder}",), tuple(range(runs)),
                      Path(job.folder).parent / "cache", recipe="paper", recipe_settings=settings, pack_size=SIDE)
    return make_plans(request, lambda line: None)
