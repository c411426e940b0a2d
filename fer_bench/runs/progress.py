"""What a user sees while runs go on: a bar per run on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

Event = dict[str, Any]


class Display:
    """Turns the events of workers into bars or lines, and counts how runs ended."""

    def __init__(self, total: int, console: Console) -> None:
        self.total, self.console = total, console
        self.ended: dict[str, str] = {}
        self.titles: dict[str, str] = {}
        self.tasks: dict[str, TaskID] = {}
        self.epochs: dict[str, int] = {}
        self.begun: dict[str, tuple[int, float]] = {}
        self.started = time.monotonic()
        self.progress = Progress(
            TextColumn("{task.description}"), BarColumn(bar_width=20), MofNCompleteColumn(),
            TextColumn("{task.fields[numbers]}"), TimeRemainingColumn(), console=console, transient=True)

    def emit(self, event: Event) -> None:
        """Show one event; its kinds are those of worker.py."""
        getattr(self, "on_" + event["kind"], self.on_end)(event)

    def on_warning(self, event: Event) -> None:
        if self.ended.get(event["run"]) == "failed":
            return  # said already; another worker passed by
        self.console.print(event["text"], style="yellow", markup=False, highlight=False, soft_wrap=True)

    def on_start(self, event: Event) -> None:
        run = event["run"]
        self.titles[run], self.epochs[run] = event["title"], event["epochs"]
        self.begun.pop(run, None)
        if self.console.is_terminal:
            self.tasks[run] = self.progress.add_task(event["title"], total=event["epochs"], numbers="")

    def on_epoch(self, event: Event) -> None:
        run = event["run"]
        numbers = (f"loss {event['loss']:.3f}  overall {100 * event['overall']:.2f} %  mean {100 * event['mean']:.2f} %"
                   f"  {event['images_per_second']:.0f} images/s")
        if run in self.tasks:
            self.progress.update(self.tasks[run], completed=event["epoch"], numbers=numbers)
        else:
            self.line(f"{self.titles[run]}  epoch {event['epoch']}/{self.epochs[run]}  {numbers}  {self.rest(event)}")

    def on_end(self, event: Event) -> None:
        run, kind = event["run"], event["kind"]
        if self.ended.get(run) not in (None, "skipped", "busy"):
            return  # another worker ended it; this one only passed by
        self.ended[run] = kind
        if run in self.tasks:
            self.progress.remove_task(self.tasks.pop(run))
        if kind in ("done", "conflict"):
            finished = sum(1 for k in self.ended.values() if k != "busy")
            self.line(f"{self.titles.get(run, run)}: {kind}  ({finished} of {self.total} runs, {self.left(finished)})")

    def rest(self, event: Event) -> str:
        """Time left of a run, from the epochs after the first it was seen to end; nothing before that."""
        first, begun = self.begun.setdefault(event["run"], (event["epoch"], time.monotonic()))
        done, left = event["epoch"] - first, self.epochs[event["run"]] - event["epoch"]
        return duration((time.monotonic() - begun) / done * left) if done and left else ""

    def left(self, finished: int) -> str:
        """Time left, from the runs that were really done in this call."""
        if finished == self.total:
            return "all finished"
        done = sum(1 for k in self.ended.values() if k == "done")
        seconds = (time.monotonic() - self.started) / max(done, 1) * (self.total - finished)
        return duration(seconds)

    def line(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def outcome(self) -> Counter[str]:
        """How many runs ended in which way."""
        return Counter(self.ended.values())

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show bars while the block runs."""
        if self.console.is_terminal:
            with self.progress:
                yield
        else:
            yield


def duration(seconds: float) -> str:
    """"about 40 s left" or "about 3 min left"."""
    return f"about {seconds / 60:.0f} min left" if seconds >= 90 else f"about {seconds:.0f} s left"
