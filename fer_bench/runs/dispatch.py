"""Where runs happen: in this process, or in several local processes that share the list through claims."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import sys
from dataclasses import replace
from typing import Any

from fer_bench.engine.device import spread
from fer_bench.runs.plan import Plan
from fer_bench.runs.settings import Settings
from fer_bench.runs.worker import DeviceLost, Emit, work


def cores() -> int:
    """Processor cores this process may use; a Slurm task those it asked for."""
    if "SLURM_CPUS_PER_TASK" in os.environ:
        return int(os.environ["SLURM_CPUS_PER_TASK"])
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_plans(plans: list[Plan], settings: Settings, emit: Emit) -> None:
    """Do the runs: one job here, several in processes of their own.

    On KeyboardInterrupt the workers stop too; what they did is on disk.
    """
    jobs = settings.jobs
    if jobs <= 1:
        work(plans, 0, settings, emit)
        return
    context = multiprocessing.get_context("spawn")
    events: Any = context.Queue()
    workers = [context.Process(target=_worker, args=(plans, k * len(plans) // jobs, on_device(settings, k), events))
               for k in range(jobs)]
    for worker in workers:
        worker.start()
    try:
        _forward(workers, events, emit)
    except KeyboardInterrupt:
        for worker in workers:
            worker.terminate()  # Ctrl-C reached them too; a signal to this process alone did not
        for worker in workers:
            worker.join()
        raise


def on_device(settings: Settings, worker: int) -> Settings:
    """The settings of one of several workers: they take the machine's GPUs in turn."""
    return replace(settings, device=spread(settings.device, worker))


def _worker(plans: list[Plan], offset: int, settings: Settings, events: Any) -> None:
    def emit(event: dict[str, Any]) -> None:
        parent = multiprocessing.parent_process()
        if parent is not None and not parent.is_alive():
            raise KeyboardInterrupt  # nobody reads any more; the epoch is on disk
        events.put({**event, "process": os.getpid()})

    stop_on_terminate()
    try:
        work(plans, offset, settings, emit)
    except KeyboardInterrupt:
        events.cancel_join_thread()
    except DeviceLost as error:
        emit({"kind": "warning", "run": None, "text": str(error)})
        sys.exit(1)


def stop_on_terminate() -> None:
    """Let SIGTERM end this process as Ctrl-C does: claims are released, nothing is half-written."""
    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def _forward(workers: list[Any], events: Any, emit: Emit) -> None:
    """Hand the workers' events on until all have ended; say when one was killed."""
    while True:
        alive = any(worker.is_alive() for worker in workers)
        try:
            while True:
                emit(events.get(timeout=0.2 if alive else 0.05))
        except queue.Empty:
            pass
        if not alive:
            break
    for worker in workers:
        if worker.exitcode:
            emit({"kind": "warning", "run": None, "text": f"a worker process ended with status {worker.exitcode}; run "
                  "the same command again to go on from what was saved"})
