"""Records and curves for other programs: CSV, Parquet, JSON, TensorBoard. Read it for what `export --format` writes."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_bench.errors import UserError, unknown
from fer_bench.tables.frame import curves_frame, to_frame
from fer_bench.tables.model import Record
from fer_bench.tables.records import classes_of, dataset_of, protocol_of, unit_of

if TYPE_CHECKING:
    import pandas as pd

NEEDS = {"csv": "pandas", "json": "pandas", "parquet": "pyarrow", "tensorboard": "tensorboard"}
OF_A_CURVE = {"loss": "train/loss", "lr": "train/lr", "memorised": "labels/memorised", "corrected": "labels/corrected"}


def check_format(format: str, folder: Path) -> None:
    """Raise UserError for an unknown format, a missing package, or a folder where logs lie already."""
    if format not in NEEDS:
        raise unknown("format", format, NEEDS)
    if importlib.util.find_spec(NEEDS[format]) is None:
        raise UserError(f"export --format {format} needs {NEEDS[format]}, which is not installed: "
                        "pip install 'fer-bench[report]'")
    if format == "tensorboard" and folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise UserError(f"--out {folder}: is there already, and TensorBoard would show old and new curves as one; give "
                        "a folder that is not there yet")


def export_records(records: Sequence[Record], format: str, folder: Path) -> list[Path]:
    """Write runs.* (a row for each run) and curves.* (a row for each of its epochs), or for TensorBoard a folder for
    each run. Fractions, as in the records. Returns what was written. Raises UserError as `check_format`, and where
    nothing can be written."""
    check_format(format, folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if format == "tensorboard":
            return [_log(record, folder) for record in records]
        frames = {"runs": runs_frame(records), "curves": curves_frame(records)}
        return [_write(frame, folder / f"{name}.{format}", format) for name, frame in frames.items()]
    except OSError as error:
        raise UserError(f"--out {folder}: cannot be written ({error.strerror or error}); give a folder that you may "
                        "write to, on a disk with room") from None


def runs_frame(records: Sequence[Record]) -> pd.DataFrame:
    """`to_frame` of the last epoch; accuracy of the best and the validation epoch, recalls, and what each run was."""
    import json

    frame = to_frame(records)
    more: dict[str, list[Any]] = {}
    for place, record in enumerate(records):
        spec, result = record["spec"], record["result"]
        row = {f"{epoch}_{metric}": result[epoch][metric] for epoch in ("best", "val") if result[epoch]
               for metric in ("epoch", "overall", "mean")}
        row |= {f"recall:{name}": value for name, value in
                zip(classes_of(record), result["last"]["recall"], strict=True)}
        row |= {"parameters": json.dumps(spec["method"]["parameters"]), "weights": spec["weights"],
                "fingerprint": spec["dataset"]["fingerprint"], "engine_version": str(spec["code"]["engine"]),
                "method_version": str(spec["code"]["method"])}
        for key, value in row.items():
            more.setdefault(key, [None] * len(records))[place] = value
    return frame.assign(**more)


def _write(frame: pd.DataFrame, path: Path, format: str) -> Path:
    with whole_file(path) as temporary:
        if format == "csv":
            frame.to_csv(temporary, index=False, lineterminator="\n")
        elif format == "json":
            frame.to_json(temporary, orient="records", lines=False, indent=1, double_precision=15)
        else:
            frame.to_parquet(temporary, index=False, engine="pyarrow")
    return path


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A file to write, that takes its place once it is written."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _log(record: Record, folder: Path) -> Path:
    """A run's curve as TensorBoard reads it: dataset/protocol/method-seed0-<id>."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    seed, fold = unit_of(record)
    run = f"{record['label']}-seed{seed}{f'-fold{fold}' if fold else ''}-{record['id'][:8]}"
    place = folder.joinpath(*(_file_name(name) for name in (dataset_of(record), protocol_of(record), run)))
    writer = EventFileWriter(str(place))
    for row in record["result"]["curve"]:
        scalars = {OF_A_CURVE.get(key, f"test/{key}"): value for key, value in row.items()
                   if key not in ("epoch", "recall") and isinstance(value, int | float)}
        scalars |= {f"recall/{name}": value for name, value in zip(classes_of(record), row["recall"], strict=True)
                    if value is not None}
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
        writer.add_event(Event(step=row["epoch"], wall_time=float(row["epoch"]), summary=Summary(value=values)))
    writer.close()
    return place


def _file_name(text: str) -> str:
    """Text as the name of a folder that lies in its parent."""
    return re.sub(r"[^A-Za-z0-9_.=-]+", "-", text).strip(".")[:100] or "-"
