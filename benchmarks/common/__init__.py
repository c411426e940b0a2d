"""What the benchmarks share: child processes, the machine's description, JSON files, commands under the clock."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))  # this checkout is what is measured
