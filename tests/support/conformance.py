"""What every training method must keep to, as functions: ``check_...(method_class, parameters)`` raise AssertionError.

For the author of a method: ``check_all(MyMethod, {})`` runs them all in a few seconds.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import conformance_values
import numpy as np
import tinydata as tiny
import torch
from tinydata import CPU, Parameters, tiny_data, tiny_inputs, tiny_run, tiny_trainer, with_labels

from fer_bench.engine.data import make_clock
from fer_bench.engine.fit import fitting
from fer_bench.engine.keyed import generator
from fer_bench.engine.lane import Lane
from fer_bench.engine.trainer import Row, Trainer
from fer_bench.method import Batch


class Stop(Exception):
    """An interruption, as by a signal."""


def check_same_seed_same_result(method_class: Any, parameters: Parameters) -> None:
    expected = tiny.reference(method_class, parameters)
    tiny.disturb_global_rng(12345)
    found = tiny.outcome(tiny_run(tiny_inputs(method_class, parameters)))
    assert found == expected, "the same seed gave another result: draw all randomness in 'draw'"


def check_randomness_is_drawn(method_class: Any, parameters: Parameters) -> None:
    """The loss is the same whatever the global random state: all randomness comes from ``draw``."""
    losses = []
    for seed in (1, 2):
        trainer = tiny.begun(method_class, parameters)
        tiny.disturb_global_rng(seed)
        losses.append(tiny.next_loss(trainer))
    assert torch.equal(*losses), "the loss depends on the global random state: draw all randomness in 'draw'"


def check_other_seed_other_loss(method_class: Any, parameters: Parameters) -> None:
    losses = [tiny.next_loss(tiny.begun(method_class, parameters, seed=seed)) for seed in (0, 1)]
    assert not torch.equal(*losses), "another seed gave the same loss"


def check_resume_is_exact(method_class: Any, parameters: Parameters) -> None:
    """A run interrupted after every epoch ends as the one that was not."""
    expected, inputs, epochs = tiny.reference(method_class, parameters), tiny_inputs(method_class, parameters), []

    def interrupt(row: Row) -> None:
        epochs.append(row["epoch"])
        raise Stop

    with tempfile.TemporaryDirectory() as folder:
        for _ in range(inputs.recipe.epochs):
            try:
                tiny_run(inputs, Path(folder), interrupt)
            except Stop:
                tiny.disturb_global_rng(99)
        found = tiny.outcome(tiny_run(inputs, Path(folder)))
    assert epochs == [1, 2, 3], f"epochs {epochs} were trained instead of each once"
    assert found == expected, "a resumed run ends elsewhere: keep all state in parameters and buffers"


def check_resume_amid_an_epoch(method_class: Any, parameters: Parameters) -> None:
    """A run closed after some steps, again and again, ends as the one that was not."""
    expected, inputs, done = tiny.reference(method_class, parameters), tiny_inputs(method_class, parameters), 0
    with tempfile.TemporaryDirectory() as folder:
        for pauses in (2, 3, 7, 9):  # the last one in the third epoch
            steps = fitting(inputs, Lane(CPU), Path(folder), lambda row: None, lambda line: None)
            for _ in range(pauses):
                next(steps)
            steps.close()
            tiny.disturb_global_rng(done := done + pauses)
        found = tiny.outcome(tiny_run(inputs, Path(folder)))
    assert found == expected, "a run resumed amid an epoch ends elsewhere: keep all state in parameters and buffers"


def check_resume_after_damage(method_class: Any, parameters: Parameters) -> None:
    """With the latest checkpoint cut off, a run goes on from the one before and ends as ever."""
    expected, inputs = tiny.reference(method_class, parameters), tiny_inputs(method_class, parameters)
    warnings: list[str] = []
    epochs: list[int] = []

    def interrupt(row: Row) -> None:
        if row["epoch"] == 2:
            raise Stop

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            tiny_run(inputs, folder, interrupt, every=0)
        except Stop:
            whole = (folder / "checkpoint.pt").read_bytes()
            (folder / "checkpoint.pt").write_bytes(whole[: len(whole) // 2])
        found = tiny.outcome(tiny_run(inputs, folder, lambda row: epochs.append(row["epoch"]), warnings.append))
    assert len(warnings) == 1 and epochs == [2, 3], f"went on with epochs {epochs}, warnings {warnings}"
    assert found == expected, "a run resumed from the checkpoint before ends elsewhere"


def check_prediction_of_a_face_alone(method_class: Any, parameters: Parameters) -> None:
    """Logits do not depend on which faces share the batch, or on their order."""
    trainer = tiny.begun(method_class, parameters)
    tiny.train_epoch(trainer, 0)
    images = tiny_data().train.images[:24]
    together = tiny.predict(trainer, images)
    alone = np.concatenate([tiny.predict(trainer, image[None]) for image in images])
    backwards = tiny.predict(trainer, images[::-1].copy())[::-1]
    tolerance = 1e-5 * np.abs(together).max()
    for other in (alone, backwards):
        assert np.abs(together - other).max() <= tolerance, "the logits of a face depend on the rest of its batch"


def check_predicting_changes_nothing(method_class: Any, parameters: Parameters) -> None:
    trainer, twin = (tiny.begun(method_class, parameters) for _ in range(2))
    before = tiny.state_of(trainer)
    tiny.predict(trainer, tiny_data().train.images[:24])
    changed = tiny.changed(before, tiny.state_of(trainer))
    assert not changed, f"predict changed {changed}"
    assert torch.equal(tiny.next_loss(trainer), tiny.next_loss(twin)), "predict changed the next loss"


def check_labels_are_left_alone(method_class: Any, parameters: Parameters) -> None:
    """Relabelling is done in the method's own buffer."""
    contexts = []

    def spy(context: Any, **values: Any) -> Any:
        contexts.append(context)
        return method_class(context, **values)

    given = tiny_data().train.given.copy()
    trainer = tiny.begun(spy, parameters)
    for epoch in range(3):
        tiny.train_epoch(trainer, epoch)
    for what, labels in (("context.labels", contexts[0].labels), ("the training data", trainer.data.labels)):
        assert np.array_equal(labels.numpy(), given), f"the given labels in {what} were changed"
    assert np.array_equal(tiny_data().train.given, given), "the given labels were changed"
    batch = tiny.batch_of(trainer, 16)
    trainer.method.loss(batch, trainer.clock)
    assert np.array_equal(batch.labels.numpy(), given[:16]), "batch.labels were changed in place"


