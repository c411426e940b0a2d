"""What the runs of a table were trained on, as footnotes: faces, wrong labels and imbalance, as records count them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fer_bench.tables.build import Grid
from fer_bench.tables.model import Record
from fer_bench.tables.records import dataset_of, protocol_of


def training_notes(grid: Grid) -> list[str]:
    """One footnote for each dataset with what its records counted, one with what was asked of those that did not."""
    groups: dict[str, dict[str, list[Record]]] = {}
    for key in grid.order:
        for _, runs in sorted(grid.blocks[key].items()):
            for record in (record for seeds in runs.values() for record in seeds.values()):
                groups.setdefault(dataset_of(record), {}).setdefault(protocol_of(record), []).append(record)
    notes = []
    for dataset, protocols in groups.items():
        counted = {name: found for name, records in protocols.items() if (found := counts_of(records))}
        asked = {name: records[0] for name, records in protocols.items() if name not in counted}
        if counted:
            texts = [f"{name} {text}" for name, text in counted.items()]
            notes.append(f"Training faces of {dataset} (wrong labels; largest class / smallest): {', '.join(texts)}.")
        if asked:
            texts = [f"{name} {asked_of(record['spec']['protocol'])}" for name, record in asked.items()]
            notes.append(f"Older records of {dataset} do not count their training faces; asked was: "
                         f"{', '.join(texts)}.")
    return notes


def counts_of(records: Iterable[Record]) -> str:
    """"2,785 (30.00 %; 20.1)" from the records that say it; a range where seeds differ; "" if none does."""
    found = [record["trained_on"] for record in records if "trained_on" in record]
    if not found:
        return ""
    faces = _span({f"{one['faces']:,}": one["faces"] for one in found})
    wrong = _span({f"{100 * one['noise_rate']:.2f} %" if one["noise_rate"] else "none": one["noise_rate"]
                   for one in found})
    factor = _span({f"{one['imbalance_factor']:.1f}": one["imbalance_factor"] for one in found})
    return f"{faces} ({wrong}; {factor})"


def _span(texts: Mapping[str, float]) -> str:
    """The texts of the smallest and the largest number."""
    ordered = sorted(texts, key=lambda text: texts[text])
    return ordered[0] if len(ordered) == 1 else f"{ordered[0]} to {ordered[-1]}"


def asked_of(protocol: Mapping[str, Any]) -> str:
    """What a protocol asks, in words: "(30 % wrong labels, factor 50)"; all that a record without counts says."""
    noise, imbalance = protocol.get("noise"), protocol.get("imbalance")
    words = []
    if noise:
        source = noise.get("column") or f"a {noise['kind']}"
        words.append(f"{100 * noise['rate']:g} % wrong labels" if noise.get("rate") else f"labels of {source}")
    if imbalance:
        words.append(f"factor {imbalance['factor']:g}")
    return f"({', '.join(words) or 'labels as published'})"
