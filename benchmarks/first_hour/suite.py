"""The hour: parts one after the other, each with its share of the time, what is done kept and not done again."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import RESULTS, ROOT
from common.tools import parser, say, write

from fer_bench.errors import UserError, near
from fer_bench.runs.store import write_whole
from first_hour.card import find, slug, stamp
from first_hour.limit import Ended, run
from first_hour.page import page
from first_hour.parts import PARTS, Part, Setup

Kept = dict[str, dict[str, Any]]


def main(words: Sequence[str] | None = None, doc: str | None = None, parts: Sequence[Part] = PARTS) -> int:
    """Do what is asked for; returns the exit status. ``parts`` replaces the parts, for tests."""
    options = parse(words, doc)
    try:
        chosen = choose(options.only, parts)
        hour = begin(options, parts)
        try:
            if not options.page:
                hour.do(chosen)
        finally:
            out = hour.save()
    except UserError as error:
        say(f"error: {error}")
        return 2
    except OSError as error:
        say(f"error: {error.filename}: {error.strerror}; expected folders that can be written, see --work and --out")
        return 2
    except KeyboardInterrupt:
        say("interrupted: what was found is kept, the same command goes on")
        return 130
    print(out.with_suffix(".md"))
    kept = hour.kept()
    return 1 if any(kept[part.name]["status"] == "failed" for part in chosen) else 0


def begin(options: argparse.Namespace, parts: Sequence[Part]) -> Hour:
    """The hour as the command line has it. Raises UserError."""
    if options.data_root and not options.data_root.is_dir():
        raise UserError(f"--data-root {options.data_root}: no such folder; expected FERPlus as docs/datasets.md says")
    about = options.work / "about.json"
    found = kept_about(about) if options.page else find(options.device, options.rehearse)
    write(found, about)
    setup = Setup("cpu" if found["rehearsal"] else "cuda", options.work, options.data_root)
    return Hour(setup, found, options.out, 60 * options.minutes, parts)


def parse(words: Sequence[str] | None, doc: str | None) -> argparse.Namespace:
    """The command line."""
    made = parser(doc)
    add = made.add_argument
    add("--minutes", type=float, default=60.0, help="the whole time; parts get shares of it (default: 60)")
    add("--only", default="", help=f"parts, comma-separated, of {', '.join(part.name for part in PARTS)}")
    add("--data-root", type=Path, help="folder of FERPlus for the last part (docs/datasets.md)")
    add("--device", default="cuda", help="cuda or cuda:1 ... (default: cuda)")
    add("--out", type=Path, help="folder of JSON and page (default: benchmarks/results; --work if --rehearse)")
    add("--work", type=Path, help="folder of all else (default: work/first_gpu_hour, with -rehearsal if --rehearse)")
    add("--rehearse", action="store_true", help="the whole thing on the CPU, at tiny sizes")
    add("--page", action="store_true", help="only write JSON and page again")
    options = made.parse_args(words)
    if not options.minutes > 0:
        made.error(f"--minutes {options.minutes}: expected more than 0")
    options.work = (options.work or ROOT / "work" / f"first_gpu_hour{'-rehearsal' * options.rehearse}").resolve()
    options.out = (options.out or (options.work if options.rehearse else RESULTS)).resolve()
    options.data_root = options.data_root and options.data_root.expanduser().resolve()
    return options


def choose(only: str, parts: Sequence[Part]) -> list[Part]:
    """The parts named, or all. Raises UserError with the nearest names."""
    names = [name.strip().lower().replace("-", " ") for name in only.split(",") if name.strip()]
    known = [part.name for part in parts]
    for name in names:
        if name not in known:
            raise UserError(f"--only {name}: {near(name, known)}")
    return [part for part in parts if not names or part.name in names]


def kept_about(path: Path) -> dict[str, Any]:
    """The card of what is in the work folder. Raises UserError when nothing is."""
    try:
        found: dict[str, Any] = json.loads(path.read_text())
        return found
    except (OSError, ValueError):
        raise UserError(f"--page: {path} is not there or not whole; expected what an earlier call left, see --work"
                        ) from None


class Hour:
    """The parts, what of them is done, and where it is written. about: as ``card.find`` gives it."""

    def __init__(self, setup: Setup, about: dict[str, Any], out: Path, budget: float, parts: Sequence[Part]) -> None:
        self.setup, self.about, self.out, self.budget, self.parts = setup, about, out, budget, parts
        self.stamp, self.start = stamp(about), time.perf_counter()

    def do(self, chosen: Sequence[Part]) -> None:
        """Do what is not done; the last part has all the time that the others left."""
        todo = [part for part in chosen if self.wanted(part)]
        whole = sum(part.share for part in todo)
        for part in todo:
            left = self.budget - (time.perf_counter() - self.start)
            limit = left if part is todo[-1] else min(self.budget * part.share / whole, left)
            if limit < 1:
                say(f"{part.name}: no time is left; the same command goes on with it")
                continue
            self.one(part, limit)
            self.save()

    def wanted(self, part: Part) -> bool:
        """Whether a part is to be done now; if not, why is said."""
        if lacking := part.needs(self.setup):
            say(f"{part.name}: left out, {lacking}")
            return False
        before = self.result(part)
        if before is None or (before["status"] == "done" and before["stamp"] == self.stamp):
            if before:
                say(f"{part.name}: done before in {clock(before['seconds'])}")
            return before is None
        changed = [name for name, value in self.stamp.items() if before["stamp"].get(name) != value]
        other = f" with another {' and '.join(changed)}" if changed else ""
        again = "it goes on" if before["status"] == "out of time" and not changed else "it is done again"
        say(f"{part.name}: was {before['status']}{other}; {again}")
        return True

    def one(self, part: Part, limit: float) -> None:
        """Do a part and keep what came of it."""
        def gone() -> str:
            return f"{clock(time.perf_counter() - self.start)} of {clock(self.budget)} gone"

        folder = self.place_to_write(part)
        say(f"{part.name}: at most {clock(limit)}; {gone()}")
        ended = run(part.command(self.setup, folder), folder / "log.txt", limit, part.environment(folder),
                    lambda seconds: say(f"{part.name}: {clock(seconds)} of {clock(limit)}"))
        found = {"part": part.name, "stamp": self.stamp, "limit": limit, **self.outcome(part, folder, ended)}
        write(found, self.place(part))
        reason = f" ({found['reason']})" if found["reason"] else ""
        say(f"{part.name}: {found['status']} in {clock(ended.seconds)}{reason}")

    def outcome(self, part: Part, folder: Path, ended: Ended) -> dict[str, Any]:
        """How a part ended, with the figures of what it had written."""
        figures, unread = {}, ""
        try:
            figures = part.read(self.setup, folder)
        except (OSError, ValueError, KeyError) as error:
            unread = f"nothing to read ({type(error).__name__}: {error})"[:200]
        done = ended.code in part.fine and not unread
        status = "out of time" if ended.code is None else "done" if done else "failed"
        reason = f"status {ended.code}: {last_line(folder / 'log.txt') or unread}" if status == "failed" else ""
        return {"status": status, "reason": reason, "seconds": ended.seconds, "figures": figures}

    def place_to_write(self, part: Part) -> Path:
        """A part's folder, without what another card or another code has left there."""
        folder = self.setup.folder(part.name)
        mark, text = folder / "stamp.json", json.dumps(self.stamp)
        if not mark.exists() or mark.read_text() != text:
            shutil.rmtree(folder, ignore_errors=True)
            write_whole(mark, text)
        return folder

    def place(self, part: Part) -> Path:
        """Where the result of a part is kept."""
        return self.setup.work / "parts" / f"{part.name.replace(' ', '-')}.json"

    def result(self, part: Part) -> dict[str, Any] | None:
        """What is kept of a part."""
        try:
            found: dict[str, Any] = json.loads(self.place(part).read_text())
            return found
        except (OSError, ValueError):
            return None

    def kept(self) -> Kept:
        """By part: what is kept of this card and this code, or why nothing is."""
        found: Kept = {}
        for part in self.parts:
            before, lacking = self.result(part), part.needs(self.setup)
            old = before is not None and before["stamp"] != self.stamp
            reason = "done with another card or commit only" if old else lacking
            found[part.name] = before if before and not old else {
                "status": "left out" if lacking else "not done", "reason": reason, "seconds": 0.0, "figures": {}}
        return found

    def save(self) -> Path:
        """Write JSON and page, without this machine's paths; returns the JSON's path."""
        out = self.out / f"{slug(self.about)}.json"
        whole = {**self.about, "parts": {name: {key: part[key] for key in ("status", "reason", "seconds", "figures")}
                                         for name, part in self.kept().items()}}
        whole = json.loads(json.dumps(whole).replace(str(self.setup.work), "WORK").replace(str(ROOT), "."))
        write(whole, out)
        write_whole(out.with_suffix(".md"), page(whole))
        return out


def last_line(path: Path) -> str:
    """The last words of a log."""
    lines = [line.strip() for line in path.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


if __name__ == "__main__":
    sys.exit(main())
