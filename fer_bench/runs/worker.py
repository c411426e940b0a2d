"""Work through a list of runs: skip what is done or claimed, claim, fit, record. One failure never stops the others."""

from __future__ import annotations

import contextlib
import gc
import json
import subprocess
import traceback
from collections import deque
from collections.abc import Callable, Generator
from functools import cache
from importlib import metadata
from typing import Any

import torch

from fer_bench import __version__
from fer_bench.engine.device import environment, settle
from fer_bench.engine.fit import fitting
from fer_bench.engine.inputs import Inputs
from fer_bench.engine.lane import Lane
from fer_bench.errors import UserError
from fer_bench.library.fingerprint import engine_hash
from fer_bench.library.methods import load_class
from fer_bench.paths import PACKAGE
from fer_bench.protocols.prepare import trained_on
from fer_bench.protocols.protocol import Recipe
from fer_bench.runs.claims import Claim
from fer_bench.runs.faces import prepared
from fer_bench.runs.networks import network_maker
from fer_bench.runs.outcomes import add_tests, differing, keep, open_tests
from fer_bench.runs.plan import Plan
from fer_bench.runs.settings import Settings

Emit = Callable[[dict[str, Any]], None]
AGAIN = "its record is there, its network is not: it is trained again for the tests that are asked for"


class ClaimLost(Exception):
    """Another process took the run over while this one slept."""


class DeviceLost(UserError):
    """The GPU refuses all further work of this process, as it does after an error inside a kernel."""


Turns = Generator[None, None, str]


def work(plans: list[Plan], offset: int, settings: Settings, emit: Emit,
         stop: Callable[[], bool] = lambda: False) -> None:
    """Walk the whole list once, beginning at ``offset``, so that several workers share it without talking.

    Up to ``settings.pack`` runs take turns, step by step, each on a lane of its own. ``stop`` is asked between steps;
    the runs begun are given back then, their state is on disk. Runs that others had are looked at once more at
    the end, since their holders may be gone by then.
    """
    collect_garbage_of_runs_alone()
    waiting, again = deque(plans[offset:] + plans[:offset]), list[Plan]()
    first_round = True
    free = [Lane(torch.device(settings.device), settings.engine) for _ in range(settings.pack)]
    busy: dict[Lane, tuple[Plan, Turns]] = {}
    try:
        while (waiting or busy or again) and not stop():
            if not waiting and not busy:
                waiting, again, first_round = deque(again), [], False
            while waiting and free and agree(waiting[0], [plan for plan, _ in busy.values()]):
                plan, lane = waiting.popleft(), free.pop(0)
                busy[lane] = plan, running(plan, lane, settings, emit)
            for lane, (plan, run) in list(busy.items()):
                try:
                    with lane.active():
                        next(run)
                except StopIteration as end:
                    free.append(lane)
                    del busy[lane]
                    if end.value == "busy" and first_round:
                        again.append(plan)
                    else:
                        emit({"kind": end.value, "run": plan.spec.id})
    finally:
        with contextlib.ExitStack() as ending:  # each, whatever happens to the others
            for lane, (_, run) in busy.items():
                ending.callback(give_back, lane, run)


def give_back(lane: Lane, run: Turns) -> None:
    """Let a run save its state, on the stream that its last steps are still on, and release its claim."""
    with lane.active():
        run.close()


def collect_garbage_of_runs_alone() -> None:
    """Keep Python's garbage collector from looking through modules, torch's compiler among them, which every optimiser
    imports: neither now and then, nor when the process ends."""
    if not gc.get_freeze_count():
        import torch._dynamo  # noqa: F401

        gc.freeze()
    gc.enable()


def agree(plan: Plan, others: list[Plan]) -> bool:
    """Whether a run can share a process with others: some settings are those of the whole process."""
    def of_the_process(recipe: Recipe) -> tuple[object, ...]:
        return recipe.threads, recipe.precision, recipe.fast

    return all(of_the_process(other.recipe) == of_the_process(plan.recipe) for other in others)


def running(plan: Plan, lane: Lane, settings: Settings, emit: Emit) -> Turns:
    """Do one run if it is not done, pausing after each step: "done", "skipped" (was done), "busy", "failed" or
    "conflict"."""
    store, run = settings.store, plan.spec.id

    def warn(line: str) -> None:
        emit({"kind": "warning", "run": run, "text": line})

    known = store.record(run, warn)
    if known is not None and not add_tests(store.results, known, plan):
        store.tidy_done(run)
        return "skipped"
    if (failure := store.error(run)) is not None:
        warn(f"{plan.spec.title}: failed before ({failure}); --retry failed runs it again")
        return "failed"
    claim = store.claim(run)
    if claim is None:
        return "busy"
    last: dict[str, Any] = {}
    try:
        if store.state(run) == "failed" or store.state(run) == "done" and not open_tests(store.results, plan):
            return "skipped"  # another worker ended it between the look and the claim
        store.tidy(run)
        if known and not any(store.run_folder(run).glob("*.pt")):
            differs = differing(known["environment"], place_of(plan, lane))
            warn(f"{plan.spec.title}: {AGAIN}" + (f"; it may become another one ({differs})" if differs else ""))
        record, found = yield from execute(plan, lane, settings, claim, emit, warn, last)
        return keep(store, plan, record, found, warn)
    except ClaimLost:
        return "busy"
    except Exception as error:
        warn(f"{plan.spec.title}: failed {keep_error(plan, lane, settings, error, last)}")
        if not answers(lane.device):
            raise DeviceLost(f"{lane.device} does not answer any more after {plan.spec.title} failed: this process "
                             "ends, the runs beside it were given back; the same command goes on with them") from None
        return "failed"
    finally:
        claim.release()


