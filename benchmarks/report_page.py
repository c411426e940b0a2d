"""How long the page of results takes over 2,000 records: to make, and to open; and what it weighs.

    python benchmarks/report_page.py          # about a minute; writes benchmarks/results/report_page.json

The records are copies of ours under other seeds, with predictions that are permuted, so that no two runs agree. Opening
is to the table, and to the figures in view, in Debian's chromium (playwright is in .[test]).
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common import ROOT
from common.tools import about, parser, write

RECORDS = 2_000
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]


def copies() -> Iterator[dict[str, Any]]:
    """Our records on the drawn faces again and again, each round with seeds of its own."""
    from fer_bench.runs.spec import run_id

    draw = random.Random(0)
    files = sorted((ROOT / "results" / "drawn-faces" / "records").glob("??/*.json"))
    found = [json.loads(file.read_text()) for file in files]
    for number in range(RECORDS):
        record = found[number % len(found)]
        spec = {**record["spec"], "seed": record["spec"]["seed"] + 10 * (number // len(found))}
        predictions = [draw.randrange(7) if draw.random() < 0.05 else one for one in record["result"]["predictions"]]
        result = {**record["result"], "predictions": predictions}
        yield {**record, "spec": spec, "id": run_id(spec), "result": result}


def making(place: Path) -> dict[str, float]:
    """Seconds and memory of the command, and MiB of its file."""
    start = time.perf_counter()
    subprocess.run([sys.executable, str(ROOT / "run_bench.py"), "report", "--results", f"{place}/r", "-o",
                    f"{place}/page"], check=True, capture_output=True, cwd=ROOT)
    taken = time.perf_counter() - start
    return {"seconds to make": round(taken, 2),
            "MiB of memory": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024),
            "MiB of the file": round((place / "page" / "index.html").stat().st_size / 2**20, 2)}


def opening(page: Path, repeats: int = 5) -> dict[str, float]:
    """Median seconds until the table stands, and until the figures in view are drawn, by the page's own clock."""
    from playwright.sync_api import sync_playwright

    found = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for _ in range(repeats):
            tab = browser.new_page(viewport={"width": 1280, "height": 900})
            tab.goto(f"file://{page}")
            tab.wait_for_selector("html[data-ready]", state="attached")
            found.append(tab.evaluate("[performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd, "
                                      "Number(document.documentElement.dataset.ready)]"))
            tab.close()
        browser.close()
    table, figures = (sorted(column)[repeats // 2] / 1000 for column in zip(*found, strict=True))
    return {"seconds to the table": round(table, 2), "seconds to the figures in view": round(figures, 2)}


def main() -> None:
    """Measure and write the JSON."""
    options = parser(__doc__, "report_page").parse_args()
    from fer_bench.runs.store import Store

    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        store = Store(place / "r", place / "w")
        for record in copies():
            store.write_record(record)
        found = {"records": RECORDS, **making(place), **opening(place / "page" / "index.html")}
    print(write({"machine": about(threads=1)["machine"], **found}, options.out))


if __name__ == "__main__":
    main()
