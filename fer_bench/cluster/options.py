"""What a task of an array asks the cluster for: ``--slurm partition=gpu,mem_gb=16`` or ``--slurm FILE.yaml``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fer_bench.errors import UserError, near
from fer_bench.protocols.reading import read_yaml

Count = Annotated[int, Field(ge=1)]


class Cluster(BaseModel):
    """The keys of ``--slurm``. Unknown ones are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    gpus_per_node: Annotated[int, Field(ge=0)] = 0
    cpus_per_task: Count = 1
    mem_gb: Annotated[float, Field(gt=0)] | None = None
    timeout_min: Count = 240
    signal_delay_s: Count = 90  # before the time limit, when a task is told to stop
    array_parallelism: Count = 256  # tasks at a time
    setup: tuple[str, ...] = ()  # shell lines before Python, e.g. "module load cuda"
    max_requeues: Annotated[int, Field(ge=0)] = 1000  # times that a task may run out of time and go on


EXECUTORS = ("slurm", "local", "debug")


@dataclass(frozen=True)
class Array:
    """How an array is submitted. tasks: 0 lets the suite choose. snapshot: run the present commit, whatever changes."""

    executor: str
    cluster: Cluster
    tasks: int = 0
    snapshot: bool = False


def parse_cluster(text: str) -> Cluster:
    """"partition=gpu,mem_gb=8" or the path of a YAML file. Raises UserError in one line."""
    if text.endswith((".yaml", ".yml")):
        values: dict[str, Any] = read_yaml(Path(text).expanduser(), "slurm")
    else:
        pairs = [part.partition("=") for part in text.split(",") if part.strip()]
        if bad := next((name for name, equals, _ in pairs if not equals), None):
            raise UserError(f"--slurm {bad}: expected key=value,... or a .yaml file; keys: "
                            f"{', '.join(Cluster.model_fields)}")
        values = {name.strip(): value.strip() for name, _, value in pairs}
        if "setup" in values:
            values["setup"] = [line.strip() for line in values["setup"].split(";")]
    for name in values:
        if name not in Cluster.model_fields:
            raise UserError(f"--slurm {name}: {near(str(name), Cluster.model_fields)}")
    try:
        return Cluster.model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        raise UserError(f"--slurm {problem['loc'][0]}={problem['input']}: {problem['msg'].lower()}") from None
