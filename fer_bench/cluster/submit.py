"""Submit an array of tasks and return: nothing depends on the submitting process."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from fer_bench.cluster.options import Array, Cluster
from fer_bench.data import catalog
from fer_bench.errors import UserError
from fer_bench.paths import PACKAGE
from fer_bench.runs.claims import started
from fer_bench.runs.jobs import Job, active_jobs
from fer_bench.runs.outcomes import open_tests
from fer_bench.runs.plan import Plan
from fer_bench.runs.request import Request
from fer_bench.runs.settings import Settings
from fer_bench.runs.store import Store
from fer_bench.weights.catalog import is_named

MOST_TASKS = 8  # of a submission that does not say how many
Say = Callable[[str], None]


def open_plans(plans: list[Plan], store: Store, retry: bool) -> list[Plan]:
    """The runs that are still to be done; failed ones only with ``retry``."""
    closed = () if retry else ("failed",)
    return [plan for plan in plans if store.state(plan.spec.id) not in closed
            and (not store.has_record(plan.spec.id) or open_tests(store.results, plan))]


def submit_plans(request: Request, plans: list[Plan], settings: Settings, array: Array, retry: bool,
                 say: Say) -> int:
    """Submit the open runs as one array."""
    waiting = open_plans(plans, settings.store, retry)
    for job in active_jobs(settings.store.work):
        if left := [plan for plan in waiting if plan.spec.id in job.runs]:
            say(f"{len(left)} run(s) are in {job.executor} job {job.job}, which is active: not submitted again")
            waiting = [plan for plan in waiting if plan.spec.id not in job.runs]
    if not waiting:
        states = Counter(settings.store.state(plan.spec.id) for plan in plans)
        failed = f", {states['failed']} failed (--retry failed runs them again)" if states["failed"] else ""
        say(f"nothing to submit: {states['done']} of {len(plans)} done{failed}")
        return 1 if states["failed"] else 0
    if request.plugins or request.settings or not is_named(request.weights):  # the user's own: tried here
        from fer_bench.runs.check import check_networks, check_parameters, loadable

        usable = loadable(waiting, say)
        check_networks(usable)
        check_parameters(usable)
    number = submit(request, waiting, settings, array, say, retry)
    print(f"{array.executor} job {number}: {describe_array(array, waiting)}")
    say(f"follow it with: run_bench.py status --results {settings.store.results} --work {settings.store.work}; end it "
        f"with: run_bench.py cancel {number} --work {settings.store.work}")
    return 0


def describe_array(array: Array, plans: list[Plan]) -> str:
    """An array in one line."""
    asked = [f"{key}={value}" for key, value in array.cluster.model_dump(exclude_defaults=True).items()]
    ending = f"; each asks for {', '.join(asked)}" if asked else ""
    return f"{task_count(array, len(plans))} task(s) for {len(plans)} run(s){ending}"


def task_count(array: Array, runs: int) -> int:
    """Tasks of an array for so many runs."""
    return min(array.tasks or MOST_TASKS, runs)


def submit(request: Request, plans: list[Plan], settings: Settings, array: Array, say: Say, retry: bool = False) -> str:
    """Submit one array for the open runs ``plans`` of a request; returns its number. Raises UserError.

    ``retry``: their failures are forgotten, once the submission has succeeded. The executor "debug" calls the tasks
    here, one after the other, and returns when they have ended.
    """
    executor = array.executor
    if executor == "slurm" and shutil.which("sbatch") is None:
        raise UserError("--slurm: no 'sbatch' on this machine; submit from a login node of the cluster, or use "
                        "--executor local")
    from fer_bench.cluster.task import Task, fingerprints

    root = make_snapshot(settings.store.work, say) if array.snapshot else PACKAGE.parent
    settings = replace(settings, store=Store(settings.store.results.absolute(), settings.store.work.absolute()))
    request, code, runs = absolute(request), fingerprints(plans), tuple(plan.spec.id for plan in plans)
    count = task_count(array, len(plans))
    tasks = [Task(request, settings, number, count, code, runs, os.environ.get("CUDA_VISIBLE_DEVICES"))
             for number in range(count)]
    if executor == "debug":
        for plan in plans if retry else ():
            settings.store.clear_error(plan.spec.id)
        for task in tasks:
            task()
        return executor
    with started_from(root):
        jobs = hand_over(tasks, executor, settings.store.work / "jobs" / "logs", array.cluster)
    for plan in plans if retry else ():
        settings.store.clear_error(plan.spec.id)
    number = str(jobs[0].job_id).split("_")[0]
    names = tuple(str(job.job_id) for job in jobs)
    births = tuple(started(int(name)) for name in names) if executor == "local" else ()
    Job(number, executor, names, runs, time.strftime("%Y-%m-%d %H:%M:%S"), code, births).write(settings.store.work)
    return number


def hand_over(tasks: list[Any], executor: str, logs: Path, cluster: Cluster) -> list[Any]:
    """Give tasks to submitit as one array; its jobs. Raises UserError with the cluster's own words."""
    known = set(logs.glob("*"))
    try:
        pool = make_executor(executor, logs, cluster)
        with silent(), interruptible(), pool.batch():
            return [pool.submit(task) for task in tasks]
    except Exception as error:  # submitit's own kinds, and RuntimeError where srun is missing
        for left in set(logs.glob("*")) - known:
            left.unlink()
        words = [line for line in str(error).splitlines() if line.strip()]
        raise UserError(f"--executor {executor}: the submission was refused ({' '.join(words[-1:])[:200]}); check the "
                        "keys of --slurm and that the cluster answers (sinfo)") from None


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Keep submitit from printing what it raises, and local tasks from holding on to this process's output: whoever
    reads it through a pipe would wait for their end."""
    kept, nowhere = {number: os.dup(number) for number in (1, 2)}, os.open(os.devnull, os.O_WRONLY)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            for number in kept:
                os.dup2(nowhere, number)
            yield
    finally:
        for number, copy in kept.items():
            os.dup2(copy, number)
            os.close(copy)
        os.close(nowhere)


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """A shell starts background commands with SIGINT ignored; local tasks would inherit that and ignore ``cancel``."""
    ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    if ignored:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        if ignored:
            signal.signal(signal.SIGINT, signal.SIG_IGN)


def make_executor(executor: str, logs: Path, cluster: Cluster) -> Any:
    """submitit's executor, told what each task needs."""
    import submitit

    pool = submitit.AutoExecutor(folder=logs, cluster=executor, **{f"{executor}_max_num_timeout": cluster.max_requeues})
    pool.update_parameters(name="fer_bench", timeout_min=cluster.timeout_min, cpus_per_task=cluster.cpus_per_task,
                           gpus_per_node=cluster.gpus_per_node)
    if executor != "slurm":
        return pool
    wanted = {"partition": cluster.partition, "account": cluster.account, "qos": cluster.qos,
              "constraint": cluster.constraint, "setup": list(cluster.setup) or None}
    pool.update_parameters(
        slurm_array_parallelism=cluster.array_parallelism, slurm_signal_delay_s=cluster.signal_delay_s,
        slurm_srun_args=[f"--cpus-per-task={cluster.cpus_per_task}"],  # since Slurm 22.05 srun must be told again
        **({"mem_gb": cluster.mem_gb} if cluster.mem_gb else {}),
        **{f"slurm_{key}": value for key, value in wanted.items() if value is not None})
    return pool


