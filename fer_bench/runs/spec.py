"""The identity of a run: everything that can change its numbers, as canonical JSON, and the hash of it.

Paths, device, worker count and cluster are outside: the same run has the same id on every machine.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_bench.errors import UserError

# Keys that came after the first records, with the value that says what was done before them. With that value they are
# no part of the hash: so an option can be added, and every id stays. Defaults of recipes never change; raise a version.
LATER: dict[tuple[str, ...], Any] = {
    ("recipe", "threads"): 1,
    ("recipe", "augment", "crop"): 0.0,
    ("recipe", "augment", "randaugment"): 0,
    ("recipe", "augment", "magnitude"): 10.0,
    ("recipe", "augment", "cutout"): 0.0,
    ("protocol", "noise", "seed"): None,
    ("protocol", "imbalance", "seed"): None,
    ("recipe", "head_lr"): 1.0,
    ("recipe", "milestones"): None,
    ("recipe", "head_milestones"): None,
    ("recipe", "clip_grad_norm"): None,
}


@dataclass(frozen=True)
class RunSpec:
    """One run. ``content`` is plain JSON data; see ``make_spec`` for its keys."""

    content: dict[str, Any]

    @property
    def id(self) -> str:
        """16 hex digits: the head of the sha256 of the canonical JSON."""
        return run_id(self.content)

    @property
    def title(self) -> str:
        """A short line for people: method, protocol, dataset, seed."""
        c = self.content
        fold = f" fold {'/'.join(map(str, c['dataset']['fold']))}" if "fold" in c["dataset"] else ""
        return f"{c['method']['name']} {c['protocol']['name']} {c['dataset']['name']}{fold} seed {c['seed']}"


def make_spec(
    *,
    method: str,
    parameters: dict[str, Any],
    protocol: dict[str, Any],
    dataset: dict[str, Any],
    recipe: dict[str, Any],
    weights: str,
    track: str,
    seed: int,
    code: dict[str, int | str],
) -> RunSpec:
    """Put an identity together.

    parameters: every resolved hyper-parameter. protocol, recipe: their resolved content (titles left out). dataset:
    name, fingerprint, classes, and [number, of] of its fold, if any. weights: "none", "imagenet" or sha256. code:
    declared versions of method and engine, or the fingerprint of a method that is not the suite's own.
    """
    return RunSpec({"method": {"name": method, "parameters": parameters}, "protocol": protocol, "dataset": dataset,
                    "recipe": recipe, "weights": weights, "track": track, "seed": seed, "code": code})


def canonical_json(content: Any) -> str:
    """JSON with sorted keys and no white space; floats as Python's shortest repr, which is the same everywhere."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def run_id(content: dict[str, Any]) -> str:
    """16 hex digits of a spec's content."""
    for path, value in LATER.items():
        content = _without(content, path, value)
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()[:16]


def complete(content: dict[str, Any]) -> dict[str, Any]:
    """A spec's content as it would be written today: with the keys that came later."""
    for path, value in LATER.items():
        content = _with(content, path, value)
    return content


def _without(content: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """The content without the key that a path leads to, if it has this value there."""
    key, *inner = path
    if inner:
        part = content.get(key)
        return {**content, key: _without(part, tuple(inner), value)} if part else content
    return {k: v for k, v in content.items() if (k, v) != (key, value)}


def _with(content: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """The content with the key that a path leads to; this is its value where it has none."""
    key, *inner = path
    if inner:
        part = content.get(key)
        return {**content, key: _with(part, tuple(inner), value)} if part else content
    return {key: value, **content}


def parse_seeds(text: str) -> list[int]:
    """"5" is seeds 0..4; "0,3,7" is those three; "7," is seed 7 alone. Raises UserError."""
    words = [word.strip() for word in text.split(",")]
    numbers = [word for word in words if word]
    if not numbers or not all(word.isdecimal() for word in numbers):
        raise UserError(f"--seeds {text}: expected a count such as 5 (seeds 0 to 4) or a list such as 0,3,7")
    values = [int(word) for word in numbers]
    if len(words) > 1:
        return sorted(set(values))
    if values[0] < 1:
        raise UserError("--seeds 0: expected at least 1; '0,' means seed 0 alone")
    return list(range(values[0]))


def parse_settings(option: str, items: list[str]) -> dict[str, str]:
    """["a=1", "b=x"] to {"a": "1", "b": "x"}. Raises UserError."""
    found = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not equals or not name.strip():
            raise UserError(f"{option} {item}: expected name=value")
        found[name.strip()] = value.strip()
    return found


def file_hash(path: Path) -> str:
    """sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
