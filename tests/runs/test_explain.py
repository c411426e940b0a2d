"""explain, verify, prune, status: what they say of done, failed, lost, running and absent runs."""

from __future__ import annotations

import json
import shutil

import pytest
from tinyfolder import Place, call, refused

from fer_bench.runs import store as store_module
from fer_bench.runs.explain import differences
from fer_bench.runs.store import Store, read_heads, read_records


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    place = Place(tmp_path_factory.mktemp("explain"), epochs=2)
    assert call(*place.words("--method", "ce,nla", "--protocol", "noise30", "--set", "lam=0.3", results="all")) == 0
    return place


def folders(place: Place, name: str = "all") -> list[str]:
    return ["--results", str(place.root / name), "--work", str(place.root / "work" / name)]


def store_of(place: Place, name: str = "all") -> Store:
    return Store(place.root / name, place.root / "work" / name)


def ids(place: Place) -> list[str]:
    return [record["id"] for record in place.records("all")]


def test_a_finished_run_is_explained(place, capsys):
    run = ids(place)[1]
    assert call("explain", run[:5], *folders(place)) == 0
    shown = capsys.readouterr().out
    assert f"{run}: done" in shown and "nla lam=0.3, protocol noise30" in shown and "only reads it" in shown


def test_two_runs_differ_in_what_was_changed_alone(place, capsys):
    one = store_of(place).record(ids(place)[1])
    assert call(*place.words("--method", "nla", "--protocol", "noise30", "--set", "lam=0.4", results="all")) == 0
    other = next(r for r in place.records("all") if r["label"] == "nla lam=0.4")
    capsys.readouterr()
    assert call("explain", one["id"], other["id"], *folders(place)) == 0
    assert capsys.readouterr().out.strip().splitlines()[-1] == "method.parameters.lam: 0.3 | 0.4"
    store_of(place).record_path(other["id"]).unlink()
    shutil.rmtree(store_of(place).run_folder(other["id"]))


def test_each_state_says_what_the_next_call_does(place, tmp_path, capsys):
    shutil.copytree(place.root / "work" / "all", tmp_path / "work")
    store, run = Store(tmp_path / "results", tmp_path / "work"), ids(place)[0]
    words = ["explain", run, "--results", str(store.results), "--work", str(store.work)]
    call(*words)
    assert "lost" in (shown := capsys.readouterr().out) and "epoch 2/2" in shown
    assert "goes on from its state of 0 min ago" in shown
    claim = store.claim(run)
    call(*words)
    assert "last heard of 0 s ago" in (shown := capsys.readouterr().out) and "other calls leave it alone" in shown
    claim.release()
    store.write_error(run, "ValueError: as planned", "Traceback")
    call(*words)
    assert "failed (ValueError: as planned)" in (shown := capsys.readouterr().out) and "--retry failed" in shown


def test_an_unknown_or_ambiguous_id_is_refused(place, capsys):
    assert "not under" in refused(capsys, "explain", "zz", *folders(place))
    assert "2 ids begin so" in refused(capsys, "explain", "", *folders(place))
    assert "expected one, or two" in refused(capsys, "explain", "a", "b", "c", *folders(place))


def again(place: Place, run: str, name: str = "all") -> list[str]:
    return ["verify", run, *folders(place, name), "--dataset", f"folder:{place.data}", "--recipe", str(place.recipe),
            "--cache", str(place.cache), "--device", "cpu"]


def test_a_run_that_repeats_is_verified(place, capsys):
    run = ids(place)[1]
    assert call(*again(place, run)) == 0
    assert f"{run}: the same bits" in capsys.readouterr().out
    assert not list((place.root / "work" / "all" / "verify").glob("*")), "nothing is left behind"


