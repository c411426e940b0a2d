"""From records to the payload of a page. Start here to change what a page knows; templates/ is how it looks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from fer_bench.data.pack import Pack
from fer_bench.errors import UserError
from fer_bench.library.methods import methods
from fer_bench.report.faces import sheets
from fer_bench.report.gaps import Protocols, missing, repeating, warnings
from fer_bench.report.grouping import Place, places
from fer_bench.report.intervals import ABOUT, in_millionths, intervals
from fer_bench.report.packing import FINE, METRICS, rounded, run_of
from fer_bench.report.payload import Block, Cell, MethodFacts, Payload, Pool, Published, Setting
from fer_bench.report.ranking import diagrams
from fer_bench.tables import commands_of
from fer_bench.tables.cells import epoch_of
from fer_bench.tables.model import Record
from fer_bench.tables.notes import shortened
from fer_bench.tables.published import Published as Entry
from fer_bench.tables.published import matches, read_published, without_numbers
from fer_bench.tables.records import classes_of, dataset_of, folds_of, natural, short_weights, unit_of
from fer_bench.tables.text import views_in_words
from fer_bench.tables.training_sets import asked_of, counts_of

Grouped = dict[str, dict[str, dict[str, list[Record]]]]  # setting, protocol, row


def gather(records: Sequence[Record], notes: Sequence[str] = (), packs: Sequence[Pack] = ()) -> Payload:
    """The payload of a page of these records, which depends on nothing else. notes: warnings to begin with, such as
    damaged records. packs: datasets whose faces may be shown. Raises UserError for no records, and for one that lacks
    what every record has."""
    if not records:
        raise UserError("no records to show: look at the folder of --results, or run first: python run_bench.py "
                        "--method ce,nla --protocol noise30 --seeds 3")
    records = sorted(records, key=lambda record: str(record["id"]))
    where, pool, published = all_places(records), Pool(), read_published()
    found = by_size(grouped(records, where))
    blocks = [block_of(number, protocol, rows, pool, published)
              for number, protocols in enumerate(found.values()) for protocol, rows in protocols.items()]
    shown = [sheet for number, protocols in enumerate(found.values()) for protocol, rows in protocols.items()
             for pack in packs for sheet in sheets(number, protocol, rows, pack)]
    by_row: dict[str, list[Record]] = {}
    for record, place in zip(records, where, strict=True):
        by_row.setdefault(place.row, []).append(record)
    return Payload(
        facts=headline(records, where), versions=versions_of(records), warnings=[*notes, *warnings(found)],
        missing=commands_of(gap for protocols in found.values() for gap in missing(protocols)), metrics=list(METRICS),
        interval=ABOUT, settings=[setting_of(name, next(records_in(found[name]))) for name in found],
        methods=[facts_of(row, by_row[row]) for row in sorted(by_row, key=natural)], blocks=blocks, pool=pool.parts,
        unpublished=without_numbers(sorted({str(record["spec"]["method"]["name"]) for record in records}), published),
        ranks=[*diagrams(list(found.values()))], sheets=shown)


def by_size(found: Grouped) -> Grouped:
    """Settings by the number of their runs, protocols in natural order."""
    order = sorted(found, key=lambda name: (-len(list(records_in(found[name]))), natural(name)))
    return {name: {protocol: found[name][protocol] for protocol in sorted(found[name], key=natural)} for name in order}


def all_places(records: Sequence[Record]) -> list[Place]:
    """The places of all records. Raises UserError that names the record which lacks something."""
    for record in records:
        try:
            run_of(record, Pool())
            places([record])
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise UserError(f"record {record['id']} is damaged ({type(error).__name__}: {error}): delete its file and "
                            "give its command again") from None
    return places(records)


def grouped(records: Sequence[Record], where: Sequence[Place]) -> Grouped:
    """Records by setting, protocol and row, seeds in order. Raises UserError for two runs of one seed."""
    found: Grouped = {}
    for record, place in sorted(zip(records, where, strict=True), key=lambda pair: unit_of(pair[0])):
        runs = found.setdefault(place.setting, {}).setdefault(place.protocol, {}).setdefault(place.row, [])
        if runs and unit_of(runs[-1]) == unit_of(record):
            raise UserError(f"two runs of {place.row}, {place.protocol}, {place.setting}, seed {unit_of(record)[0]}: "
                            f"{runs[-1]['id']} and {record['id']}; keep one of the two files")
        runs.append(record)
    return found


def records_in(protocols: Protocols) -> Iterator[Record]:
    """All records of a setting."""
    return (record for rows in protocols.values() for runs in rows.values() for record in runs)


def headline(records: Sequence[Record], where: Sequence[Place]) -> list[tuple[str, str]]:
    """What is in here, as numbers."""
    seeds = {record["spec"]["seed"] for record in records}
    counts = {"runs": len(records), "methods": len({record["label"] for record in records}),
              "protocols": len({place.protocol for place in where}),
              "datasets": len({dataset_of(record) for record in records}), "seeds": len(seeds),
              "settings": len({place.setting for place in where})}
    return [(f"{count:,}", name if count != 1 else name.removesuffix("s")) for name, count in counts.items()]


def versions_of(records: Sequence[Record]) -> list[str]:
    """What made the records, each with its versions: "engine 1", "torch 2.14.1, 2.15.0"."""
    found: dict[str, set[str]] = {"engine": {str(record["spec"]["code"]["engine"]) for record in records}}
    for record in records:
        for name in ("fer_bench", "torch", "device"):
            if name in (environment := record.get("environment", {})):
                found.setdefault(name, set()).add(str(environment[name]).partition("+")[0])
    return [f"{name} {', '.join(sorted(values, key=natural))}".removeprefix("device ")
            for name, values in found.items()]


def setting_of(name: str, record: Record) -> Setting:
    """What the runs of a setting share."""
    spec = record["spec"]
    return Setting(name, dataset_of(record), spec["recipe"]["name"], short_weights(record), spec["track"],
                   str(spec["code"]["engine"]), spec["dataset"]["fingerprint"][:12], folds_of(record))


def facts_of(row: str, records: Sequence[Record]) -> MethodFacts:
    """What is known of a method from its source and its records."""
    spec = records[0]["spec"]
    info = methods()[0].get(spec["method"]["name"])
    told = any(record["spec"]["method"]["parameters"].get("oracle_rate") is True for record in records)
    views = next((record["views"] for record in records if "views" in record), None)
    notes = ["† is told the true share of wrong labels."] if told else []
    notes += [f"‡ has views of its own: {views_in_words(views)}."] if views else []
    return MethodFacts(row, info.family if info else "plug-in", info.paper if info else "",
                       "†" * told + "‡" * bool(views), notes + shortened(records))


def block_of(setting: int, protocol: str, rows: Mapping[str, Sequence[Record]], pool: Pool,
             published: Sequence[Entry]) -> Block:
    """One protocol in one setting."""
    runs = [run for some in rows.values() for run in some]
    content, some = runs[0]["spec"]["protocol"], runs[0]
    noise, imbalance = content.get("noise") or {}, content.get("imbalance") or {}
    rate = noise.get("rate") or next((run["trained_on"]["noise_rate"] for run in runs if "trained_on" in run), 0.0)
    return Block(setting, protocol, asked_of(content)[1:-1], noise.get("kind", ""), round(rate, 4),
                 imbalance.get("factor", 0.0), classes_of(some),
                 [cell_of(row, rows[row], pool) for row in sorted(rows, key=natural)],
                 [_published(entry) for entry in published if matches(entry, dataset_of(some), content)],
                 in_millionths(intervals(rows)))


def cell_of(row: str, runs: Sequence[Record], pool: Pool) -> Cell:
    """The runs of one method in a block."""
    code = runs[0]["spec"]["code"]["method"]
    return Cell(row, str(code), epoch_of(runs[0], "auto"), counts_of(runs), commands_of([repeating(runs)])[0],
                [run_of(record, pool) for record in runs])


def _published(entry: Entry) -> Published:
    """A published number as a payload holds it."""
    return Published(entry.method, entry.metric, round(entry.value * FINE), rounded(entry.std, FINE), entry.source,
                     entry.setting)
