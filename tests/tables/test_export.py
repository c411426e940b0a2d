"""Records and curves in other programs' forms: read back by their own readers."""

import json

import pandas as pd
import pytest
from made_records import CLASSES, metrics, noise, record

from fer_bench.errors import UserError
from fer_bench.tables.export import check_format, export_records


def made():
    """Two runs of two epochs; one class without a face, one run with a validation set and a label that is no path."""
    records = [record("nla", 0.8, 0.7, seed=3, best=0.9, parameters={"lam": 0.5}),
               record("ce", 0.6, 0.5, val=0.55, content=noise(0.3), overrides={"x": "../../up"})]
    recall = [0.5, None, *[0.25] * 5]
    for number, one in enumerate(records):
        one["result"]["curve"] = [{**metrics(0.1 * epoch + number / 100, 0.2, epoch, recall), "loss": 1 / epoch,
                                   "lr": 0.1} for epoch in (1, 2)]
    return records


READERS = {"csv": pd.read_csv, "json": lambda path: pd.read_json(path, precise_float=True), "parquet": pd.read_parquet}


@pytest.mark.parametrize("format", READERS)
def test_frames_come_back(format, tmp_path):
    paths = export_records(made(), format, tmp_path / "new" / "folder")
    runs, curves = (READERS[format](path) for path in paths)
    assert [path.name for path in paths] == [f"runs.{format}", f"curves.{format}"]
    assert runs["run"].tolist() == [r["id"] for r in made()]
    assert runs["overall"].tolist() == [0.8, 0.6] and runs["best_overall"].tolist() == [0.9, 0.6]
    assert runs["val_overall"].isna().tolist() == [True, False] and runs["seed"].tolist() == [3, 0]
    assert json.loads(runs["parameters"][0]) == {"lam": 0.5}
    assert curves["epoch"].tolist() == [1, 2, 1, 2] and curves["loss"].tolist() == [1, 0.5, 1, 0.5]
    assert curves["overall"].tolist() == pytest.approx([0.1, 0.2, 0.11, 0.21], abs=1e-12)
    assert curves["recall:surprise"].tolist() == [0.5] * 4 and curves["recall:fear"].isna().all()
    assert {f"recall:{name}" for name in CLASSES} <= set(runs.columns)
    assert not list(tmp_path.glob("**/.*")), "nothing half-written is left"


def test_files_are_written_over_and_the_same_again(tmp_path):
    first = [path.read_bytes() for path in export_records(made(), "csv", tmp_path)]
    assert [path.read_bytes() for path in export_records(made(), "csv", tmp_path)] == first


def test_tensorboard_reads_the_curves(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    nla, ce = export_records(made(), "tensorboard", tmp_path / "logs")
    assert nla.relative_to(tmp_path).parts[:3] == ("logs", "synthetic", "clean")
    assert ce.resolve().is_relative_to(tmp_path / "logs" / "synthetic" / "noise30"), "no name leads out of the folder"
    events = EventAccumulator(str(nla))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("train/loss")] == [(1, 1.0), (2, 0.5)]
    assert [e.value for e in events.Scalars("test/overall")] == pytest.approx([0.1, 0.2])
    assert "recall/surprise" in events.Tags()["scalars"] and "recall/fear" not in events.Tags()["scalars"]


def test_what_cannot_be_written_is_one_line(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="unknown format 'exel'"):
        check_format("exel", tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        export_records(made(), "csv", tmp_path / "file")
    with pytest.raises(UserError, match="is there already"):
        export_records(made(), "tensorboard", tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"needs pyarrow.*pip install 'fer-bench\[report\]'"):
        check_format("parquet", tmp_path)