def answers(device: torch.device) -> bool:
    """Whether a device still works; after an error inside a CUDA kernel every call of the process fails."""
    try:
        torch.zeros(1, device=device).add_(1).cpu()
        return True
    except RuntimeError:
        return False


def keep_error(plan: Plan, lane: Lane, settings: Settings, error: Exception, last: dict[str, Any]) -> str:
    """Write error.txt: traceback, environment, last epoch. Returns what to say, also when the disk is full."""
    headline = f"{type(error).__name__}: {error}".split("\n")[0]
    about = {"environment": place_of(plan, lane), "last epoch": last or None}
    details = traceback.format_exc() + "".join(f"\n{name}: {json.dumps(value)}" for name, value in about.items())
    try:
        return f"({headline}); details in {settings.store.write_error(plan.spec.id, headline, details)}"
    except OSError as problem:
        return f"({headline}); error.txt could not be written ({problem.strerror})"


def execute(plan: Plan, lane: Lane, settings: Settings, claim: Claim, emit: Emit, warn: Callable[[str], None],
            last: dict[str, Any]) -> Generator[None, None, tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Fit a run; returns its record and what its open further tests give. ``last`` gets the row of the last epoch."""
    settle(lane.device, plan.recipe.threads, plan.recipe.precision, plan.recipe.fast)
    inputs, folder = make_inputs(plan), settings.store.run_folder(plan.spec.id)
    settings.store.write_spec(plan.spec.id, plan.label, plan.spec.content)
    emit({"kind": "start", "run": plan.spec.id, "title": plan.spec.title, "epochs": plan.recipe.epochs,
          "faces": len(inputs.data.train)})

    def report(row: dict[str, Any]) -> None:
        last.update(row)
        settings.store.write_progress(plan.spec.id, {
            "epoch": row["epoch"], "epochs": plan.recipe.epochs, "overall": row["overall"],
            "seconds_per_epoch": len(inputs.data.train) / row["images_per_second"]})
        emit({"kind": "epoch", "run": plan.spec.id, **row})
        if not claim.held():
            raise ClaimLost

    outcomes: list[dict[str, Any]] = []
    tests = [test.run for test in open_tests(settings.store.results, plan)]
    # closed before the claim is released: a run that is given back saves its state
    with contextlib.closing(fitting(inputs, lane, folder, report, warn, settings.save_every, claim.held, tests,
                                    outcomes)) as steps:
        while True:
            try:
                next(steps)
            except StopIteration as end:
                parts: dict[str, Any] = end.value
                break
            if not claim.beat():
                raise ClaimLost
            yield
    parts["cost"]["pack"] = settings.pack
    if plan.method.views:
        parts["views"] = plan.method.views
    if (epochs := plan.method.made_for(plan.request.track)) > plan.recipe.epochs:
        parts["shortened"] = {"from_epochs": epochs, "to_epochs": plan.recipe.epochs}
    return {"schema": 2, "id": plan.spec.id, "label": plan.label, "spec": plan.spec.content,
            "trained_on": trained_on(inputs.data), **parts,
            "environment": place_of(plan, lane)}, outcomes


def place_of(plan: Plan, lane: Lane) -> dict[str, Any]:
    """What a record says of where it was made."""
    return {**environment(lane.device, plan.recipe.threads), **versions()}


def make_inputs(plan: Plan) -> Inputs:
    """All that the engine needs of a plan: its data prepared, its method imported."""
    data = prepared(plan.request, plan.part, plan.protocol, plan.spec.content["seed"])
    return Inputs(plan.spec.id, load_class(plan.method), plan.spec.content["method"]["parameters"], plan.recipe, data,
                  plan.spec.content["seed"], network_maker(plan))


@cache
def versions() -> dict[str, str]:
    """Versions of what can change numbers, the engine's fingerprint, and the commit of a checkout."""
    found = {name: metadata.version(name) for name in ("timm", "torchvision", "numpy", "pillow")}
    found |= {"fer_bench": __version__, "engine_code": engine_hash()}
    return {**found, **({"commit": commit} if (commit := own_commit()) else {})}


def own_commit() -> str:
    """The commit of this checkout; empty where there is none, or no git."""
    if not (PACKAGE.parent / ".git").exists():
        return ""
    try:
        git = subprocess.run(["git", "-C", str(PACKAGE.parent), "rev-parse", "HEAD"], capture_output=True, text=True)
    except OSError:
        return ""
    return git.stdout.strip() if git.returncode == 0 else ""