def check_true_labels_do_not_matter(method_class: Any, parameters: Parameters) -> None:
    """Neither the test labels nor the true training labels have a way into training."""
    if "oracle_rate" in parameters:  # a method that is told the true share of wrong labels, and marked for it
        parameters = {**parameters, "oracle_rate": False}
    expected, data = tiny.reference(method_class, parameters)["result"], tiny_data()
    data = with_labels(data, "test", np.roll(data.test.true, 1))
    data = with_labels(data, "train", np.roll(data.train.true, 1))
    found = tiny_run(tiny_inputs(method_class, parameters, data=data))["result"]
    assert found["predictions"] == expected["predictions"], "predictions depend on labels no method may see"
    assert [r["loss"] for r in found["curve"]] == [r["loss"] for r in expected["curve"]], "losses depend on them"


def check_no_host_reads(method_class: Any, parameters: Parameters) -> None:
    """``loss`` and ``after_step`` run where tensors have no values to read or to branch on: the meta device."""
    meta, size, inputs = torch.device("meta"), 16, tiny_inputs(method_class, parameters)
    trainer = Trainer(replace(inputs, make_backbone=tiny.plain_backbone), Lane(CPU))
    trainer.begin(0)
    images = tiny.batch_of(trainer, size).images.to(meta)
    method = trainer.method.to(meta)
    draws = {name: value.to(meta) for name, value in method.draw(generator("meta"), size).items()}
    rows = torch.zeros(size, dtype=torch.int64, device=meta)
    clock = make_clock(3, 6, meta)
    votes = torch.ones(size, len(tiny.CLASSES), device=meta)
    try:
        method.loss(Batch(images, rows, rows.clone(), draws, lambda: torch.empty_like(images),
                          lambda name: torch.empty_like(images), votes), clock).backward()
        with torch.no_grad():
            method.after_step(clock)
    except (RuntimeError, NotImplementedError) as error:
        reason = str(error).split("\n")[0]
        raise AssertionError(f"a tensor's values were read, or a tensor is on another device: {reason}") from error


def check_batch_of_one(method_class: Any, parameters: Parameters) -> None:
    trainer = tiny.begun(method_class, parameters)
    loss = trainer.method.loss(tiny.batch_of(trainer, 1), trainer.clock)
    loss.backward()
    trainer.optimiser.step()
    assert torch.isfinite(loss), f"the loss of a batch of one face is {float(loss.detach())}"
    assert all(torch.isfinite(p).all() for p in trainer.method.parameters()), "its gradient is not finite"


def check_bf16(method_class: Any, parameters: Parameters) -> None:
    """With a bfloat16 backbone the loss and the logits are still float32 and finite."""
    trainer = tiny.begun(method_class, parameters, bf16=True)
    loss, _ = trainer.step(16)
    assert loss.dtype == torch.float32 and torch.isfinite(loss), f"loss {loss}"
    trainer.method.eval()
    logits = trainer.method.predict(tiny.batch_of(trainer, 16).images)
    assert logits.dtype == torch.float32 and torch.isfinite(logits).all(), f"logits are {logits.dtype}"


def check_copy_and_state_dict(method_class: Any, parameters: Parameters) -> None:
    """A deep copy, and another instance with the same state_dict, go on in the same way."""
    trainer = tiny.begun(method_class, parameters)
    tiny.train_epoch(trainer, 0)
    twin, fresh = copy.copy(trainer), tiny_trainer(method_class, parameters, seed=5)
    twin.method = copy.deepcopy(trainer.method)
    fresh.method.load_state_dict(copy.deepcopy(trainer.method.state_dict()), strict=True)
    fresh.data = trainer.data
    loss = tiny.next_loss(trainer)
    assert torch.equal(loss, tiny.next_loss(twin)), "a deep copy has another loss"
    assert torch.equal(loss, tiny.next_loss(fresh)), "the state_dict does not hold all of the method's state"


CHECKS: list[Callable[[Any, Parameters], None]] = [
    function for name, function in {**globals(), **vars(conformance_values)}.items() if name.startswith("check_")
]


def check_all(method_class: Any, parameters: Parameters) -> None:
    """Every check above."""
    for check in CHECKS:
        check(method_class, parameters)
