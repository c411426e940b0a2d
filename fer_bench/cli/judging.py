"""What the commands of judge.py do, as functions that a notebook could call too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fer_bench.errors import UserError, unknown
from fer_bench.runs.spec import parse_seeds
from fer_bench.runs.store import Record, read_records
from fer_bench.runs.test_faces import with_test_faces
from fer_bench.tables.records import select_records

Say = Callable[[str], None]


def chosen(folders: Sequence[Path], filters: dict[str, Any], say: Say) -> list[Record]:
    """The records of some folders that pass the filters, with their test faces; a run that lies in two counts once.
    Raises UserError where there is none."""
    found: dict[str, Record] = {}
    for folder in folders:
        for record in with_test_faces(read_records(folder, say), folder, say):
            found.setdefault(record["id"], record)
    if not found:
        raise UserError(f"no records under {', '.join(map(str, folders))}: look at --results, or run first: "
                        "python run_bench.py --method ce,nla --protocol clean --seeds 3")
    names: dict[str, Any] = {key: [name.strip() for name in filters[key].split(",")]
                             for key in ("methods", "protocols", "datasets") if filters.get(key)}
    seeds = parse_seeds(filters["seeds"]) if filters.get("seeds") else None
    single = {key: filters.get(key) for key in ("recipe", "track", "code", "weights", "data")}
    return select_records(found.values(), seeds=seeds, **names, **single)


def compared(folders: Sequence[Path], filters: dict[str, Any], one: str, other: str, kind: str, format: str,
             figure: Path | None, say: Say) -> str:
    """The text of a comparison; the figure is written, too, where one is asked for."""
    from fer_bench.statistics.compare import compare
    from fer_bench.statistics.figure import check_figure, draw
    from fer_bench.statistics.render import FORMATS, render

    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    if figure:
        check_figure(figure)
    found = compare(chosen(folders, filters, say), one, other, kind)
    if figure:
        draw(found, figure)
    return render(found, format)


def needed(folders: Sequence[Path], filters: dict[str, Any], asked: Sequence[str], baseline: str, gain: float,
           tests: int, chance: float, format: str, say: Say) -> str:
    """The text of a table of needed seeds. gain: in points."""
    from fer_bench.statistics.power import needed
    from fer_bench.statistics.render import FORMATS, render_needed

    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    found = needed(chosen(folders, filters, say), asked, baseline, gain / 100, tests, chance)
    many = f", {tests} methods tested beside each other" if tests > 1 else ""
    title = f"seeds needed to see a gain of {gain:g} points over {baseline} with a chance of {100 * chance:g} %{many}"
    return render_needed(found, title, format)


def exported(folders: Sequence[Path], filters: dict[str, Any], format: str, out: Path, say: Say) -> str:
    """Write records and curves into a folder; returns the names of what was written."""
    from fer_bench.tables.export import check_format, export_records

    check_format(format, out)
    return "\n".join(str(path) for path in export_records(chosen(folders, filters, say), format, out))
