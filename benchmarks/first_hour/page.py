"""The page of findings, for people: what each part found, and what to do next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tabulate import tabulate

from first_hour.advice import advice

Figures = dict[str, Any]


def page(found: dict[str, Any]) -> str:
    """The markdown of the whole hour."""
    parts = found["parts"]
    shown = {name: section(parts[name]["figures"]) for name, section in SECTIONS.items()
             if parts.get(name, {}).get("figures")}
    blocks = [f"# {'Rehearsal' if found['rehearsal'] else 'First hour'} on {found['card']}", about(found),
              overview(parts), "## What to do next",
              "\n".join(f"- {line}" for line in advice(parts, found["rehearsal"])),
              *(block for name, blocks in shown.items() for block in (f"## {title(name)}", *blocks))]
    return "\n\n".join(block for block in blocks if block) + "\n"


def title(name: str) -> str:
    """The heading of a part."""
    return name.capitalize().replace("Gpu", "GPU").replace("Ferplus", "FERPlus")


def about(found: dict[str, Any]) -> str:
    """The card, the versions and the commit."""
    versions, gpu = found["versions"], found.get("gpu")
    lines = ["**A rehearsal on a processor at tiny sizes, with two tests of recorded steps for the GPU tests: none of "
             "its figures says anything of a GPU.**\n"] if found["rehearsal"] else []
    card = (f"{gpu['memory_bytes'] / 1e9:.0f} GB, compute capability {gpu['capability']}, {gpu['multiprocessors']} "
            f"multiprocessors, CUDA {gpu['cuda']}, cuDNN {gpu['cudnn']}. ") if gpu else ""
    return "\n".join([*lines, f"{card}{found['machine']['cores']} processor cores, torch {versions['torch']}, commit "
                      f"{versions.get('commit', 'unknown')[:12]}. Written by `python benchmarks/first_gpu_hour.py`."])


def table(rows: list[list[Any]], heads: list[str]) -> str:
    """A markdown table of texts as they are."""
    texts = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    return str(tabulate(texts, heads, tablefmt="github", disable_numparse=True))


def overview(parts: dict[str, dict[str, Any]]) -> str:
    """A line for each part."""
    rows = [[name, part["status"], f"{part['seconds']:.0f}" if part["seconds"] else "",
             part["reason"] or SAID.get(name, lambda figures: "")(part["figures"]) if part["figures"] or part["reason"]
             else ""] for name, part in parts.items()]
    return table(rows, ["part", "status", "seconds", "found"])


def number(value: float | None, digits: int = 0) -> str:
    """A figure, if there is one."""
    return "" if value is None else f"{value:,.{digits}f}"


def tests(figures: Figures) -> Iterator[str]:
    """Each failed test."""
    if figures["failures"]:
        yield table([[f"`{row['test']}`", row["error"]] for row in figures["failures"]],
                    ["failed test", "first line of its error"])
    else:
        yield f"{figures['passed']} passed, none failed."


def doctor(figures: Figures) -> Iterator[str]:
    """Its text as it is."""
    yield f"```\n{figures['text']}\n```"


def graph(figures: Figures) -> Iterator[str]:
    """A row for each method; the steps' losses are compared bit for bit."""
    yield (f"Images/s of one run, recipe `{figures['recipe']}`. Losses: whether those of the first steps have the same "
           "bits called and replayed.")
    yield table([[row["method"], number(row["eager"].get("images_per_second")),
                  number(row["graph"].get("images_per_second")), number(row.get("speedup"), 2), losses(row),
                  why_eager(row)] for row in sorted(figures["rows"], key=lambda row: row["method"])],
                ["method", "eager", "graph", "ratio", "losses", "not replayed, because"])


def losses(row: Figures) -> str:
    """Whether graph and eager agree."""
    if row["equal"] is None:
        return "not compared"
    return f"{row['steps']} equal" if row["equal"] else f"**differ at step {row['differs_at']}**"


def why_eager(row: Figures) -> str:
    """Why a method was not replayed, or how it failed."""
    failed = [f"{way}: {row[way]['failed']}" for way in ("eager", "graph") if "failed" in row[way]]
    return "; ".join(failed) or row["graph"].get("why_not") or ""


