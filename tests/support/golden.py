"""Golden runs: short runs whose numbers lie in tests/golden, one for each method and for each thing a recipe can ask.

They keep the declared versions honest (fer_bench/library/versions.py): numbers that change while the version stays are
a failure that says which version to raise. On the processor and torch they were made with, all bits must be the same;
elsewhere ``TOLERANCE`` holds, which a changed formula breaks (test_mutants.py) and another instruction set does not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cases import CASES, INFOS
from tinydata import RECIPE, tiny_trainer, train_epoch

from fer_bench.data.pack import Split, make_pack
from fer_bench.engine.device import processor
from fer_bench.engine.inputs import faces_of_statistics
from fer_bench.engine.metrics import evaluate
from fer_bench.library.versions import ENGINE_VERSION
from fer_bench.nets.backbone import make_trunk
from fer_bench.nets.statistics import give_statistics
from fer_bench.protocols.prepare import prepare
from fer_bench.protocols.protocol import Augment, load_protocol
from fer_bench.protocols.scores import Scores

FOLDER = Path(__file__).resolve().parents[1] / "golden"
# Of |found - kept| against 1 + |kept|, by the kind of case. With the instructions of AVX2 or SSE4.1 in the place of
# AVX-512 the runs stay below half of it (docs/decisions.md).
TOLERANCE = {"methods": 2e-3, "engine": 1e-2}
SLOW = 5e-4  # a tenth of the quick recipe's learning rate: rounding grows with every step, and more at a high rate
Numbers = Iterator[tuple[str, list[float]]]

NO_AUGMENT = Augment()
ENGINE: dict[str, dict[str, Any]] = {  # what a recipe can ask, each alone, on cross-entropy
    "no-augmentation": {"augment": NO_AUGMENT},
    "pixel-noise": {"augment": Augment(noise=0.5)},
    "flip": {"augment": Augment(flip=0.5)},
    "shift": {"augment": Augment(shift=2)},
    "erase": {"augment": Augment(erase=0.5)},
    "adamw": {"augment": NO_AUGMENT, "optimiser": "adamw", "weight_decay": 0.1},
    "sgd": {"augment": NO_AUGMENT, "optimiser": "sgd", "lr": 0.005},
    "constant": {"augment": NO_AUGMENT, "schedule": "constant", "warmup_epochs": 0},
    "exponential": {"augment": NO_AUGMENT, "schedule": "exponential", "gamma": 0.7},
    "step": {"augment": NO_AUGMENT, "schedule": "step", "milestones": ((1, 0.5), (2, 0.1))},
    "head-rate": {"augment": NO_AUGMENT, "schedule": "step", "milestones": ((2, 0.1),), "head_lr": 10.0,
                  "head_milestones": ((1, 0.5),)},
    "clipped": {"augment": NO_AUGMENT, "optimiser": "sgd", "lr": 0.005, "clip_grad_norm": 0.5},
    "no-warm-up": {"augment": NO_AUGMENT, "warmup_epochs": 0},
    "bf16": {"augment": NO_AUGMENT, "precision": "bf16", "bf16": True},
    "colour": {"augment": Augment(flip=0.5), "colour": "rgb", "mean": (0.5, 0.4, 0.3), "std": (0.25, 0.2, 0.3)},
    "smaller": {"augment": NO_AUGMENT, "image_size": 12},
    "wider": {"augment": NO_AUGMENT, "backbone": "resnet10-w24"},
    "resnet18": {"augment": NO_AUGMENT, "backbone": "resnet18", "image_size": 32},
    "dlib-face": {"augment": NO_AUGMENT, "backbone": "dlib-face", "image_size": 64, "colour": "rgb",
                  "mean": (0.48, 0.46, 0.41), "std": (1.0, 1.0, 1.0)},
}


def method_numbers(method: Any, parameters: dict[str, Any], **changes: Any) -> Numbers:
    """Losses of 18 steps, learning rates, what the method logged in the first and the last epoch, and test logits."""
    trainer = tiny_trainer(method, parameters, **{"lr": SLOW, **changes})
    for epoch in range(RECIPE.epochs):
        row = train_epoch(trainer, epoch)
        yield f"losses of epoch {epoch + 1}", trainer.losses.tolist()
        yield f"learning rate of epoch {epoch + 1}", [row["lr"]]
        if epoch in (0, RECIPE.epochs - 1):
            for name, values in trainer.logged.items():
                yield f"{name} in epoch {epoch + 1}", values.tolist()
    yield "logits", trainer.predict("test").ravel().tolist()


def label_numbers() -> Numbers:
    """What each kind of protocol makes of 600 skewed faces: which are left, and their labels."""
    rng = np.random.default_rng(5)
    labels = np.repeat(np.arange(7), [200, 150, 100, 70, 40, 25, 15])
    images = rng.integers(0, 256, (600, 8, 8), dtype=np.uint8)
    names = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
    split = Split(images, labels, tuple(f"face{i}" for i in range(600)))
    pack = make_pack("made", names, {"train": split, "test": split})
    for name in ("clean", "noise30", "asym30", "imb20", "noise30-imb50"):
        for seed in (0, 1):
            faces = prepare(pack, load_protocol(name), seed).train
            yield f"faces of {name}, seed {seed}", [float(face.removeprefix("face")) for face in faces.ids]
            yield f"labels of {name}, seed {seed}", faces.given.astype(float).tolist()


def other_label_numbers() -> Numbers:
    """The labels of instance-dependent noise and of one annotator, from made scores and votes."""
    rng, names = np.random.default_rng(7), ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
    labels, ids = np.arange(300) % 7, tuple(f"face{i}" for i in range(300))
    split = Split(np.zeros((300, 8, 8), np.uint8), labels, ids, rng.integers(0, 5, (300, 7)).astype(np.float32))
    pack = make_pack("made", names, {"train": split, "test": split})
    scores = Scores(pack.fingerprint, names, ids, rng.dirichlet(np.ones(7), 300).astype(np.float16))
    for name in ("idn20", "idn40", "one-annotator"):
        given = prepare(pack, load_protocol(name), 1, scores=scores).train.given
        yield f"labels of {name}", given.astype(float).tolist()


def metric_numbers() -> Numbers:
    """Metrics of fixed logits."""
    rng = np.random.default_rng(6)
    found = evaluate(rng.normal(size=(50, 4)), rng.integers(0, 3, 50))
    for name, value in found.items():
        yield name, [float(v) for v in np.atleast_1d(np.array(value, dtype=float)) if np.isfinite(v)]


def statistics_numbers() -> Numbers:
    """What batch norms of a network without statistics get from faces, and what it says of them."""
    torch.manual_seed(3)
    trunk, rng = make_trunk("dlib-face", 3), np.random.default_rng(8)
    for module in trunk.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    recipe = RECIPE.model_copy(update={"image_size": 64, "colour": "rgb", "mean": (0.5,) * 3, "std": (1.0,) * 3})
    faces = faces_of_statistics(rng.integers(0, 256, (300, 16, 16), dtype=np.uint8), recipe)
    give_statistics(trunk, faces)
    for name, value in trunk.state_dict().items():
        if name.startswith(("bn1.", "layer1.2.bn2.", "layer4.0.bn1.")) and value.is_floating_point():
            yield name, value.flatten()[:16].tolist()


def cases() -> dict[str, Callable[[], Numbers]]:
    """Every golden run by its file: methods/NAME or engine/NAME."""
    found = {f"methods/{name}": partial(method_numbers, *case) for name, case in CASES.items()}
    plain = CASES["ce"]
    found |= {f"engine/{name}": partial(method_numbers, *plain, **changes) for name, changes in ENGINE.items()}
    return found | {"engine/labels": label_numbers, "engine/other-labels": other_label_numbers,
                    "engine/metrics": metric_numbers, "engine/statistics": statistics_numbers}


def versions(case: str) -> dict[str, int]:
    """The declared versions that a golden run stands for."""
    kind, name = case.split("/")
    return {"engine": ENGINE_VERSION} | ({"method": 1 + len(owner(name).history)} if kind == "methods" else {})


def owner(name: str) -> Any:
    """The method of a case: itself, or that of which it is a form, as "crt-early" of "crt"."""
    return INFOS[name] if name in INFOS else INFOS[name.split("-")[0]]


@cache
def here() -> dict[str, str]:
    """What the same bits can be expected on."""
    try:
        model = dict(re.findall(r"^(cpu family|model)\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE))
    except OSError:
        model = {}
    kind = " ".join([processor(), *(f"{name} {value}" for name, value in sorted(model.items()))])
    return {"processor": f"{kind} {torch.backends.cpu.get_cpu_capability()}", "torch": torch.__version__}


def kept(case: str) -> dict[str, Any]:
    """The golden file of a case; empty if there is none."""
    path = FOLDER / f"{case}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def difference(case: str, numbers: Numbers, exact: bool | None = None) -> str:
    """Where a run first leaves its golden file, in words; "" if it does not. exact: whether to compare bits; None: if
    the file was made on such a processor with this torch."""
    file = kept(case)
    if not file:
        return "there is no golden file"
    bits, expected = file["made"] == here() if exact is None else exact, dict(file["numbers"])
    for name, values in numbers:
        wanted = expected.pop(name, None)
        if wanted is None or len(wanted) != len(values):
            return f"{name}: {len(values)} numbers, {'none' if wanted is None else len(wanted)} in the golden file"
        one, other = np.array(values), np.array(wanted)
        apart = np.abs(one - other) / (1 + np.abs(other))
        if (one != other).any() if bits else not (apart <= TOLERANCE[case.split("/")[0]]).all():
            place = int(np.nanargmax(np.where(np.isfinite(apart), apart, np.inf)))
            return f"{name}[{place}] is {values[place]!r}, {wanted[place]!r} in the golden file"
    return f"{', '.join(expected)}: no longer there" if expected else ""


@cache
def engine_changed() -> bool:
    """Whether even cross-entropy has other numbers, so that it is not a method that changed."""
    return any(difference(case, cases()[case]()) for case in ("methods/ce", "engine/no-augmentation"))


def problem(case: str) -> str:
    """What is wrong with a golden run and how it is mended; "" if nothing is."""
    declared, file, write = versions(case), kept(case), f"write its golden file: python tests/golden/write.py {case}"
    if file and file["versions"] != declared:
        return f"{case}: its golden file is of {file['versions']}, declared is {declared}: {write}"
    if not (found := difference(case, cases()[case]())):
        return ""
    if not file:
        return f"{case}: {found}; {write}"
    if case.startswith("engine/") or engine_changed():
        return (f"{case}: {found}; if that is meant, raise the version of the engine: say why in a line more of "
                f"ENGINE_HISTORY in fer_bench/library/versions.py, then write all: python tests/golden/write.py")
    info = owner(case.split("/")[1])
    return (f"{case}: {found}; if that is meant, raise the version of method '{info.name}': say why in a line more of "
            f"history=(...) in {info.file.parent.name}/{info.file.name}, then {write}")
