"""When a run's state is saved, and by whom: by time, from copies, on a thread of its own that holds up no step."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_map

from fer_bench.engine import checkpoint

EVERY = 60.0  # seconds of work that a kill may cost
State = dict[str, Any]


def always() -> bool:
    """A run that nobody else can take over."""
    return True


class Saver:
    """Saves one run's state into ``folder``, at most every ``every`` seconds.

    held: whether the run is still ours; asked before a written checkpoint takes its place. warn: hears of a save that
    failed when the run was over anyway.
    """

    def __init__(self, folder: Path, every: float = EVERY, held: Callable[[], bool] = always,
                 warn: Callable[[str], None] = lambda line: None) -> None:
        self.folder, self.every, self.held, self.warn = folder, every, held, warn
        self.last = time.monotonic()
        self.writer = ThreadPoolExecutor(1, "checkpoint")
        self.writing: Future[None] | None = None
        self.kept: State | None = None  # of the last epoch's end, on the device, as long as it is not written

    def due(self) -> bool:
        """Whether it is time to save, and the last save is done. Raises OSError when that one failed."""
        if self.writing is not None and self.writing.done():
            self.wait()
        return self.writing is None and time.monotonic() - self.last >= self.every

    def save(self, state: State) -> None:
        """Write a state, which may change from now on. Raises OSError when the save before failed."""
        self.wait()
        copy = tree_map(lambda x: x.detach().to("cpu", copy=True) if isinstance(x, Tensor) else x, state)
        self.writing, self.kept = self.writer.submit(checkpoint.save, self.folder, copy, self.held), None
        self.last = time.monotonic()

    def keep(self, state: State) -> None:
        """The state after an epoch: written if it is time, else kept in case the next epoch is broken off. Raises
        OSError when the save before failed."""
        if self.due():
            self.save(state)
        else:
            self.kept = tree_map(lambda x: x.detach().clone() if isinstance(x, Tensor) else x, state)

    def wait(self) -> None:
        """Until the last save is done. Raises OSError when it failed."""
        if self.writing is not None:
            writing, self.writing = self.writing, None
            writing.result()

    def end(self, state: State | None) -> None:
        """Nothing more comes. state: what shall be on disk then, if anything. A failure is said, not raised."""
        try:
            if state is not None:
                self.save(state)
            self.wait()
        except (OSError, RuntimeError) as error:  # no room, or a device that is lost
            self.warn(f"the last state could not be saved ({str(error).splitlines()[0]})")
        finally:
            self.writer.shutdown()
