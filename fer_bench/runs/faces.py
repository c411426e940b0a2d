"""The faces of a run: datasets opened once a process, protocols applied to them, and what identity says of both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fer_bench.data.catalog import Dataset
from fer_bench.data.folds import fold_pack, whole_pack
from fer_bench.data.opening import open_dataset
from fer_bench.data.pack import Pack
from fer_bench.errors import UserError
from fer_bench.protocols.noise_list import find_list
from fer_bench.protocols.prepare import Prepared, prepare
from fer_bench.protocols.protocol import Protocol
from fer_bench.protocols.scores import Scores
from fer_bench.runs.request import Part, Request
from fer_bench.runs.score_tables import reads_scores, score_table

_packs: dict[tuple[Any, ...], Pack] = {}


def cached_pack(dataset: Dataset, cache: Path, size: int | None, say: Callable[[str], None] | None = None) -> Pack:
    """The dataset's pack, opened once per process; ``say`` gets the progress of decoding it."""
    source = (dataset, cache, size)
    if source not in _packs:
        _packs[source] = open_dataset(dataset, cache, size=size, progress=say)
    return _packs[source]


def pack_of(request: Request, part: Part, seed: int, say: Callable[[str], None] | None = None) -> Pack:
    """The faces that runs of a seed train and test on: the dataset's own, or by its fold of that seed."""
    pack = cached_pack(part.dataset, request.cache, request.pack_size, say)
    return fold_pack(pack, part.fold, seed) if part.fold else whole_pack(pack)


_prepared: dict[tuple[Any, ...], Prepared] = {}


def prepared(request: Request, part: Part, protocol: Protocol, seed: int) -> Prepared:
    """The data of a run; the last one is kept, since methods of one seed share it."""
    table = table_of(protocol, request, part)
    key = (part, request.cache, request.pack_size, request.noise_list, table and table.digest,
           protocol.model_dump_json(), seed)
    if key not in _prepared:
        noise_list = find_list(protocol, part.dataset.place, request.noise_list)
        data = prepare(pack_of(request, part, seed), protocol, seed, noise_list, table)
        _prepared.clear()
        _prepared[key] = data
    return _prepared[key]


def table_of(protocol: Protocol, request: Request, part: Part) -> Scores | None:
    """The score table that a protocol needs on a dataset, if it needs one. Raises UserError for folds, whose test faces
    would have had a say in it."""
    if part.fold and reads_scores(protocol):
        raise UserError(f"protocol '{protocol.name}' with --folds {part.fold.of}: a score table is made of training "
                        "faces, and every face is one here; choose another protocol")
    pack = cached_pack(part.dataset, request.cache, request.pack_size)
    return score_table(protocol, part.dataset, pack, request.pack_size, request.cache, request.scores)


def identities(request: Request, part: Part, protocol: Protocol,
               say: Callable[[str], None]) -> dict[int, dict[str, Any]]:
    """What identity says of a protocol on a dataset, by seed. Applies it once for each seed, so that bad input shows
    before any run; pixels are left out if they can. ``say`` gets what is worth knowing."""
    first = prepared(request, part, protocol, request.seeds[0])
    table, found = table_of(protocol, request, part), {request.seeds[0]: first}
    for seed in request.seeds[1:]:
        pack = pack_of(request, part, seed)
        if not protocol.drop_duplicates:  # which looks at pixels, but at no seed's draw before it
            bare = {name: replace(s, images=np.zeros((len(s), 0, 0), np.uint8)) for name, s in pack.splits.items()}
            pack = replace(pack, splits=bare)
        found[seed] = prepare(pack, protocol, seed, first.noise_list, table)
    for note in protocol_notes(protocol, part.dataset.name, first):
        say(note)
    return {seed: protocol_identity(protocol, data, table) for seed, data in found.items()}


def protocol_notes(protocol: Protocol, dataset: str, data: Prepared) -> list[str]:
    """What is worth knowing of a protocol on a dataset: that the largest class was cut."""
    if data.head is None:
        return []
    return [f"{protocol.name} on {dataset}: the largest class keeps {data.head:,} faces, so that the factor is reached"]


def protocol_identity(protocol: Protocol, data: Prepared, table: Scores | None) -> dict[str, Any]:
    """A protocol's content without its title, and what it came to where that is not said by the content: a noise list
    counts by its bytes, not its place or the rate that it was checked against; a score table by its content; a head
    that was shrunk by its size."""
    content = protocol.model_dump(mode="json", exclude={"title"})
    if data.noise_list is not None:
        content["noise"] |= {"file": f"sha256:{data.noise_list.sha256}", "rate": None}
    if table is not None:
        content["noise"]["scores"] = f"sha256:{table.digest}"
    if data.head is not None:
        content["imbalance"]["head"] = data.head
    return content
