"""The faces of a run: datasets opened once a process, protocols applied to them, and what identity says of both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fer_bench.data.catalog import open_dataset, place_of
from fer_bench.data.pack import Pack
from fer_bench.protocols.noise_list import find_list
from fer_bench.protocols.prepare import Prepared, prepare
from fer_bench.protocols.protocol import Protocol
from fer_bench.protocols.scores import Scores
from fer_bench.runs.request import Request
from fer_bench.runs.score_tables import score_table

_packs: dict[tuple[Any, ...], Pack] = {}


def cached_pack(dataset: str, root: Path | None, cache: Path, size: int | None,
                say: Callable[[str], None] | None = None) -> Pack:
    """The dataset's pack, opened once per process; ``say`` gets the progress of decoding it."""
    source = (dataset, root, cache, size)
    if source not in _packs:
        _packs[source] = open_dataset(dataset, root, cache, size=size, progress=say)
    return _packs[source]


_prepared: dict[tuple[Any, ...], Prepared] = {}


def prepared(request: Request, dataset: str, protocol: Protocol, seed: int) -> Prepared:
    """The data of a run; the last one is kept, since methods of one seed share it."""
    source = (dataset, request.root, request.cache, request.pack_size)
    table = table_of(protocol, request, dataset)
    key = (*source, request.noise_list, table and table.digest, protocol.model_dump_json(), seed)
    if key not in _prepared:
        noise_list = find_list(protocol, place_of(dataset, request.root), request.noise_list)
        data = prepare(cached_pack(*source), protocol, seed, noise_list, table)
        _prepared.clear()
        _prepared[key] = data
    return _prepared[key]


def table_of(protocol: Protocol, request: Request, dataset: str) -> Scores | None:
    """The score table that a protocol needs on a dataset, if it needs one."""
    pack = cached_pack(dataset, request.root, request.cache, request.pack_size)
    return score_table(protocol, dataset, pack, request.root, request.pack_size, request.cache, request.scores)


def check_protocol(request: Request, dataset: str, pack: Pack, protocol: Protocol) -> Prepared:
    """Apply a protocol once for each seed, so that bad input shows before any run; pixels are left out if they can.
    Returns the data of the first seed."""
    first = prepared(request, dataset, protocol, request.seeds[0])
    if not protocol.drop_duplicates:  # which looks at pixels, but at no seed's draw before it
        bare = {name: replace(s, images=np.zeros((len(s), 0, 0), np.uint8)) for name, s in pack.splits.items()}
        pack = replace(pack, splits=bare)
    noise_list, table = first.noise_list, table_of(protocol, request, dataset)
    for seed in request.seeds[1:]:
        prepare(pack, protocol, seed, noise_list, table)
    return first


def protocol_notes(protocol: Protocol, pack: Pack, data: Prepared) -> list[str]:
    """What is worth knowing of a protocol on a dataset: that the largest class was cut."""
    if data.head is None:
        return []
    name = f"{protocol.name} on {pack.name}"
    return [f"{name}: the largest class keeps {data.head:,} faces, so that the factor is reached"]


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
