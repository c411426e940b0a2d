"""One thread per process: the suite's tests run in parallel, and small tensors gain nothing from more."""

import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent))
