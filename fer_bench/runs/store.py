"""Records, claims and states of runs: plain files, no database, nothing but atomic renames and links.

results/records/ab/<id>.json   a finished run, written once
work/ab/<id>/                  checkpoints, claims and error.txt of a run
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_bench.errors import UserError
from fer_bench.runs.claims import Claim, is_stale, newest, take
from fer_bench.runs.spec import complete

Record = dict[str, Any]


def read_records(results: Path, warn: Callable[[str], None] = lambda line: None) -> list[Record]:
    """All whole records under a results folder, by id; damaged ones and conflicts are said and left out."""
    with _collector_paused():
        return list(_whole(results, _read, warn))


def read_heads(results: Path, warn: Callable[[str], None] = lambda line: None) -> list[dict[str, Any]]:
    """Id, label and spec of all whole records, without their results: what is needed to count thousands of them."""
    with _collector_paused():
        found = _whole(results, lambda path: _read_head(path) or _read(path), warn)
        return [{key: record[key] for key in ("id", "label", "spec")} for record in found]


def _whole(results: Path, read: Callable[[Path], Record | None], warn: Callable[[str], None]) -> Iterator[Record]:
    for path in sorted((results / "records").glob("??/*.json")):
        record = read(path)
        if record is None:
            warn(f"record {path} is damaged; not used: run the same command again to redo it")
        elif path.stem != record["id"]:
            warn(f"{path.name}: a second, different result of run {record['id']}; not used")
        else:
            yield record


@contextlib.contextmanager
def _collector_paused() -> Iterator[None]:
    """Without this, Python's garbage collector walks over all records again and again while thousands are read, which
    takes longer than the reading itself."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()


def _read_head(path: Path) -> Record | None:
    """The parts before the result of a record that ``render_record`` wrote and that has its end."""
    text = path.read_text(errors="replace")
    head, found, _ = text.partition(',\n "result": {')
    if not found or not text.endswith("\n}\n"):
        return None
    try:
        record: Record = json.loads(head + "}")
        return {**record, "spec": complete(record["spec"])} if "label" in record else None
    except (ValueError, KeyError):
        return None


def _read(path: Path) -> Record | None:
    """A record, or None if the file is not a whole one."""
    try:
        record = json.loads(path.read_text())
    except (ValueError, UnicodeDecodeError):
        return None
    whole = isinstance(record, dict) and all(key in record for key in ("id", "label", "spec", "result"))
    return {**record, "spec": complete(record["spec"])} if whole else None


