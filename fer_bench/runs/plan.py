"""From what a user asked for to a list of runs, everything checked before the first of them starts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from fer_bench.data.catalog import open_dataset
from fer_bench.data.pack import Pack
from fer_bench.errors import UserError, near, unknown
from fer_bench.library.methods import method_info, methods, resolve_parameters
from fer_bench.library.source import MethodInfo
from fer_bench.library.versions import ENGINE_VERSION
from fer_bench.protocols.prepare import Prepared, prepare
from fer_bench.protocols.protocol import Protocol, Recipe, default_recipe, load_protocol, load_recipe, protocol_names
from fer_bench.runs.spec import RunSpec, file_hash, make_spec


@dataclass(frozen=True)
class Request:
    """What a user asked for, names resolved, nothing opened yet."""

    methods: tuple[str, ...]
    protocols: tuple[str, ...]
    datasets: tuple[str, ...]
    seeds: tuple[int, ...]
    cache: Path
    root: Path | None = None
    recipe: str | None = None
    settings: dict[str, str] = field(default_factory=dict)
    recipe_settings: dict[str, str] = field(default_factory=dict)
    weights: str = "none"
    track: str = "fair"
    plugins: tuple[Path, ...] = ()
    noise_list: Path | None = None
    pack_size: int | None = None


@dataclass(frozen=True)
class Plan:
    """One run, and where its inputs lie on this machine (which is no part of its identity)."""

    spec: RunSpec
    label: str
    method: MethodInfo
    protocol: Protocol
    recipe: Recipe
    dataset: str
    request: Request


def make_plans(request: Request, say: Callable[[str], None]) -> list[Plan]:
    """All runs of a request: seeds outermost, so that a part of the list is a fair comparison too."""
    infos = [method_info(name, request.plugins) for name in request.methods]
    for problem in methods(request.plugins)[1]:
        say(problem)
    parameters = {info.name: resolve_parameters(info, own_settings(info, infos, request.settings), request.track)
                  for info in infos}
    protocols = [load_protocol(name) for name in request.protocols]
    recipes = {(i.name, d): choose_recipe(request, i, d) for i in infos for d in request.datasets}
    weights, parts = identify_weights(request.weights), []
    for dataset in request.datasets:
        pack = cached_pack(dataset, request.root, request.cache, request.pack_size, say)
        for protocol in protocols:
            check_protocol(request, dataset, pack, protocol)
            parts.append((dataset, pack, protocol, protocol_identity(protocol, request)))
    plans = []
    for seed in request.seeds:
        for dataset, pack, protocol, content in parts:
            for info in infos:
                recipe = recipes[info.name, dataset]
                spec = make_spec(
                    method=info.name, parameters=parameters[info.name], protocol=content,
                    dataset={"name": pack.name, "fingerprint": pack.fingerprint, "classes": list(pack.classes)},
                    recipe=recipe.model_dump(mode="json", exclude={"title"}), weights=weights, track=request.track,
                    seed=seed, code={"method": info.version, "engine": ENGINE_VERSION})
                name = label(info, parameters[info.name], request.track)
                plans.append(Plan(spec, name, info, protocol, recipe, dataset, request))
    return plans


def check_protocol(request: Request, dataset: str, pack: Pack, protocol: Protocol) -> None:
    """Apply a protocol once for each seed, so that bad input shows before any run; pixels are left out if they can."""
    prepared(request, dataset, protocol, request.seeds[0])
    if not protocol.drop_duplicates:  # which looks at pixels, but at no seed's draw before it
        bare = {name: replace(s, images=np.zeros((len(s), 0, 0), np.uint8)) for name, s in pack.splits.items()}
        pack = replace(pack, splits=bare)
    for seed in request.seeds[1:]:
        prepare(pack, protocol, seed, find_noise_list(protocol, request))


def expand(kind: str, text: str, known: Callable[[], Iterable[str]]) -> tuple[str, ...]:
    """"a,b" to ("a", "b"); "all" in it to everything known. Names are checked where they are looked up."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise UserError(f"--{kind}: nothing named; give one, several separated by commas, or 'all'")
    return tuple(dict.fromkeys(each for name in names for each in (known() if name == "all" else [name])))


