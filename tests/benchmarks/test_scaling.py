"""The scaling benchmark: its exponents on made numbers, its memory limits, its children, and the command itself."""

from __future__ import annotations

import contextlib
import json
import mmap
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from common.child import Failed, ask  # noqa: E402
from scaling import suite  # noqa: E402
from scaling.fit import QUANTITIES, Quantity, exponent, upper_half, verdict, verdicts  # noqa: E402
from scaling.limit import Group, limited, places  # noqa: E402
from scaling.made import made_records, write_faces, write_records  # noqa: E402
from scaling.measured import Measured, rss_anon  # noqa: E402
from scaling.report import table  # noqa: E402

SIZES = [10**k for k in range(2, 8)]
linux = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")


def points(function, growth: str = "linear", unit: str = "seconds") -> dict:
    made = [{"part": "p", "n": n, "x": n, unit: {"q": function(n)}} for n in SIZES]
    return verdict(Quantity("p", "q", growth, unit), made)


@pytest.mark.parametrize("power", [0, 0.5, 1, 2])
def test_the_exponent_of_a_power_is_that_power(power: float) -> None:
    assert exponent(SIZES, [3 * n**power for n in SIZES]) == pytest.approx(power, abs=1e-9)


def test_only_the_upper_half_counts_and_noise_below_the_floor_does_not() -> None:
    assert [upper_half(count) for count in (1, 2, 3, 4, 5, 6, 9)] == [1, 2, 3, 3, 3, 3, 5]
    assert exponent(SIZES, [7, 7, 7, *SIZES[3:]]) == pytest.approx(1)
    assert exponent(SIZES[::-1], [*SIZES[3:][::-1], 7, 7, 7]) == pytest.approx(1)  # whatever the order
    assert exponent(SIZES, [1e-9 * n for n in SIZES], floor=1.0) == pytest.approx(0, abs=0.5)
    assert exponent([5, 5], [1, 2]) is None
    with pytest.raises(ValueError, match="above 0"):
        exponent(SIZES, [0] * 6)


def test_a_quadratic_series_is_flagged() -> None:
    assert points(lambda n: 1e-3 * n**2)["ok"] is False
    assert points(lambda n: 1e-3 * n**1.2)["ok"] is False
    assert points(lambda n: 1e-3 * n * np.log(n))["ok"] is True
    assert points(lambda n: 1e-3 * n)["ok"] is True
    assert points(lambda n: 1e-3 * n, "sublinear")["exponent"] == pytest.approx(1)
    assert points(lambda n: 1e-3 * n**1.05, "sublinear")["ok"] is False
    assert points(lambda n: 1e-3 * n, "flat")["ok"] is False
    assert points(lambda n: 5.0, "flat", "megabytes")["ok"] is True


def test_one_quadratic_quantity_makes_the_benchmark_fail() -> None:
    def found(power: float) -> dict:
        made = [{"part": "records", "n": n, "x": n, "seconds": {"table": 1e-3 * n**power}, "megabytes": {}}
                for n in (100, 1000, 10_000)]
        return {"points": made, "affectnet": None, "exponents": verdicts(made), "seconds": 1.0}

    assert suite.passed(found(1.0)) and not suite.passed(found(2.0))
    assert "TOO FAST" in table(found(2.0)) and "TOO FAST" not in table(found(1.0))
    assert not suite.passed({**found(1.0), "affectnet": {"failed": "killed"}})
    whole = {"whole epoch": True, "imb50": {"copied": False}}
    assert suite.passed({**found(1.0), "affectnet": whole})
    assert not suite.passed({**found(1.0), "affectnet": {**whole, "imb50": {"copied": True}}})
    assert not suite.passed({**found(1.0), "points": [{"part": "records", "n": 1, "failed": "no"}]})


@linux
def test_memory_is_watched() -> None:
    assert rss_anon() > 1e6
    with Measured(every=0.01) as memory:
        block = mmap.mmap(-1, 200_000_000, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)  # malloc may hand out freed memory
        np.frombuffer(block, np.uint8)[:] = 1
        assert 180e6 < memory.growth() < 260e6
        block.close()
    assert memory.growth() < 100e6 and memory.peak() > 180e6 and memory.megabytes["peak"] > 180


