"""Records, claims and states: plain files that survive races, kills and damage."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_claims import RUN, dead_process, rewrite

from fer_bench.errors import UserError
from fer_bench.runs.spec import complete
from fer_bench.runs.store import Store, read_records


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results", tmp_path / "work")


def record(accuracy: float = 0.5, run: str = RUN) -> dict:
    return {"schema": 1, "id": run, "label": "ce", "spec": complete({"seed": 0, "recipe": {"lr": 1e-4}}),
            "result": {"last": {"overall": accuracy}, "curve": [{"epoch": 1}, {"epoch": 2}], "predictions": [0, 1]},
            "cost": {"seconds": 1.25}}


def test_a_record_is_read_as_it_was_written(store):
    assert store.record(RUN) is None and store.write_record(record()) == "written"
    assert store.record(RUN) == record() and store.record_path(RUN).parent.name == "ab"


def test_a_record_has_one_line_for_each_epoch(store):
    store.write_record(record())
    assert {'   {"epoch": 1},', '   {"epoch": 2}'} <= set(store.record_path(RUN).read_text().split("\n"))


def test_an_equal_result_is_the_same_record(store):
    store.write_record(record())
    assert store.write_record({**record(), "cost": {"seconds": 99}}) == "same"
    assert store.record(RUN)["cost"] == {"seconds": 1.25}


def test_a_different_result_is_kept_as_a_conflict_and_not_used(store):
    store.write_record(record(0.5))
    assert store.write_record(record(0.6)) == "conflict"
    said: list[str] = []
    assert read_records(store.results, said.append) == [record(0.5)]
    assert len(said) == 1 and "a second, different result of run " + RUN in said[0]


def test_writing_leaves_no_other_file(store):
    for accuracy in (0.5, 0.5, 0.6):
        store.write_record(record(accuracy))
    assert len(list(store.record_path(RUN).parent.iterdir())) == 2


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"schema": 1}', '{"id": "other"}', "\x00\x01"])
def test_a_damaged_record_is_named_and_set_aside(store, damage):
    store.write_record(record())
    store.record_path(RUN).write_text(damage)
    said: list[str] = []
    assert store.record(RUN, said.append) is None and store.record(RUN) is None
    assert len(said) == 1 and f"{RUN}.json is damaged" in said[0]
    assert (store.record_path(RUN).parent / f"{RUN}.damaged").exists() and store.write_record(record()) == "written"


def test_a_truncated_record_is_left_out_of_tables(store):
    store.write_record(record())
    store.write_record(record(run="cd" + RUN[2:]))
    path = store.record_path(RUN)
    path.write_bytes(path.read_bytes()[:-20])
    said: list[str] = []
    assert [r["id"] for r in read_records(store.results, said.append)] == ["cd" + RUN[2:]]
    assert len(said) == 1 and str(path) in said[0]


def test_no_results_folder_holds_no_records(tmp_path):
    assert read_records(tmp_path / "absent") == []


def test_an_error_is_kept_read_and_forgotten(store):
    path = store.write_error(RUN, "NotFinite: in epoch 2", "Traceback ...")
    assert store.error(RUN) == "NotFinite: in epoch 2" and "Traceback" in path.read_text()
    store.clear_error(RUN)
    assert store.error(RUN) is None


def test_states_follow_the_files(store):
    seen = [store.state(RUN)]
    claim = store.claim(RUN)
    seen.append(store.state(RUN))
    rewrite(claim.path, pid=dead_process())
    seen.append(store.state(RUN))
    claim.path.unlink()
    (store.run_folder(RUN) / "checkpoint.pt").touch()
    seen.append(store.state(RUN))
    store.write_error(RUN, "x", "y")
    seen.append(store.state(RUN))
    store.write_record(record())
    seen.append(store.state(RUN))
    assert seen == ["absent", "running", "lost", "lost", "failed", "done"]


def test_folders_that_can_be_written_are_made_and_left_empty(store):
    store.check_writable()
    assert list((store.results / "records").iterdir()) == list(store.work.iterdir()) == []


@pytest.mark.parametrize("option", ["results", "work"])
def test_a_folder_that_cannot_be_written_is_named(tmp_path, option):
    (tmp_path / "file").touch()
    places = {"results": tmp_path / "results", "work": tmp_path / "work", option: tmp_path / "file" / "inner"}
    with pytest.raises(UserError, match=f"--{option} .*file.*cannot be written") as refused:
        Store(places["results"], places["work"]).check_writable()
    assert f"name another folder with --{option}" in str(refused.value)
