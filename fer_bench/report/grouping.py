"""Which runs of a page may be compared: settings, protocols in them, rows. Read it for what is a row of its own.

A table refuses mixed versions; a page keeps them apart, by the same `versions`, and names what differs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fer_bench.tables.model import Record
from fer_bench.tables.records import Version, dataset_of, protocol_of, short_weights, versions

OF_SETTING = {"the engine": "", "track on dataset": "track", "fingerprint of dataset": "data",
              "folds of dataset": "folds", "recipe on dataset": "recipe", "weights on dataset": "weights"}
OF_PROTOCOL = {"content of protocol": "content", "imbalance of protocol on dataset": "head"}
OF_METHOD = {"method": "code", "hyper-parameters of method": "parameters", "recipe on dataset": "recipe"}

Details = tuple[str, ...]
Named = tuple[str, Details]  # what a thing is called, and what tells it from another of that name


@dataclass(frozen=True)
class Place:
    """Where a run belongs: the shown names of its setting, its protocol and its row."""

    setting: str
    protocol: str
    row: str


def places(records: Sequence[Record]) -> list[Place]:
    """The place of each record, in their order."""
    found = [_named(record) for record in records]
    settings = told_apart(setting for setting, _, _ in found)
    inside: dict[Named, list[tuple[Named, Named]]] = defaultdict(list)
    for setting, protocol, row in found:
        inside[setting].append((protocol, row))
    protocols = {key: told_apart(protocol for protocol, _ in pairs) for key, pairs in inside.items()}
    rows = {key: told_apart(row for _, row in pairs) for key, pairs in inside.items()}
    return [Place(settings[setting], protocols[setting][protocol], rows[setting][row])
            for setting, protocol, row in found]


def told_apart(found: Iterable[Named]) -> dict[Named, str]:
    """A name for each: its own where nothing else has it, else with the details in which those of the name differ."""
    groups: dict[str, set[Details]] = defaultdict(set)
    for name, details in found:
        groups[name].add(details)
    shown = {}
    for name, several in groups.items():
        differ = [len(set(column)) > 1 for column in zip(*several, strict=True)]
        for details in several:
            more = ", ".join(text for text, differs in zip(details, differ, strict=True) if differs)
            shown[name, details] = f"{name} ({more})" if more else name
    return shown


def _named(record: Record) -> tuple[Named, Named, Named]:
    """Setting, protocol and row of a record."""
    spec, found = record["spec"], {version.kind: version for version in versions(record)}
    own_recipe = spec["track"] != "fair"  # on track paper each method has its own
    words = [dataset_of(record), spec["recipe"]["name"]]
    words += [] if spec["weights"] == "none" else [short_weights(record)]
    words += ["track " + spec["track"]] * own_recipe
    setting = _details(found, OF_SETTING, leave=("recipe on dataset",) * own_recipe)
    row = _details(found, OF_METHOD, leave=("recipe on dataset",) * (not own_recipe))
    return (" · ".join(words), setting), (protocol_of(record), _details(found, OF_PROTOCOL)), (record["label"], row)


def _details(found: dict[str, Version], kinds: dict[str, str], leave: Sequence[str] = ()) -> Details:
    """What tells versions apart, in words: "nla=2", "data 5d1bb0eb1e6a"."""
    return tuple(_words(found[kind].hash, word) for kind, word in kinds.items() if kind not in leave)


def _words(version: str, word: str) -> str:
    return version if "=" in version else f"{word} {version}".strip()
