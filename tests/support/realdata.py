"""The real FERPlus files for tests marked ``realdata``: import the fixture ``ferplus_root`` from here.

FER_BENCH_DATA names the folder that holds ferplus.npz and unpack_ferplus.py, or the two CSV files themselves;
without it the tests are skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def ferplus_root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with fer2013.csv and fer2013new.csv, unpacked once a session."""
    data = Path(os.environ.get("FER_BENCH_DATA", "no-such-folder"))
    if (data / "fer2013new.csv").is_file():  # already unpacked
        yield data
        return
    script = data / "unpack_ferplus.py"
    if not (script.is_file() and (data / "ferplus.npz").is_file()):
        pytest.skip(f"no ferplus.npz and unpack_ferplus.py in {data}; set FER_BENCH_DATA")
    root = tmp_path_factory.mktemp("ferplus")
    subprocess.run([sys.executable, str(script), str(root)], check=True, capture_output=True)
    yield root
    shutil.rmtree(root)  # 300 MB
