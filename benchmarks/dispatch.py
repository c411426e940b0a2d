"""How long the suite itself takes around the training: submitting, asking for the status, going from run to run.

    eval "$(tests/cluster/start.sh)"       # without a Slurm the submission is not measured
    python benchmarks/dispatch.py          # about a minute; writes benchmarks/results/dispatch.json
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from common import ROOT
from common.tools import about, folders, parser, seconds, write

GRID = ["--method", "ce,focal,scn,nla", "--protocol", "clean,noise10,noise20,noise30,imb50"]


def submission(place: Path) -> float | None:
    """Seconds to submit 1,000 runs to Slurm as four tasks; the array is cancelled at once."""
    if shutil.which("sbatch") is None or subprocess.run(["sinfo"], capture_output=True).returncode:
        return None
    grid = [*GRID, *folders(place)]
    seconds(*grid, "--seeds", "1", "--dry-run", repeats=1)  # makes the pack
    taken = seconds(*grid, "--seeds", "50", "--slurm", "timeout_min=60", "--tasks", "4", repeats=1)
    seconds("cancel", "--work", f"{place}/w", repeats=1)
    return taken


def status(place: Path, records: int = 10_000) -> float:
    """Seconds of ``status`` over so many records: copies of one of ours under other ids."""
    from fer_bench.runs.spec import run_id
    from fer_bench.runs.store import Store

    record = json.loads(next((ROOT / "results").glob("*/records/??/*.json")).read_text())
    store = Store(place / "many", place / "none")
    for seed in range(records):
        spec = {**record["spec"], "seed": seed}
        store.write_record({**record, "spec": spec, "id": run_id(spec)})
    return seconds("status", "--results", str(store.results), "--work", str(store.work))


def between_runs(place: Path, runs: int = 12) -> float:
    """Seconds from the last checkpoint of a run to the first step of the next, in one process: the median.

    Seen from the claims' side: from one "done" to the end of the next run's first epoch, less that epoch.
    """
    from fer_bench.runs.plan import make_plans
    from fer_bench.runs.request import Request
    from fer_bench.runs.settings import Settings
    from fer_bench.runs.store import Store, read_records
    from fer_bench.runs.worker import work

    request = Request(("ce",), ("noise30",), ("synthetic",), tuple(range(runs)), place / "c",
                      recipe_settings={"epochs": "1"})
    ended: list[float] = []

    def emit(event: dict[str, Any]) -> None:
        if event["kind"] == "done":
            ended.append(time.perf_counter())

    work(make_plans(request, print), 0, Settings(Store(place / "br", place / "bw"), "cpu", engine="eager"), emit)
    whole = [b - a for a, b in zip(ended, ended[1:], strict=False)]
    return statistics.median(whole) - statistics.median(r["cost"]["seconds"] for r in read_records(place / "br"))


def main() -> None:
    """Measure everything and write the JSON."""
    options = parser(__doc__, "dispatch").parse_args()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        taken = {"submit 1,000 runs": submission(place), "status over 10,000 records": status(place),
                 "between two runs": between_runs(place)}
    print(write({"machine": about(threads=1)["machine"], "seconds": taken}, options.out))


if __name__ == "__main__":
    main()
