"""How fast a dataset is packed and opened again, and what memory 300,000 images take.

    python benchmarks/packing.py    # three minutes, 1.3 GB of disk; writes benchmarks/results/packing.json

The images are noise that compresses as faces do (4 kB at 100 px); ``load`` is what else the machine did.
"""

from __future__ import annotations

import io
import os
import statistics
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from common.child import ask as ask_child
from common.tools import about, parser, say, write
from PIL import Image

SETS = (("RAF-DB's size", 12_271, 100), ("AffectNet's number", 300_000, 28))
DIFFERENT = 64  # images; the others repeat them


def jpegs(side: int) -> list[bytes]:
    """Smooth colour noise in files."""
    generator, found = np.random.default_rng(0), []
    for _ in range(DIFFERENT):
        coarse = Image.fromarray(generator.integers(0, 256, (14, 14, 3), np.uint8))
        file = io.BytesIO()
        coarse.resize((side, side), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
        found.append(file.getvalue())
    return found


def make(place: Path, count: int, side: int) -> Path:
    """Class folders of seven classes, a fifth of them for testing, in a .zip."""
    files = jpegs(side)
    with zipfile.ZipFile(place / "faces.zip", "w") as archive:
        for i in range(count):
            archive.writestr(f"{'train' if i % 5 else 'test'}/{i % 7}/{i:06d}.jpg", files[i % DIFFERENT])
    return place / "faces.zip"


def opened(root: str, cache: str) -> dict[str, float]:
    """Seconds until a dataset is open, and the most memory that this process had, in MB."""
    import resource

    from fer_bench.data.catalog import ask
    from fer_bench.data.opening import open_dataset

    start = time.perf_counter()
    open_dataset(ask(f"folder:{root}"), Path(cache))
    taken = time.perf_counter() - start
    return {"seconds": taken, "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6}


def measure(title: str, count: int, side: int) -> dict[str, Any]:
    """Packing and opening of one set, each in a process of its own."""
    with tempfile.TemporaryDirectory() as place:
        root, cache = make(Path(place), count, side), f"{place}/cache"
        bytes_of_an_image = root.stat().st_size / count
        packed = ask_child("packing:opened", str(root), cache)
        again = [ask_child("packing:opened", str(root), cache)["seconds"] for _ in range(5)]
    row = {"set": title, "images": count, "side": side, "bytes_of_an_image": round(bytes_of_an_image),
           "pack_seconds": packed["seconds"], "images_per_second": count / packed["seconds"],
           "pack_memory_mb": packed["memory_mb"], "open_seconds": statistics.median(again), "load": os.getloadavg()[0]}
    say(f"{title}: {count:,} images of {side} px packed in {packed['seconds']:.1f} s, "
        f"{row['images_per_second']:,.0f}/s, {packed['memory_mb']:.0f} MB; opened in {row['open_seconds']:.3f} s")
    return row


def main() -> None:
    """Measure the sets and write the JSON."""
    options = parser(__doc__, "packing").parse_args()
    rows = [measure(*each) for each in SETS]
    print(write({"machine": about(threads=1)["machine"], "rows": rows}, options.out))


if __name__ == "__main__":
    main()
