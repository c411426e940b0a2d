"""Which score table the runs of a protocol read; none unless its noise is instance-dependent."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

from fer_bench.data.catalog import Dataset
from fer_bench.data.pack import Pack
from fer_bench.errors import UserError
from fer_bench.protocols.protocol import Protocol
from fer_bench.protocols.scores import Scores, find_scores


def reads_scores(protocol: Protocol) -> bool:
    """Whether a protocol needs a score table."""
    return protocol.noise is not None and protocol.noise.kind == "instance"


def refuse_idle_scores(given: Path | None, protocols: Iterable[Protocol]) -> None:
    """Raise UserError for a score table that none of the protocols would read."""
    protocols = list(protocols)
    if given is not None and not any(map(reads_scores, protocols)):
        raise UserError(f"--scores {given}: read by instance-dependent noise alone (idn20, idn30, idn40), found "
                        f"{', '.join(p.name for p in protocols)}; leave it out")


def score_table(protocol: Protocol, dataset: Dataset, pack: Pack, size: int | None, cache: Path,
                given: Path | None) -> Scores | None:
    """The score table that a protocol needs on a dataset, if it needs one. Raises UserError when there is none."""
    if not reads_scores(protocol):
        return None
    words = ["python", "run_bench.py", "scores", *dataset.words]
    words += ["--pack-size", str(size)] if size else []
    return find_scores(dataset.name, pack.fingerprint, cache, given, shlex.join(words))
