"""Which records may stand in one table: filters and versions. Read it when a table is refused."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fer_bench.errors import UserError, unknown
from fer_bench.library.methods import methods
from fer_bench.library.versions import ENGINE_HISTORY
from fer_bench.tables.model import Record

Names = Collection[str] | None  # what to keep; None keeps all


def dataset_of(record: Record) -> str:
    """The dataset's name, as ``--dataset`` takes it."""
    return str(record["spec"]["dataset"]["name"])


def protocol_of(record: Record) -> str:
    """The protocol's name, as ``--protocol`` takes it."""
    return str(record["spec"]["protocol"]["name"])


def unit_of(record: Record) -> tuple[int, int]:
    """Seed and fold of a run; fold 0 on a dataset with a test set of its own."""
    return record["spec"]["seed"], record["spec"]["dataset"].get("fold", (0, 0))[0]


def folds_of(record: Record) -> int:
    """Of how many folds the run's is one; 0 on a dataset with a test set of its own."""
    return int(record["spec"]["dataset"].get("fold", (0, 0))[1])


def classes_of(record: Record) -> list[str]:
    """The classes that a run knew, in the order of its recalls: those that its protocol keeps, else the dataset's."""
    spec = record["spec"]
    return list(spec["protocol"].get("classes") or spec["dataset"]["classes"])


def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """A sort key that puts noise9 before noise10."""
    parts = re.findall(r"\d+|\D+", text.lower())
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts)


@dataclass(frozen=True)
class Version:
    """One thing of a run that must not change within a table, such as (the engine, "", 2)."""

    kind: str
    of: str  # the method, protocol or dataset that it belongs to; "" for the engine
    hash: str
    name: str = ""  # a readable name of the version itself, where it has one
    option: str = "--code HASH"  # what chooses among versions with different names
    content: str = ""  # canonical JSON, to say what differs


def _digest(content: Any) -> tuple[str, str]:
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12], text


def versions(record: Record) -> Iterator[Version]:
    """Everything of a record that a table must not mix. On track `paper` a recipe belongs to its method."""
    spec = record["spec"]
    label, dataset, recipe = record["label"], dataset_of(record), spec["recipe"]
    yield Version("the engine", "", declared("engine", spec["code"]["engine"]))
    yield Version("track on dataset", dataset, spec["track"], spec["track"], "--track NAME")
    yield Version("method", label, declared(label, spec["code"]["method"]))
    digest, text = _digest(spec["method"]["parameters"])
    yield Version("hyper-parameters of method", label, digest, content=text)
    content, head = _parted(spec["protocol"])
    digest, text = _digest(content)
    yield Version("content of protocol", protocol_of(record), digest, content=text)
    digest, text = _digest(head)
    yield Version("imbalance of protocol on dataset", f"{protocol_of(record)}, {dataset}", digest, content=text)
    yield Version("fingerprint of dataset", dataset, spec["dataset"]["fingerprint"][:12], option="--data HASH")
    yield Version("folds of dataset", dataset, str(folds_of(record)))
    digest, text = _digest(recipe)
    owner = dataset if spec["track"] == "fair" else f"{dataset}, {label}"
    yield Version("recipe on dataset", owner, digest, recipe["name"], "--recipe NAME", text)
    weights = spec["weights"] if " " in spec["weights"] else spec["weights"][:12]
    yield Version("weights on dataset", dataset, weights, short_weights(record), "--weights NAME")


def short_weights(record: Record, file: str = "") -> str:
    """What a run began from, as --weights takes it: a name, or the first digits of a file's sha256 after ``file``."""
    name, _, version = record["spec"]["weights"].partition(" ")
    return name if version or name in ("none", "imagenet") else f"{file}{name[:12]}"


