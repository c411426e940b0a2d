"""What the commands make of records, as functions that a notebook could call too: tables, figures, the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fer_bench.data.pack import Pack
from fer_bench.errors import UserError, unknown
from fer_bench.runs.faces import cached_pack
from fer_bench.runs.outcomes import with_outcomes
from fer_bench.runs.request import Request
from fer_bench.runs.spec import parse_seeds
from fer_bench.runs.store import Record, read_records, write_whole

Say = Callable[[str], None]


def chosen_records(folders: Sequence[Path], filters: dict[str, Any], say: Say) -> list[Record]:
    """The records of some results folders, with their further tests, that pass the filters; a run that lies in two
    folders counts once. A method that is asked for brings its `-released` twin."""
    from fer_bench.library.methods import with_released
    from fer_bench.tables import select_records

    names: dict[str, Any] = {key: [name.strip() for name in filters[key].split(",")]
                             for key in ("methods", "protocols", "datasets") if filters[key]}
    seeds = parse_seeds(filters["seeds"]) if filters.get("seeds") else None
    single = {key: filters.get(key) for key in ("recipe", "track", "code", "weights", "data")}
    found: dict[str, Record] = {}
    for folder in folders:
        for record in with_outcomes(read_records(folder, say), folder, say):
            found.setdefault(record["id"], record)
    if "methods" in names:
        names["methods"] = with_released(names["methods"], {record["label"] for record in found.values()})
    return select_records(found.values(), seeds=seeds, **names, **single)


def table(results: Path, filters: dict[str, Any], how: dict[str, Any], format: str, out: Path | None,
          say: Say) -> str:
    """The text of a table, or the names of the files written. ``how``: layout and options of ``make_table``."""
    from fer_bench.tables import fill_commands, make_table, render, write_tables

    records = chosen_records([results], filters, say)
    if out is not None:
        return "\n".join(str(path) for path in write_tables(records, out))
    made = make_table(records, **how)
    for command in fill_commands(made):
        say(f"missing: {command}")
    return render(made, format)


def check_baselines(records: Sequence[Record], baselines: Sequence[str]) -> None:
    """Raise UserError for a baseline that has no record; ``ce``, the default, may have none."""
    labels = {str(record["label"]) for record in records}
    if strange := [name for name in baselines if records and name not in {*labels, "ce"}]:
        raise unknown("method for --baseline", strange[0], labels)


def figures(folders: Sequence[Path], filters: dict[str, Any], directory: Path, baseline: str, say: Say) -> str:
    """Write figures for papers into a folder; returns the names of the files. Raises UserError."""
    from fer_bench.report.figures import write_figures
    from fer_bench.report.figures.style import require

    require()  # before records are read
    try:
        records = chosen_records(folders, filters, say)
        check_baselines(records, [baseline])
        return "\n".join(str(path) for path in write_figures(records, directory, baseline))
    except OSError as error:
        raise UserError(f"--figures {directory}: cannot be written ({error.strerror}); give a folder that you may "
                        "write to, on a disk with room") from None


def packs_to_show(records: Sequence[Record], request: Request, say: Say) -> list[Pack]:
    """The datasets whose faces are drawn: the embedded one, and those of the request. Raises UserError for one that no
    record is of."""
    known = {str(record["spec"]["dataset"]["fingerprint"]): record["spec"]["dataset"]["name"] for record in records}
    packs = [cached_pack(dataset, request.cache, None, say) for dataset in request.asked()]
    for pack in packs:
        if pack.fingerprint not in known:
            raise UserError(f"--faces {pack.name}: no record is of these faces (fingerprint {pack.fingerprint[:12]}); "
                            f"found records of {', '.join(f'{name} {key[:12]}' for key, name in known.items())}")
    if "synthetic" in known.values() and "synthetic" not in request.datasets:
        embedded = replace(request, datasets=("synthetic",), roots={}, data_options={})
        packs += [cached_pack(dataset, request.cache, None, say) for dataset in embedded.asked()]
    return packs


def report(folders: Sequence[Path], filters: dict[str, Any], out: Path, request: Request, baselines: Sequence[str],
           say: Say) -> Path:
    """Write the page of results into a folder; returns its file. request: the datasets whose faces are drawn.
    baselines: over which gains have intervals. Raises UserError."""
    from fer_bench.report.gather import gather
    from fer_bench.report.results_page import index_of, plotly_source, render

    plotly_source()  # before minutes are spent
    left_out: list[str] = []

    def warn(line: str) -> None:
        left_out.append(line)
        say(line)

    records = chosen_records(folders, filters, warn)
    count = f"{len(left_out):,} file{'s' * (len(left_out) > 1)}"
    notes = [f"Left out: {count} of the folder, damaged or in conflict with another; the command that made this page "
             "named them."] if left_out else []
    check_baselines(records, baselines)
    text, path = render(gather(records, notes, packs_to_show(records, request, say), baselines)), index_of(out)
    try:
        write_whole(path, text)
    except OSError as error:
        raise UserError(f"-o {out}: cannot be written ({error.strerror}); give a folder that you may write to, on a "
                        "disk with room") from None
    say(f"{len(records):,} records, {len(text.encode()) / 2**20:.1f} MiB")
    return path
