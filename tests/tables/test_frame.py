"""Records as a DataFrame."""

from made_records import record

from fer_bench.tables.frame import to_frame


def test_one_row_a_run_with_its_numbers():
    frame = to_frame([record("ce", 0.8, 0.7, seed=0), record("nla", 0.9, 0.8, seed=1)])
    assert frame["method"].tolist() == ["ce", "nla"]
    assert frame.groupby("method")["overall"].mean().to_dict() == {"ce": 0.8, "nla": 0.9}


def test_runs_without_validation_are_left_out():
    frame = to_frame([record("ce", val=0.75), record("nla")], select="val")
    assert frame["method"].tolist() == ["ce"] and frame["overall"].tolist() == [0.75]