@dataclass(frozen=True)
class Store:
    """Where runs are kept."""

    results: Path
    work: Path

    def check_writable(self) -> None:
        """Raise UserError at once if a folder cannot be written."""
        for option, folder in (("--results", self.results / "records"), ("--work", self.work)):
            try:
                folder.mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryFile(dir=folder):  # has no name, so that a kill leaves nothing
                    pass
            except OSError as error:
                raise UserError(f"{option} {folder}: cannot be written ({error.strerror}); name another folder with "
                                f"{option}") from None

    def record_path(self, run: str) -> Path:
        return self.results / "records" / run[:2] / f"{run}.json"

    def run_folder(self, run: str) -> Path:
        return self.work / run[:2] / run

    def record(self, run: str, warn: Callable[[str], None] = lambda line: None) -> Record | None:
        """The record of a run if it is there and whole; a damaged one is named and set aside."""
        path = self.record_path(run)
        if not path.exists():
            return None
        record = _read(path)
        if record is None or record["id"] != run:
            aside = path.with_suffix(".damaged")
            os.replace(path, aside)
            warn(f"record {path.name} is damaged; set aside as {aside.name}, the run is done again")
            return None
        return record

    def has_record(self, run: str) -> bool:
        """Whether a whole record of a run is there; cheaper than reading it."""
        path = self.record_path(run)
        return path.exists() and (_read_head(path) or _read(path)) is not None

    def write_record(self, record: Record) -> str:
        """Write a record once: "written", "same" (an equal result was there) or "conflict" (another one was)."""
        path = self.record_path(record["id"])
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex}")
        try:
            with temporary.open("w") as file:
                file.write(render_record(record))
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(temporary, path)
                return "written"
            except FileExistsError:
                if json.loads(path.read_text())["result"] == json.loads(temporary.read_text())["result"]:
                    return "same"
            os.link(temporary, path.with_name(f"{path.stem}.conflict-{uuid.uuid4().hex[:8]}.json"))
            return "conflict"
        except OSError as error:
            raise OSError(error.errno, f"{error.strerror} while writing the record", str(path)) from None
        finally:
            temporary.unlink(missing_ok=True)

    def claim(self, run: str) -> Claim | None:
        """Claim a run, or None if a living process has it. The claim of a dead one is taken over."""
        return take(self.run_folder(run))

    def tidy(self, run: str) -> None:
        """Remove what killed writers left half-written; only for the holder of the run's claim."""
        for folder, start in ((self.run_folder(run), "."), (self.record_path(run).parent, f".{run}.")):
            for left in folder.glob(f"{start}*"):
                if not left.name.startswith((".claim-", ".now-")):  # another process may be about to use those
                    left.unlink(missing_ok=True)

    def tidy_done(self, run: str) -> None:
        """Remove what is left of a run whose writer was killed when its record was already there."""
        folder = self.run_folder(run)
        left = folder.exists() and any(path.name.startswith((".", "claim-")) for path in folder.iterdir())
        if left and (claim := self.claim(run)):
            self.tidy(run)
            claim.release()

    def write_spec(self, run: str, label: str, spec: dict[str, Any]) -> None:
        """Keep what a run is, so that it can be named and explained before it has a record."""
        path = self.run_folder(run) / "spec.json"
        if not path.exists():
            write_whole(path, json.dumps({"label": label, "spec": spec}))

    def write_progress(self, run: str, progress: dict[str, Any]) -> None:
        """Keep how far a run is, for whoever looks."""
        write_whole(self.run_folder(run) / "progress.json", json.dumps(progress))

    def spec(self, run: str) -> dict[str, Any] | None:
        """What a run is, {"label", "spec"}, if it was begun here or has a record."""
        try:
            found: dict[str, Any] = json.loads((self.run_folder(run) / "spec.json").read_text())
            return found
        except (OSError, ValueError):
            record = self.record(run)
            return {key: record[key] for key in ("label", "spec")} if record else None

    def error(self, run: str) -> str | None:
        """First line of a failed run's error.txt, or None."""
        try:
            return (self.run_folder(run) / "error.txt").read_text().split("\n")[0]
        except FileNotFoundError:
            return None

    def write_error(self, run: str, headline: str, details: str) -> Path:
        """Keep why a run failed."""
        path = self.run_folder(run) / "error.txt"
        write_whole(path, f"{headline}\n\n{details}\n")
        return path

    def clear_error(self, run: str) -> None:
        """Forget a failure, so that the run is tried again."""
        (self.run_folder(run) / "error.txt").unlink(missing_ok=True)

    def state(self, run: str) -> str:
        """done, failed, running, lost (begun, nobody works on it) or absent; read from the files."""
        folder = self.run_folder(run)
        if self.record_path(run).exists():
            return "done"
        if (folder / "error.txt").exists():
            return "failed"
        claim = newest(folder)
        if claim is not None and not is_stale(claim):
            return "running"
        return "lost" if claim is not None or any(folder.glob("*.pt")) else "absent"


def write_whole(path: Path, text: str) -> None:
    """Write a file beside its place and rename it there: a reader sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        temporary.write_text(text)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def render_record(record: Record) -> str:
    """A record as JSON that people can read: one line for each part and each epoch."""
    lines = []
    for name, part in record.items():
        if name == "result":
            inner = []
            for key, value in part.items():
                if key == "curve":
                    rows = ",\n   ".join(json.dumps(row) for row in value)
                    inner.append(f'  "curve": [\n   {rows}\n  ]')
                else:
                    inner.append(f"  {json.dumps(key)}: {json.dumps(value)}")
            lines.append(' "result": {\n' + ",\n".join(inner) + "\n }")
        else:
            lines.append(f" {json.dumps(name)}: {json.dumps(part)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"