def test_a_run_that_does_not_repeat_is_a_conflict_with_the_first_difference(place, tmp_path, capsys):
    shutil.copytree(place.root / "all", place.root / "tampered")
    run = ids(place)[0]
    path = store_of(place, "tampered").record_path(run)
    record = json.loads(path.read_text())
    loss = record["result"]["curve"][1]["loss"]
    record["result"]["curve"][1]["loss"] = loss * (1 + 1e-9)
    path.write_text(store_module.render_record(record))
    assert call(*again(place, run, "tampered")) == 1
    shown = capsys.readouterr()
    assert "another result" in shown.out and "first difference in epoch 2: loss" in shown.err
    assert json.loads(path.read_text()) == record and len(list(path.parent.glob(f"{run}.conflict-*.json"))) == 1


def test_a_run_that_would_be_another_one_here_is_refused_with_the_reason(place, capsys):
    shutil.copytree(place.root / "all", place.root / "older")
    store = store_of(place, "older")
    record = json.loads(store.record_path(ids(place)[0]).read_text())
    record["spec"]["code"]["engine"] = "0" * 12
    record["id"] = "feedfeedfeedfeed"
    store.write_record(record)
    line = refused(capsys, *again(place, "feed", "older"))
    assert "code.engine is" in line and "'000000000000' in the record" in line
    assert call("explain", "feed", *folders(place, "older")) == 0
    assert "this one would not be made again" in capsys.readouterr().out


def test_pruning_frees_the_work_of_finished_runs_alone(place, tmp_path, capsys):
    for name in ("results", "work"):
        shutil.copytree(place.root / ("all" if name == "results" else "work/all"), tmp_path / name)
    store = Store(tmp_path / "results", tmp_path / "work")
    done, open_ = ids(place)
    store.record_path(open_).unlink()
    words = ["prune", "--results", str(store.results), "--work", str(store.work)]
    assert call(*words, "--dry-run") == 0 and "would free" in capsys.readouterr().out
    assert (store.run_folder(done) / "checkpoint.pt").exists()
    assert call(*words) == 0 and "of 1 finished run(s)" in capsys.readouterr().out
    assert not store.run_folder(done).exists() and (store.run_folder(open_) / "checkpoint.pt").exists()
    assert store.record(done) is not None


def test_heads_are_those_of_the_records(place, tmp_path):
    heads, records = read_heads(place.root / "all"), read_records(place.root / "all")
    assert heads == [{key: record[key] for key in ("id", "label", "spec")} for record in records]
    shutil.copytree(place.root / "all", tmp_path / "all")
    other, cut = sorted((tmp_path / "all" / "records").rglob("*.json"))
    other.write_text(json.dumps(json.loads(other.read_text())))  # another layout of the same JSON
    cut.write_text(cut.read_text()[:-3])
    said: list[str] = []
    assert read_heads(tmp_path / "all", said.append) == [h for h in heads if h["id"] == other.stem] and len(said) == 1


def test_status_over_a_mixed_folder(place, tmp_path, capsys):
    work = tmp_path / "work"
    shutil.copytree(place.root / "work" / "all", work)
    store = Store(tmp_path / "results", work)
    one, other = ids(place)
    store.write_error(one, "ValueError: as planned", "Traceback")
    claim = store.claim(other)
    assert call("status", "--results", str(store.results), "--work", str(work)) == 0
    shown = capsys.readouterr().out
    assert "1 running, 1 failed" in shown and "failed: ValueError: as planned" in shown and "epoch 2/2" in shown
    assert "1 running" in shown and "nla lam=0.3" in shown
    claim.release()


def test_watching_ends_when_nothing_runs(place, capsys):
    assert call("status", "--watch", *folders(place)) == 0
    assert "2 done" in capsys.readouterr().out


def test_differences_name_the_key():
    one, other = {"a": {"b": 1, "c": [1, 2]}, "d": None}, {"a": {"b": 2, "c": [1, 2]}, "e": 3}
    assert differences(one, other) == [("a.b", 1, 2), ("e", None, 3)]
    assert differences(one, one) == []


def test_the_work_folder_is_not_needed(place, tmp_path, capsys):
    assert call("explain", ids(place)[0], "--results", str(place.root / "all"), "--work", str(tmp_path / "x")) == 0
    assert "done" in capsys.readouterr().out