@contextlib.contextmanager
def started_from(root: Path) -> Iterator[None]:
    """Submit from a folder with the package in it: tasks inherit folder and environment, and import it from there."""
    before, path = Path.cwd(), os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(root), *([path] if path else [])])
    os.chdir(root)
    try:
        yield
    finally:
        os.chdir(before)
        if path is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = path


def absolute(request: Request) -> Request:
    """The request with every path complete, since tasks start elsewhere."""
    def whole(name: str) -> str:
        return str(Path(name).absolute()) if name.endswith((".yaml", ".yml")) else name

    def complete(path: Path | None) -> Path | None:
        return path.expanduser().absolute() if path is not None else None

    weights = request.weights
    if not is_named(weights):
        weights = str(Path(weights).expanduser().absolute())
    return replace(
        request, cache=request.cache.expanduser().absolute(), weights=weights,
        roots={name: path.expanduser().absolute() for name, path in request.roots.items()},
        noise_list=complete(request.noise_list), scores=complete(request.scores),
        plugins=tuple(path.absolute() for path in request.plugins),
        protocols=tuple(map(whole, request.protocols)), datasets=tuple(map(catalog.complete, request.datasets)),
        test_on=tuple(map(catalog.complete, request.test_on)),
        test_subsets={name: complete(file) for name, file in request.test_subsets.items()},
        recipe=whole(request.recipe) if request.recipe else None)


def make_snapshot(work: Path, say: Say) -> Path:
    """A worktree of the present commit under the work folder. Raises UserError if there is none, or files differ."""
    tree = PACKAGE.parent

    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(tree), *words], capture_output=True, text=True)
        if done.returncode:
            reason = " ".join(done.stderr.split())[:120]
            raise UserError(f"--snapshot: git {words[0]} failed ({reason}); it needs a git checkout of the suite")
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--", "fer_bench", "methods", "protocols")
    if changed:
        raise UserError(f"--snapshot: {len(changed.splitlines())} file(s) differ from the commit, first "
                        f"{changed.splitlines()[0].split()[-1]}; commit them first")
    commit = git("rev-parse", "HEAD")
    folder = work.resolve() / "snapshots" / commit[:12]
    if not (folder / "run_bench.py").exists():
        git("worktree", "prune")
        git("worktree", "add", "--detach", "--force", str(folder), commit)
        say(f"snapshot of commit {commit[:12]} in {folder}")
    return folder