def expand_methods(text: str, plugins: Iterable[Path]) -> tuple[str, ...]:
    """``expand`` for methods, where "family:noise" means all of a family. Raises UserError for a family without any."""
    found, problems = methods(plugins)
    names: list[str] = []
    for name in expand("method", text, lambda: found):
        if ":" not in name or name in found:
            names.append(name)
            continue
        try:
            names += family_members(name, found)
        except UserError as error:  # the family may be that of a plugin that could not be read
            raise UserError(" | ".join([str(error), *problems])) from None
    return tuple(dict.fromkeys(names))


def family_members(name: str, found: dict[str, MethodInfo]) -> list[str]:
    """The methods of "family:noise". Raises UserError for another word before the colon and for an unknown family."""
    kind, _, family = name.partition(":")
    families = {info.family for info in found.values()}
    if kind != "family":
        meant = {family.strip().lower()} & families or families
        raise UserError(f"unknown method '{name}': {near(name.lower(), [f'family:{each}' for each in meant])}")
    if family not in families:
        raise unknown("family", family, families)
    return [name for name, info in found.items() if info.family == family]


def general_protocols() -> list[str]:
    """What ``--protocol all`` means: the protocols that need nothing but the dataset's own labels."""
    own = ("list", "column")
    return [name for name in protocol_names() if (noise := load_protocol(name).noise) is None or noise.kind not in own]


def choose_recipe(request: Request, info: MethodInfo, dataset: str) -> Recipe:
    """The recipe of a method on a dataset: the same for all methods, unless --track paper."""
    name = request.recipe or default_recipe(dataset, request.track)
    base: dict[str, Any] = info.paper_recipe if request.track == "paper" else {}
    return load_recipe(name, request.recipe_settings, base)


def own_settings(info: MethodInfo, infos: list[MethodInfo], settings: dict[str, str]) -> dict[str, str]:
    """The --set values that a method has. Raises UserError for one that none of the named methods has."""
    known = {name for other in infos for name in other.parameters}
    for name in settings:
        if name not in known:
            raise UserError(f"no method named has a hyper-parameter '{name}': {near(name, known)}")
    return {name: text for name, text in settings.items() if name in info.parameters}


def label(info: MethodInfo, parameters: dict[str, Any], track: str) -> str:
    """The method's name, and its hyper-parameters where they are not the track's defaults: "nla jsd=sum"."""
    changed = [f"{k}={v}" for k, v in parameters.items() if v != info.defaults(track)[k]]
    return " ".join([info.name, *changed])


def protocol_identity(protocol: Protocol, request: Request) -> dict[str, Any]:
    """A protocol's content without its title; a noise list counts by its bytes, not its place."""
    content = protocol.model_dump(mode="json", exclude={"title"})
    path = find_noise_list(protocol, request)
    if path is not None:
        content["noise"]["file"] = "sha256:" + file_hash(path)
    return content


def find_noise_list(protocol: Protocol, request: Request) -> Path | None:
    """Where a published noise list lies: --noise-list, else as given, under the data root, or in its EmoLabel."""
    if protocol.noise is None or protocol.noise.file is None:
        return None
    if request.noise_list is not None:
        places = [request.noise_list.expanduser()]
    else:
        root, name = request.root or Path(), protocol.noise.file
        places = [root / name, root / "EmoLabel" / name, *sorted(root.glob(f"*/EmoLabel/{name}"))]
        places.append(Path(name).expanduser())
    for place in places:
        if place.is_file():
            return place
    raise UserError(f"protocol '{protocol.name}': noise list not found, looked for {', '.join(map(str, places))}; give "
                    "its path with --noise-list")


def identify_weights(weights: str) -> str:
    """"none", "imagenet" with timm's version (which names the files), or the sha256 of a checkpoint file."""
    if weights == "imagenet":
        return f"imagenet timm {version('timm')}"
    if weights == "none":
        return weights
    path = Path(weights).expanduser()
    if not path.is_file():
        raise UserError(f"--weights {weights}: no such file; give a checkpoint, 'imagenet' or 'none'")
    return file_hash(path)


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
    noise_list = find_noise_list(protocol, request)
    source = (dataset, request.root, request.cache, request.pack_size)
    key = (*source, noise_list, protocol.model_dump_json(), seed)
    if key not in _prepared:
        data = prepare(cached_pack(*source), protocol, seed, noise_list)
        _prepared.clear()
        _prepared[key] = data
    return _prepared[key]
