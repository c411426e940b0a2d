"""Why a run would run or not, how two runs differ, and whether a run repeats: explain, verify, prune."""

from __future__ import annotations

import json
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from fer_bench.errors import UserError, near
from fer_bench.library.versions import ENGINE_HISTORY, ENGINE_VERSION, told
from fer_bench.runs.claims import newest, now
from fer_bench.runs.plan import Plan, make_plans
from fer_bench.runs.request import Request
from fer_bench.runs.settings import Settings
from fer_bench.runs.status import progress
from fer_bench.runs.store import Record, Store, read_heads
from fer_bench.weights.catalog import is_named

Say = Callable[[str], None]


def find(store: Store, start: str) -> str:
    """The run whose id begins so. Raises UserError when there is none, or more than one."""
    known = {head["id"] for head in read_heads(store.results)} | {p.name for p in store.work.glob("??/*") if p.is_dir()}
    found = sorted(run for run in known if run.startswith(start.lower()))
    if not found:
        hint = near(start, known) if len(known) < 1000 else "'run_bench.py status' lists what is there"
        raise UserError(f"run {start}: not under {store.results} or {store.work}; {hint}")
    if len(found) > 1:
        raise UserError(f"run {start}: {len(found)} ids begin so, first {', '.join(found[:5])}; give more digits")
    return found[0]


def explain(store: Store, run: str) -> list[str]:
    """What a run is, its state, and what the next call would do with it."""
    state, about = store.state(run), store.spec(run)
    lines = [f"{run}: {state}"]
    if about is not None:
        spec = about["spec"]
        lines.append(f"{about['label']}, protocol {spec['protocol']['name']}, dataset {spec['dataset']['name']}, "
                     f"recipe {spec['recipe']['name']}, seed {spec['seed']}, weights {spec['weights'][:20]}")
        if (engine := spec["code"]["engine"]) != ENGINE_VERSION:
            lines.append(f"its engine is {told(engine, ENGINE_HISTORY)}, here is "
                         f"{told(ENGINE_VERSION, ENGINE_HISTORY)}: the same command makes another id now, this one "
                         "would not be made again")
    lines.append({
        "done": f"its record is {store.record_path(run)}: the next call only reads it",
        "failed": f"it failed ({store.error(run)}): it is left alone until --retry failed; see "
                  f"{store.run_folder(run) / 'error.txt'}",
        "running": f"{holder(store, run)}; {progress(store, run)}: other calls leave it alone",
        "lost": f"it was begun and nobody works on it ({progress(store, run)}): the next call {saved(store, run)}",
        "absent": "nothing is there of it: the next call does it",
    }[state])
    return lines


def saved(store: Store, run: str) -> str:
    """What of a run a next call could use."""
    times = [path.stat().st_mtime for path in store.run_folder(run).glob("*.pt")]
    if not times:
        return "begins anew, since it was gone before its state was saved"
    return f"goes on from its state of {(now(store.run_folder(run)) - max(times)) / 60:.0f} min ago"


def holder(store: Store, run: str) -> str:
    """Who works on a run."""
    try:
        claim = newest(store.run_folder(run))
        assert claim is not None
        owner, age = json.loads(claim.read_text()), now(claim.parent) - claim.stat().st_mtime
        host = owner["host"].split()[0]
        return f"process {owner['pid']} on {host} works on it, last heard of {max(age, 0):.0f} s ago"
    except (OSError, ValueError, KeyError, AssertionError):
        return "a process works on it"


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Where two specs differ: dotted key and both values; None where a key is missing."""
    a, b = dict(flat(one)), dict(flat(other))
    return [(key, a.get(key), b.get(key)) for key in sorted(a | b) if a.get(key) != b.get(key)]


def flat(content: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Nested mappings as dotted keys."""
    if isinstance(content, dict):
        for name, value in content.items():
            yield from flat(value, f"{key}.{name}" if key else name)
    else:
        yield key, content


def request_of(record: Record, base: Request) -> Request:
    """What to ask for to make a record again; ``base`` says where data and weights lie on this machine."""
    spec = record["spec"]
    recipe = {key: json.dumps(value) for key, value in flat(spec["recipe"]) if key != "name"}
    named = spec["weights"].partition(" ")[0]
    weights = named if is_named(named) else base.weights
    name, *options = re.split(r" (?=[A-Za-z_]\w*=)", spec["dataset"]["name"])
    number, folds = spec["dataset"].get("fold", (0, 0))
    return replace(
        base, methods=(spec["method"]["name"],), protocols=base.protocols or (spec["protocol"]["name"],),
        datasets=base.datasets or (name,), data_options=dict(option.split("=", 1) for option in options), folds=folds,
        only_fold=number, seeds=(spec["seed"],), track=spec["track"],
        settings={key: str(value) for key, value in spec["method"]["parameters"].items()},
        recipe=base.recipe or spec["recipe"]["name"], recipe_settings=recipe, weights=weights)


def plan_again(record: Record, base: Request, say: Say) -> Plan:
    """The plan of a record. Raises UserError when it would be another run here, and says in what."""
    plan = make_plans(request_of(record, base), say)[0]
    if plan.spec.id != record["id"]:
        found = [f"{key} is {new!r} here, {old!r} in the record"
                 for key, old, new in differences(record["spec"], plan.spec.content)]
        raise UserError(f"run {record['id']} cannot be made again here: {'; '.join(found[:5])}; use the code, the data "
                        "and the weights it was made with (--data-root, --weights, its commit is in the record)")
    return plan


def verify(store: Store, run: str, base: Request, settings: Settings, say: Say) -> bool:
    """Do a finished run again and compare bit for bit; a different result is kept as a conflict. True if equal."""
    from fer_bench.runs.execute import execute

    record = store.record(run)
    if record is None:
        raise UserError(f"run {run}: it has no record to verify; its state is {store.state(run)}")
    plan = plan_again(record, base, say)
    scratch = store.work / "verify" / f"{run}-{uuid.uuid4().hex[:8]}"
    try:
        again = Store(scratch / "results", scratch / "work")
        execute([plan], replace(settings, store=again), False, say)
        repeated = again.record(run)
        if repeated is None:
            raise UserError(f"run {run}: repeating it failed ({again.error(run)})")
        if repeated["result"] == record["result"]:
            return True
        store.write_record(repeated)
        for line in compare(record, repeated):
            say(line)
        return False
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def compare(record: Record, repeated: Record) -> list[str]:
    """Where two results of one run first differ, and what differs in where they were made."""
    pairs = zip(record["result"]["curve"], repeated["result"]["curve"], strict=False)
    first = next(((a, b) for a, b in pairs if a != b), (record["result"]["last"], repeated["result"]["last"]))
    changed = [f"{key} {old!r} -> {new!r}" for key, old, new in differences(*first)][:4]
    lines = [f"first difference in epoch {first[0]['epoch']}: {', '.join(changed)}"]
    elsewhere = differences(record["environment"], repeated["environment"])
    lines += [f"made with {key} {old!r}, repeated with {new!r}" for key, old, new in elsewhere]
    return lines


def prune(store: Store, dry_run: bool) -> tuple[int, int]:
    """Delete what finished runs left in the work folder; returns (runs, bytes). Runs without a whole record stay."""
    runs = freed = 0
    for head in read_heads(store.results):
        folder = store.run_folder(head["id"])
        if folder.is_dir():
            runs += 1
            freed += sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
            if not dry_run:
                shutil.rmtree(folder, ignore_errors=True)
    return runs, freed
