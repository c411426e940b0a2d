"""How long the suite itself takes around the training: submitting, asking for the status, going from run to run.

    eval "$(tests/cluster/start.sh)"       # without a Slurm the submission is not measured
    python benchmarks/dispatch.py          # about a minute; writes benchmarks/results/dispatch.json
"""

from __future__ import annotations

import argparse
import copy
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
GRID = ["--method", "ce,focal,scn,nla", "--protocol", "clean,noise10,noise20,noise30,imb50"]


def command(*words: str) -> float:
    """Seconds of a command of run_bench.py."""
    start = time.perf_counter()
    subprocess.run([sys.executable, str(ROOT / "run_bench.py"), *words], check=True, capture_output=True)
    return time.perf_counter() - start


def submission(place: Path) -> float | None:
    """Seconds to submit 1,000 runs to Slurm as four tasks; the array is cancelled at once."""
    if shutil.which("sbatch") is None or subprocess.run(["sinfo"], capture_output=True).returncode:
        return None
    folders = ["--results", f"{place}/r", "--work", f"{place}/w", "--cache", f"{place}/c"]
    command(*GRID, "--seeds", "1", *folders, "--dry-run")  # makes the pack
    seconds = command(*GRID, "--seeds", "50", *folders, "--slurm", "timeout_min=60", "--tasks", "4")
    command("cancel", "--work", f"{place}/w")
    return seconds


def status(place: Path, records: int = 10_000) -> float:
    """Seconds of ``status`` over so many records: copies of a reference record under other ids."""
    sys.path.insert(0, str(ROOT))
    from fer_bench.runs.spec import run_id
    from fer_bench.runs.store import Store

    record = json.loads(next((ROOT / "results" / "reference" / "records").glob("??/*.json")).read_text())
    store = Store(place / "many", place / "none")
    for seed in range(records):
        made = copy.copy(record)
        made["spec"] = {**record["spec"], "seed": seed}
        made["id"] = run_id(made["spec"])
        store.write_record(made)
    folders = ["--results", str(store.results), "--work", str(store.work)]
    return statistics.median(command("status", *folders) for _ in range(3))


def between_runs(place: Path, runs: int = 12) -> float:
    """Seconds from the last checkpoint of a run to the first step of the next, in one process: the median.

    Seen from the claims' side: from one "done" to the end of the next run's first epoch, less that epoch.
    """

    from fer_bench.runs.plan import Request, make_plans
    from fer_bench.runs.settings import Settings
    from fer_bench.runs.store import Store
    from fer_bench.runs.worker import work

    request = Request(("ce",), ("noise30",), ("synthetic",), tuple(range(runs)), place / "c",
                      recipe_settings={"epochs": "1"})
    marks: list[tuple[str, float, dict[str, Any]]] = []
    settings = Settings(Store(place / "br", place / "bw"), "cpu", engine="eager")
    work(make_plans(request, print), 0, settings, lambda e: marks.append((e["kind"], time.perf_counter(), e)))
    records = [json.loads(path.read_text()) for path in (place / "br").rglob("*.json")]
    ended = [at for kind, at, _ in marks if kind == "done"]
    whole = [b - a for a, b in zip(ended, ended[1:], strict=False)]
    return statistics.median(whole) - statistics.median(record["cost"]["seconds"] for record in records)


def main() -> None:
    """Measure everything and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "dispatch.json")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    import torch

    from fer_bench.engine.device import environment
    from fer_bench.runs.dispatch import cores

    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        seconds = {"submit 1,000 runs": submission(place), "status over 10,000 records": status(place),
                   "between two runs": between_runs(place)}
    found = {"machine": {**environment(torch.device("cpu"), cores()), "cores": cores()}, "seconds": seconds}
    options.out.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
