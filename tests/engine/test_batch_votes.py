"""Votes reach the batches of a method that needs them, face by face, and no other method's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from cases import CASES
from mutants import Plain
from tinydata import batches, begun, tiny_data, tiny_inputs, tiny_trainer

from fer_bench.errors import UserError


class Needs(Plain):
    """Cross-entropy that may look at votes."""

    needs_votes = True


def with_votes(votes: np.ndarray | None):
    data = tiny_data()
    return replace(data, train=replace(data.train, votes=votes))


def test_each_face_comes_with_its_votes_as_cast():
    trainer, given = tiny_trainer(Needs), tiny_data().train.votes
    for batch in batches(trainer.data, trainer.method, 1):
        assert batch.votes.dtype == torch.float32 and np.array_equal(batch.votes.numpy(), given[batch.index.numpy()])


def test_a_method_that_does_not_declare_them_gets_none():
    for batch in batches(tiny_trainer(Plain).data, begun(Plain, {}).method, 0):
        with pytest.raises(AssertionError, match="only for a method that has needs_votes = True"):
            _ = batch.votes


def test_faces_without_votes_are_refused_for_who_needs_them():
    with pytest.raises(UserError, match="needs annotators' votes, and these training faces have none"):
        tiny_trainer(Needs, data=with_votes(None))
    tiny_trainer(Plain, data=with_votes(None))


def test_another_run_in_the_same_place_has_its_own_votes():
    """What a recording reads stays where it is."""
    faces, case = tiny_data().train, CASES["votes-ce"]
    one, other = (replace(tiny_data(), train=faces.take(np.random.default_rng(n).permutation(94)[:60])) for n in (0, 1))
    trainer = tiny_trainer(*case, data=one)
    kept = trainer.data.votes
    assert trainer.take_over(tiny_inputs(*case, seed=1, data=other))
    assert trainer.data.votes is kept and np.array_equal(kept.numpy(), other.train.votes)


def test_a_run_without_votes_does_not_follow_one_with_them():
    assert not tiny_trainer(*CASES["votes-ce"]).take_over(tiny_inputs(*CASES["votes-ce"], data=with_votes(None)))


def test_votes_do_not_change_a_run_that_does_not_need_them():
    losses = []
    for data in (tiny_data(), with_votes(None)):
        trainer = begun(*CASES["ce"], data=data)
        trainer.advance(0)
        losses.append(float(trainer.losses[0]))
    assert losses[0] == losses[1]