def test_where_a_limit_can_be_set(tmp_path: Path) -> None:
    own = tmp_path / "cgroup"
    own.write_text("5:cpu:/a\n4:memory:/a/b\n0::/\n")
    (tmp_path / "memory" / "a" / "b").mkdir(parents=True)
    assert places(tmp_path, own) == [(tmp_path / "memory" / "a" / "b", 1)]
    own.write_text("0::/user/session\n")
    assert places(tmp_path, own) == []
    (tmp_path / "cgroup.controllers").write_text("memory")
    (tmp_path / "user" / "session").mkdir(parents=True)
    assert places(tmp_path, own) == [(tmp_path / "user" / "session", 2), (tmp_path / "user", 2)]
    assert places(tmp_path, tmp_path / "absent") == []


def test_a_limit_is_set_and_its_group_removed(tmp_path: Path) -> None:
    with limited(5000, [(tmp_path / "absent", 1), (tmp_path, 2)]) as group:
        assert group is not None and group.version == 2
        limit = group.folder / "memory.max"
        assert group.read("limit") == 5000 and group.read("peak") is None
        limit.unlink()  # in a real group such files go by themselves
    assert not group.folder.exists()
    with limited(5000, []) as group:
        assert group is None


def test_a_child_that_fails_or_dies_says_so() -> None:
    with pytest.raises(Failed, match="FileNotFoundError: .*nowhere"):
        ask("builtins:open", "/nowhere")
    with pytest.raises(Failed, match="ended with status 7"):
        ask("os:_exit", 7)


def test_made_faces_and_records_are_what_the_suite_reads(tmp_path: Path) -> None:
    from fer_bench.data.pack import open_pack
    from fer_bench.runs.store import read_records
    from fer_bench.tables import make_table

    write_faces(tmp_path / "faces", 60, 12, 16, 3, 4, forget=True)
    pack = open_pack(tmp_path / "faces")
    assert pack.train.images.shape == (60, 16, 16, 3) and isinstance(pack.train.images, np.memmap)
    assert np.bincount(pack.train.labels).tolist() == [15] * 4 and len(set(pack.train.ids)) == 60
    assert len(np.unique(pack.test.images)) > 200
    size = write_records(tmp_path, made_records(60, 3, full=True))
    records = read_records(tmp_path / "results")
    assert len(records) == 60 and size / 60 > 5000
    made = make_table(records, "comparison")
    assert len(made.sections) == 4 and all(len(section.rows) == 3 for section in made.sections)


def test_the_small_benchmark_runs_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / "deep" / "scaling.json"
    words = ["--small", "--only", "images,records", "--out", str(out), "--scratch", str(tmp_path)]
    status = suite.main(words, {"images": (400, 800), "records": (20, 40)})
    found = json.loads(out.read_text())
    assert [(p["part"], p["n"]) for p in found["points"]] == [("images", 400), ("images", 800), ("records", 20),
                                                              ("records", 40)]
    assert not any("failed" in p for p in found["points"]), found["points"]
    measured = {(row["part"], row["name"]): row for row in found["exponents"]}
    expected = {(q.part, q.name) for q in QUANTITIES if q.part in ("images", "records")}
    assert measured.keys() == expected and all(len(row["values"]) == 2 for row in found["exponents"])
    assert all(p["images_per_second"] > 0 for p in found["points"][:2])
    assert found["machine"]["device"] and found["versions"]["torch"] and found["settings"]["small"] == "True"
    assert status == (0 if suite.passed(found) else 1)
    printed = capsys.readouterr()
    assert "prepare noise30, s" in printed.out and "records 40:" in printed.err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["deep"], "scratch files were left"


def test_unknown_parts_are_refused(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        suite.parse(["--only", "images,fish"])
    assert "fish" in capsys.readouterr().err


@pytest.mark.slow
def test_a_small_affectnet_is_trained_on_within_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "AFFECTNET", {True: (1500, 60, 3, 1 << 30)})
    groups: list[Group | None] = []

    @contextlib.contextmanager
    def noted(size: int) -> Iterator[Group | None]:
        with limited(size) as group:
            groups.append(group)
            yield group

    monkeypatch.setattr(suite, "limited", noted)
    found = suite.affectnet(tmp_path, True, 0.0)
    assert "failed" not in found, found
    assert found["whole epoch"] and found["faces touched"] == 1500 and found["images/s of steps"] > 0
    assert not found["imb50"]["copied"] and found["imb50"]["bytes of a copy"] > 1e7
    assert not list(tmp_path.iterdir())
    if groups[0] is not None:
        assert found["limited"] and 0 < found["cgroup"]["max_usage_in_bytes"] <= 1 << 30
        assert not groups[0].folder.exists()
