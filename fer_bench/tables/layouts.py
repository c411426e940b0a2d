"""The layouts of a table, each a few lines of data. Read it to add one.

A layout says where a record goes, as (section, slot): a section is a block of rows that may be compared, a
slot is a group of columns within it (a noise rate, an imbalance factor). Slots are decided from the content
of the protocol, so that a renamed protocol still lands in the right column. None leaves the record out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from fer_bench.tables.model import Record, Show
from fer_bench.tables.records import classes_of, dataset_of, protocol_of

# What a group of columns may be of, in the order of printing
KINDS = ("", "symmetric", "list", "confusion", "instance", "annotator", "column", "exponential", "step")


class Slot(NamedTuple):
    """A group of columns; slots sort by kind (its place in KINDS), then by strength, then by head."""

    kind: int
    strength: float
    head: str


Place = tuple[tuple[str, ...], Slot]
WHOLE = Slot(0, 0.0, "")  # the only slot of a layout without column groups
CLEAN = Slot(0, 0.0, "clean")


@dataclass(frozen=True)
class Layout:
    """Title, headings and columns of one kind of table; a column is (head, metric, what to show)."""

    title: str
    lead: tuple[str, ...]
    place: Callable[[Record], Place | None]
    shows: tuple[tuple[str, str, Show], ...]
    example: str  # a protocol that fills it
    split: bool = False  # one table for each dataset and protocol
    further: str = ""  # the kind of further tests that it shows

    @property
    def published(self) -> bool:
        """Whether published numbers, which are overall and mean accuracy on the own test set, have a place in it."""
        return not (self.split or self.further)


def _family(record: Record) -> tuple[str, ...]:
    """The dataset, with what the protocol does besides noise and imbalance, such as validation=0.1."""
    aside = ("name", "title", "noise", "imbalance")
    protocol: Mapping[str, Any] = record["spec"]["protocol"]
    extra = [f"{key}={value}" for key, value in sorted(protocol.items()) if key not in aside and value]
    dataset = dataset_of(record)
    return (f"{dataset} ({', '.join(extra)})" if extra else dataset,)


def _by_noise(record: Record) -> Place | None:
    protocol = record["spec"]["protocol"]
    if protocol.get("imbalance"):
        return None
    noise = protocol.get("noise")
    return _family(record), _noise_slot(noise, protocol_of(record)) if noise else CLEAN


def _noise_slot(noise: Mapping[str, Any], protocol: str) -> Slot:
    """The columns of one noise. A published list says nothing of itself, so it is called as its protocol is."""
    kind, rate = noise["kind"], noise.get("rate") or 0.0
    percent = f"{100 * rate:g} %"
    heads = {"symmetric": percent, "confusion": f"asym {percent}", "instance": f"IDN {percent}", "list": protocol,
             "annotator": "one annotator", "column": str(noise.get("column"))}
    return Slot(KINDS.index(kind), rate, heads[kind] + _draw(noise)) if rate or kind != "symmetric" else CLEAN


def _by_imbalance(record: Record) -> Place | None:
    protocol = record["spec"]["protocol"]
    if protocol.get("noise"):
        return None
    imbalance = protocol.get("imbalance")
    if not imbalance:
        return _family(record), CLEAN
    profile, factor = imbalance["profile"], imbalance["factor"]
    head = f"IF {factor:g}" if profile == "exponential" else f"{profile} IF {factor:g}"
    return _family(record), Slot(KINDS.index(profile), factor, head + _draw(imbalance))


def _draw(part: Mapping[str, Any]) -> str:
    """What tells a noise or an imbalance that is drawn with a seed of its own, such as that of imb20_256."""
    return "" if part.get("seed") is None else f" drawn {part['seed']}"


def _by_protocol(record: Record) -> Place | None:
    return (dataset_of(record), protocol_of(record)), WHOLE


def _by_test(record: Record) -> Place | None:
    order = {"all": 0.0, "clean": 0.0, "mean": 2.0}.get(record["tested"], 1.0)  # its own set first, a mean last
    return (dataset_of(record), protocol_of(record)), Slot(0, order, record["tested"])


ACCURACIES: tuple[tuple[str, str, Show], ...] = (("overall", "overall", "value"), ("mean", "mean", "value"))
LAYOUTS = {
    "comparison": Layout(
        "Comparison of methods",
        ("dataset", "protocol"),
        _by_protocol,
        (*ACCURACIES, ("n", "overall", "n"), ("passes", "overall", "passes"), ("best − last", "overall", "gap"),
         ("gain", "overall", "gain")),
        "clean",
    ),
    "noise": Layout("Label noise", ("dataset",), _by_noise, ACCURACIES, "noise30"),
    "imbalance": Layout("Class imbalance", ("dataset",), _by_imbalance, ACCURACIES, "imb50"),
    "per-class": Layout(
        "Recall per class",
        ("dataset", "protocol"),
        _by_protocol,
        (("mean", "mean", "value"),),
        "clean",
        split=True,
    ),
    "cross": Layout("Trained on one dataset, tested on others", ("trained on", "protocol"), _by_test, ACCURACIES,
                    "clean", further="test-on"),
    "subsets": Layout("Parts of the test set", ("dataset", "protocol"), _by_test, ACCURACIES, "clean",
                      further="subset"),
    "corruptions": Layout("Corrupted test faces, mean over five strengths", ("dataset", "protocol"), _by_test,
                          ACCURACIES, "clean", further="corruptions"),
    "votes": Layout(
        "Against the annotators' votes",
        ("dataset", "protocol"),
        _by_protocol,
        (("overall", "overall", "value"), ("unanimous", "unanimous", "value"), ("8-9 of 10", "8-9 of 10", "value"),
         ("below", "below", "value"), ("NLL", "votes_nll", "number"), ("KL", "votes_kl", "number"),
         ("calibration", "votes_calibration", "number")),
        "clean",
        further="votes",
    ),
}


def columns_of(layout: Layout, record: Record) -> tuple[tuple[str, str, Show], ...]:
    """The columns of one slot; a layout split by protocol begins with one for each class of the dataset."""
    if not layout.split:
        return layout.shows
    recalls: tuple[tuple[str, str, Show], ...] = tuple((c, f"recall:{c}", "value") for c in classes_of(record))
    return recalls + layout.shows
