"""One task of an array: a worker that walks the whole list of runs, wherever the cluster put it.

A task carries the request, not the runs: it plans them anew and refuses to work if its code is not the code of the
submission. Tasks share the list through claims, so a quick one helps a slow one; one that is out of time or preempted
gives its runs back, is queued again by submitit, and goes on with the next step.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import submitit
from rich.console import Console
from submitit.helpers import DelayedSubmission

from fer_bench.library.fingerprint import engine_hash
from fer_bench.runs.plan import Plan, make_plans
from fer_bench.runs.request import Request
from fer_bench.runs.settings import Settings, resolve
from fer_bench.runs.test_faces import keep_all

SIGNAL = signal.SIGUSR2  # what submitit has the cluster send before it takes the machine away
LINGER_SECONDS = 60.0  # after SIGTERM, for the cluster to end the task: one that ends by itself would count as complete


class CodeChanged(Exception):
    """The code of a task is not that of its submission."""


def fingerprints(plans: list[Plan]) -> dict[str, str]:
    """The code that the runs depend on: engine and methods, each with its fingerprint."""
    return {"engine": engine_hash(), **{f"method {plan.method.name}": plan.method.code for plan in plans}}


@dataclass(frozen=True)
class Task(submitit.helpers.Checkpointable):
    """What submitit stores and calls. number of tasks; code, runs: fingerprints and ids at submission;
    gpus: CUDA_VISIBLE_DEVICES there, None if it was not set."""

    request: Request
    settings: Settings
    number: int
    tasks: int
    code: dict[str, str]
    runs: tuple[str, ...]
    gpus: str | None = None

    def __call__(self) -> dict[str, int]:
        """Work until the list is walked or the time is over; returns how many runs ended in which way."""
        from fer_bench.runs.check import check_networks, loadable
        from fer_bench.runs.dispatch import on_device
        from fer_bench.runs.progress import Display
        from fer_bench.runs.worker import work

        after_fork_ignore_the_signal()
        self.see_gpus()
        plans = make_plans(self.request, print)
        self.refuse_other_code(plans)
        self.refuse_other_runs(plans)
        plans = [plan for plan in plans if plan.spec.id in self.runs]
        plans = loadable(plans, print)
        settings = on_device(resolve(self.settings, plans), self.number)
        check_networks(plans)
        display = Display(len(plans), Console(width=200, force_terminal=False))
        offset = self.number * len(plans) // self.tasks
        told = listen(lambda asked: work(plans, offset, settings, display.emit, asked))
        if told:
            display.line("told to stop: what was done is on disk, the runs are given back")
            told()  # submitit's own handler: it queues this task again and ends the process
        keep_all(settings.store, plans, display.line)
        return dict(display.outcome())

    def see_gpus(self) -> None:
        """submitit hides all GPUs from local tasks that ask for none; here they see what the submission saw."""
        if os.environ.get("SUBMITIT_EXECUTOR") == "local" and os.environ.get("CUDA_VISIBLE_DEVICES") == "":
            del os.environ["CUDA_VISIBLE_DEVICES"]
            os.environ.update({} if self.gpus is None else {"CUDA_VISIBLE_DEVICES": self.gpus})

    def refuse_other_code(self, plans: list[Plan]) -> None:
        """Raise CodeChanged if anything that can change a number differs from the submission."""
        now = fingerprints(plans)
        changed = [name for name in self.code if self.code[name] != now.get(name)]
        if changed:
            raise CodeChanged(f"the code changed since the submission ({', '.join(changed)}): nothing was run; submit "
                              "again, or submit with --snapshot, which keeps the commit of the submission")

    def refuse_other_runs(self, plans: list[Plan]) -> None:
        """Raise CodeChanged if a recipe, a protocol, weights or data differ from the submission."""
        if missing := set(self.runs) - {plan.spec.id for plan in plans}:
            raise CodeChanged(f"{len(missing)} of {len(self.runs)} runs of the submission are other runs now: a "
                              "recipe, a protocol, the weights or the data changed since; nothing was run")

    def checkpoint(self) -> DelayedSubmission:
        """What submitit queues again: the same task, since all progress is on disk."""
        return DelayedSubmission(self)


def listen(run: Callable[[Callable[[], bool]], None]) -> Callable[[], Any] | None:
    """Call ``run`` with a function that says whether a signal has come; returns what is to be called now, if one has:
    after SIGNAL the handler that was there before. SIGTERM (scancel, or preemption without notice) alone means that the
    task is ended in a moment. Nothing is interrupted in the middle: steps are short."""
    came: dict[int, tuple[Any, ...]] = {}
    before = {number: signal.signal(number, lambda *arguments: came.setdefault(arguments[0], arguments))
              for number in (SIGNAL, signal.SIGTERM)}
    try:
        run(lambda: bool(came))
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
    again = before[SIGNAL]
    if SIGNAL in came and callable(again):
        return lambda: again(*came[SIGNAL])
    return (lambda: time.sleep(LINGER_SECONDS)) if came else None


def after_fork_ignore_the_signal() -> None:
    """The signal goes to the whole group; a forked child would run submitit's handler too."""
    os.register_at_fork(after_in_child=lambda: signal.signal(SIGNAL, signal.SIG_IGN))