def speed(figures: Figures) -> Iterator[str]:
    """Rows against the usual pipeline."""
    settings = figures["settings"]
    yield f"{settings['size']} px, batch {settings['batch']}; ratios are to the usual pipeline of the same method."
    yield table([[row["method"], row["name"], number(row["images_per_second"]), number(row["ratio"], 2),
                  "" if row["share_of_floor"] is None else f"{row['share_of_floor']:.0%}",
                  row["reason"] or ("disturbed" if row["disturbed"] else "")] for row in figures["rows"]],
                ["method", "row", "images/s", "ratio", "of the floor", "note"])


def packing(figures: Figures) -> Iterator[str]:
    """Lanes as columns."""
    rows = figures["rows"]
    counts = sorted({row["lanes"] for row in rows})
    yield "Images/s of all runs together, by the number of runs that take turns in one process."
    lines = []
    for method, engine in dict.fromkeys((row["method"], row["engine"]) for row in rows):
        mine = {row["lanes"]: row for row in rows if (row["method"], row["engine"]) == (method, engine)}
        notes = {row.get("failed") or row.get("why_not") or "" for row in mine.values()} - {""}
        most = max((row.get("gb") or 0 for row in mine.values()), default=0)
        lines.append([method, engine, *(number(mine.get(n, {}).get("images_per_second")) for n in counts),
                      number(most or None, 1), "; ".join(sorted(notes))])
    yield table(lines, ["method", "engine", *(str(n) for n in counts), "GB", "note"])


def repeatability(figures: Figures) -> Iterator[str]:
    """Whether each way gave the bits of the undisturbed run."""
    yield (f"`--method nla --protocol noise30`, recipe `quick`, {figures['epochs']} epochs; undisturbed with the "
           f"engine `{figures['engine']}`: {100 * figures['overall']:.2f} % in {figures['seconds']:.1f} s. Result and "
           "diagnosis of the records are compared.")
    yield table([[row["way"], verdict(row), row.get("engine", ""), row.get("failed") or "; ".join(
        [*filter(None, [row["note"]]), *row["differs"]])] for row in figures["rows"]],
                ["way", "same bits", "engine", "note"])


def verdict(row: Figures) -> str:
    """Yes, no, or that it could not be said."""
    return "not compared" if "failed" in row else "yes" if row["equal"] else "**no**"


def grid(figures: Figures) -> Iterator[str]:
    """How far it came, and its table."""
    yield (f"{figures['runs']} runs of all methods, clean and with 30 % wrong labels, {figures['seconds']:.0f} s of "
           f"training and evaluation in all, --pack {figures['pack']}. One seed: no difference in it is significant.")
    yield figures["table"]


SECTIONS: dict[str, Callable[[Figures], Iterator[str]]] = {
    "gpu tests": tests, "graph against eager": graph, "speed": speed, "packing": packing,
    "repeatability": repeatability, "ferplus grid": grid, "doctor": doctor}


def count_graph(figures: Figures) -> str:
    """How many methods were replayed, and agreed."""
    rows = figures["rows"]
    replayed = [row["equal"] for row in rows if row["equal"] is not None]
    return f"{len(rows)} of {figures['of']} methods; " + (
        f"{len(replayed)} replayed, {sum(replayed)} of them with equal losses" if replayed else "none replayed")


def count_equal(figures: Figures) -> str:
    """How many ways gave the same bits."""
    equal = [row.get("equal", False) for row in figures["rows"]]
    return f"{sum(equal)} of {len(equal)} ways have the same bits"


def best_ratios(figures: Figures) -> str:
    """Our best ratio of each method that has one."""
    best: dict[str, float] = {}
    for row in figures["rows"]:
        if row["ratio"] and row["name"].startswith("ours"):
            best[row["method"]] = max(best.get(row["method"], 0.0), row["ratio"])
    return ", ".join(f"{method} {ratio:.2f} times the usual pipeline" for method, ratio in best.items())


SAID: dict[str, Callable[[Figures], str]] = {
    "gpu tests": lambda f: f"{f['passed']} passed, {f['failed']} failed, {f['skipped']} skipped",
    "doctor": lambda f: f"{len(f['broken'])} to mend",
    "graph against eager": count_graph, "speed": best_ratios,
    "packing": lambda f: f"{len(f['rows'])} figures", "repeatability": count_equal,
    "ferplus grid": lambda f: f"{f['runs']} runs done, {f['failed']} failed"}