def _parted(protocol: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A protocol's content, and apart from it what only came about on a dataset: the head of the largest class."""
    content, imbalance = {key: value for key, value in protocol.items() if key != "title"}, protocol.get("imbalance")
    if not imbalance:
        return content, {}
    asked = {key: value for key, value in imbalance.items() if key != "head"}
    return {**content, "imbalance": asked}, {"head": imbalance.get("head")}


def declared(name: str, version: int | str) -> str:
    """How a version of the code is called: "nla=2" where it is a declared one, else the fingerprint itself."""
    return f"{name}={version}" if isinstance(version, int) else version


def reason(version: Version) -> str:
    """Why a declared version was raised; "" for the first, and for all that has no declared version."""
    name, _, number = version.hash.rpartition("=")
    if not name:
        return ""
    info = methods()[0].get(version.of.split(" ")[0])
    history = ENGINE_HISTORY if not version.of else info.history if info else ()
    return history[int(number) - 2] if 2 <= int(number) <= len(history) + 1 else ""


def check_versions(records: Sequence[Record]) -> None:
    """Raise a one-line UserError when a table of these records would mix versions.

    Refused are two versions of the engine; for one method label two versions or two parameter sets; for one protocol
    name two contents; for one dataset two fingerprints, recipes, weights or tracks. The message counts the runs of
    each version, says why it was raised, and names the option that chooses; ``--code`` takes any that it prints.
    """
    for mixture in mixtures(records):
        raise UserError(f"the table would mix versions of {mixture.what}: {mixture.found}; choose one with "
                        f"{mixture.option}")


@dataclass(frozen=True)
class Mixture:
    """Several versions of one thing among records, in words."""

    kind: str
    what: str  # "method 'nla'"
    found: str  # each version, its runs, why it was raised, what differs
    option: str  # what chooses one


def mixtures(records: Iterable[Record]) -> Iterator[Mixture]:
    """What the records hold in several versions."""
    found: dict[tuple[str, str], Counter[Version]] = defaultdict(Counter)
    for record in records:
        for version in versions(record):
            found[version.kind, version.of][version] += 1
    return (_mixture(kind, of, counts) for (kind, of), counts in found.items() if len(counts) > 1)


def _mixture(kind: str, of: str, counts: Counter[Version]) -> Mixture:
    ordered = sorted(counts, key=lambda version: (version.name, version.hash))
    named = len({version.name for version in ordered}) == len(ordered) > 1
    texts = []
    for version in ordered:
        title = version.hash if version.name in ("", version.hash) else f"{version.name} {version.hash}"
        why = f"; {why}" if (why := reason(version)) else ""
        texts.append(f"{title} ({counts[version]} run{'s' if counts[version] > 1 else ''}{why})")
    what = f"{kind} '{of}'" if of else kind
    option = ordered[0].option
    if not named and option != "--data HASH":
        option = f"--code {ordered[-1].hash}" if "=" in ordered[-1].hash else "--code HASH"
    return Mixture(kind, what, f"{', '.join(texts)}{_changes(ordered)}", option)


def _changes(ordered: Sequence[Version]) -> str:
    """What differs between contents: "; they differ in epochs (12, 24)"."""
    if not ordered[0].content:
        return ""
    contents = [json.loads(version.content) for version in ordered]
    changed = []
    for key in sorted({key for content in contents for key in content}):
        values = list(dict.fromkeys(json.dumps(content.get(key), sort_keys=True) for content in contents))
        if len(values) > 1:
            changed.append(f"{key} ({', '.join(values)})")
    return f"; they differ in {', '.join(changed)}"


def select_records(records: Iterable[Record], *, methods: Names = None, protocols: Names = None, datasets: Names = None,
                   recipe: str | None = None, weights: str | None = None, track: str | None = None,
                   seeds: Collection[int] | None = None, data: str | None = None,
                   code: str | Names = None) -> list[Record]:
    """The records that pass every filter; None lets all pass.

    `methods` takes names ("nla": all its variants) and labels ("nla jsd=sum": that one). `weights` and `code`
    take prefixes of a hash, `code` also "engine=2" and "nla=1", and several with commas. `code` keeps that version
    of the one thing it is a version of (engine, method, protocol, ...) and leaves the rest alone, so that one
    method's old code can be dropped without the others.
    Raises UserError when a filter leaves nothing of what there was.
    """
    kept = list(records)
    kept = _among("method", kept, methods, lambda record: {record["spec"]["method"]["name"], record["label"]})
    kept = _among("protocol", kept, protocols, lambda record: {protocol_of(record)})
    kept = _among("dataset", kept, datasets, lambda record: {dataset_of(record)})
    kept = _among("recipe", kept, recipe and [recipe], lambda record: {record["spec"]["recipe"]["name"]})
    kept = _among("track", kept, track and [track], lambda record: {record["spec"]["track"]})
    kept = _among("seed", kept, seeds, lambda record: {record["spec"]["seed"]})
    if data:
        known = {record["spec"]["dataset"]["fingerprint"][:12] for record in kept}
        kept = [record for record in kept if record["spec"]["dataset"]["fingerprint"].startswith(data)]
        if known and not kept:
            raise unknown("fingerprint", data, known)
    if weights:
        known = {short_weights(record) for record in kept}
        kept = [record for record in kept if record["spec"]["weights"].startswith(weights)]
        if known and not kept:
            raise unknown("weights", weights, known)
    for prefix in code.split(",") if isinstance(code, str) else code or ():
        kept = _of_code(kept, prefix)
    return kept


def _among(kind: str, records: list[Record], wanted: Names | Collection[int],
           names: Callable[[Record], set[Any]]) -> list[Record]:
    """The records that have one of the wanted names; no wish lets all pass."""
    if not wanted or not records:
        return records
    known = {name for record in records for name in names(record)}
    for name in wanted:
        if name not in known:
            raise unknown(f"{kind} among the records", str(name), map(str, known))
    return [record for record in records if names(record) & set(wanted)]


def _of_code(records: list[Record], prefix: str) -> list[Record]:
    def wanted(version: Version) -> bool:
        return version.hash == prefix if "=" in prefix else version.hash.startswith(prefix[:12])

    found = {id(record): list(versions(record)) for record in records}
    chosen = {(v.kind, v.of) for each in found.values() for v in each if wanted(v)}
    if records and not chosen:
        raise unknown("version", prefix, {v.hash for each in found.values() for v in each})
    return [record for record in records
            if all(wanted(v) for v in found[id(record)] if (v.kind, v.of) in chosen)]
