"""How many threads a run should have, and how they should wait: steps and commands on an idle and on a busy machine.

    python benchmarks/threads.py                        # about eleven minutes; writes benchmarks/results/threads.json
    python benchmarks/threads.py --before FOLDER        # and the same command in a checkout of an earlier commit
    python benchmarks/threads.py --helper               # a minute: only what the helper thread gains, added to the file

Threads that wait for each other spin unless they are told otherwise before torch is loaded, so each choice is measured
in a process of its own. Rounds go through all choices in turn, since other work on a machine comes and goes.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from common import ROOT
from common.tools import about, folders, parser, say, write

CHOICES: dict[str, tuple[int, dict[str, str]]] = {  # threads, environment
    "one thread": (1, {}),
    "two threads, spinning (torch's default)": (2, {}),
    "two threads, GOMP_SPINCOUNT=10000": (2, {"GOMP_SPINCOUNT": "10000"}),
    "two threads, GOMP_SPINCOUNT=1000": (2, {"GOMP_SPINCOUNT": "1000"}),
    "two threads, OMP_WAIT_POLICY=passive": (2, {"OMP_WAIT_POLICY": "passive"}),
}
COMMAND = ("--method", "nla", "--protocol", "noise30")
ROUNDS = 2
STEPS = "import sys; sys.path.insert(0, 'benchmarks'); from quick import step_rate; print(step_rate('fp32', {}, 6.0))"
ALONE = "from fer_bench.nets import slim; slim.promise_gradients = lambda network: None; "  # without the helper


@contextlib.contextmanager
def busy(processes: int) -> Iterator[None]:
    """Other processes that never rest, while the block runs."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def clean(more: dict[str, str]) -> dict[str, str]:
    """The environment without what says how many threads there are and how they wait, and with ``more``."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))} | more


def rate(threads: int, more: dict[str, str], first: str = "") -> float:
    """Images/s of cross-entropy's steps under the quick recipe; ``first``: Python to run before."""
    done = subprocess.run([sys.executable, "-c", first + STEPS.format(threads)], env=clean(more), cwd=ROOT, check=True,
                          capture_output=True, text=True)
    return float(done.stdout)


def command(folder: Path) -> float:
    """Wall seconds of the README's first command in a checkout, with nothing done before."""
    with tempfile.TemporaryDirectory() as place:
        start = time.perf_counter()
        subprocess.run([sys.executable, "run_bench.py", *COMMAND, *folders(place)], cwd=folder, check=True,
                       capture_output=True, env=clean({}))
        return time.perf_counter() - start


def helper() -> dict[str, list[float]]:
    """Images/s of one thread on an idle machine with and without the helper of ``nets/overlap.py``, in turns."""
    found: dict[str, list[float]] = {"with": [], "without": []}
    for _ in range(3):
        found["with"].append(rate(1, {}))
        found["without"].append(rate(1, {}, ALONE))
    return found


def main() -> None:
    """Measure everything and write the JSON."""
    options = parser(__doc__, "threads")
    options.add_argument("--before", type=Path, help="a checkout of an earlier commit")
    options.add_argument("--helper", action="store_true", help="measure the helper thread alone")
    given = options.parse_args()
    if given.helper:
        print(write({**json.loads(given.out.read_text()), "helper": helper()}, given.out))
        return
    rates: dict[str, dict[str, list[float]]] = {name: {"idle": [], "beside 3": []} for name in CHOICES}
    for number in range(ROUNDS):
        for name, choice in CHOICES.items():
            say(f"round {number + 1} of {ROUNDS}: {name}")
            rates[name]["idle"].append(rate(*choice))
            with busy(3):
                rates[name]["beside 3"].append(rate(*choice))
    medians = {name: {load: statistics.median(values) for load, values in found.items()}
               for name, found in rates.items()}
    taken: dict[str, dict[str, float]] = {}
    for name, folder in {"now": ROOT, **({"before": given.before} if given.before else {})}.items():
        say(f"{' '.join(COMMAND)}: {name}")
        taken[name] = {"idle": command(folder)}
        with busy(2):
            taken[name]["beside 2"] = command(folder)
    print(write({"machine": about()["machine"], "images_per_second": medians, "rounds": rates,
                 "command_seconds": taken, "helper": helper()}, given.out))


if __name__ == "__main__":
    main()
