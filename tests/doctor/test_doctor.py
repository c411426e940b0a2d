"""The doctor: what is broken is found and said with its mend, what is measured is measured, advice follows from it."""

from __future__ import annotations

import errno
import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from fer_bench import __version__
from fer_bench.doctor import machine, places, show, speed
from fer_bench.doctor.advice import Rate, Sharing, kin, precision_advice, sharing_advice
from fer_bench.doctor.places import Folder
from fer_bench.errors import UserError
from fer_bench.protocols.protocol import load_recipe

CPU = torch.device("cpu")
FAKE_TWIN = "import sys\nprint('ready', flush=True)\nfor line in sys.stdin: print(100.0, flush=True)"


def tiny():
    return load_recipe("quick", {"batch_size": "4", "image_size": "16"})


def checked(folder: Path, device: str = "cpu", quick: bool = True) -> int:
    return show(device, folder / "results", folder / "work", folder / "cache", quick=quick)


def rate(ratio: float, precision: str = "bf16", backbone: str = "resnet10-w16") -> Rate:
    return Rate("a network", backbone, precision, 100 * ratio, ratio)


def test_without_measuring_it_says_versions_and_leaves_no_trace(tmp_path, capsys, monkeypatch):
    def never(*_: object) -> None:
        raise AssertionError("measured")

    monkeypatch.setattr(speed, "section", never)
    monkeypatch.setattr(speed, "Twin", never)
    assert checked(tmp_path) == 0
    said = capsys.readouterr().out
    assert f"fer_bench {__version__}" in said and f"torch {torch.__version__.split('+')[0]}" in said
    assert "will be made" in said and "LaTeX" in said and "Nothing that runs need is broken" in said
    assert list(tmp_path.iterdir()) == []
    assert len(said.splitlines()) < 50, "one screen"


def test_an_unwritable_folder_is_an_error(tmp_path, capsys):
    assert show("cpu", Path("/dev/null/x"), tmp_path / "[work]", tmp_path, quick=True) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "! --results /dev/null/x/records: cannot be written (Not a directory)" in said
    assert "name another folder with --results" in said and "1 to mend" in said
    assert "[work]" in said, "no name is taken for markup"


def test_a_device_that_is_not_here_is_bad_input(tmp_path):
    with pytest.raises(UserError, match="cuda:99"):
        checked(tmp_path, device="cuda:99")


def test_what_is_measured_is_printed_with_its_advice(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(speed, "networks", lambda: (tiny(),))
    monkeypatch.setattr(speed, "SERVE", FAKE_TWIN)
    monkeypatch.setattr(speed, "compare", lambda recipe, device: [rate(1.0, "fp32"), rate(1.6)])
    monkeypatch.setattr("fer_bench.runs.dispatch.cores", lambda: 2)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    threads = torch.get_num_threads()
    assert checked(tmp_path, quick=False) == 0
    out, progress = capsys.readouterr()
    assert "resnet10-w16: bf16 is 1.60 x fp32 here" in out and "160" in out
    assert "--jobs" in out and "measuring" in progress and "measuring" not in out
    assert torch.get_num_threads() == threads


def test_a_network_that_does_not_train_is_an_error(monkeypatch):
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.\nmore")

    monkeypatch.setattr(speed, "compare", full)
    (problem,) = speed.section(CPU, None, lambda line: None).problems
    assert problem.needed and "OutOfMemoryError: CUDA out of memory.)" in problem.text


def test_rates_are_positive_and_ratios_are_quotients():
    fp32, bf16 = speed.compare(tiny(), CPU, seconds=0.2)
    assert (fp32.precision, bf16.precision, fp32.ratio) == ("fp32", "bf16", 1) and fp32.images > 0 < bf16.images
    assert bf16.ratio == bf16.images / fp32.images


def test_the_second_process_answers_in_turn_and_ends(monkeypatch):
    monkeypatch.setattr(speed, "SERVE", FAKE_TWIN)
    monkeypatch.setattr(speed, "networks", lambda: (tiny(),))
    twin = speed.Twin()
    try:
        assert twin.answer() == "ready"
        sharing = speed.share(twin, seconds=0.2)
        assert sharing.processes > 100 and sharing.threads > 0
    finally:
        twin.close()
        torch.set_num_threads(1)
    assert twin.process.poll() is not None


def test_a_second_process_that_ends_is_said(monkeypatch):
    monkeypatch.setattr(speed, "SERVE", "raise SystemExit(1)")
    twin = speed.Twin()
    try:
        assert "has ended" in speed.section(CPU, twin, lambda line: None).problems[0].text
        twin.begin(1.0)
    finally:
        twin.close()


def test_the_other_end_trains_for_each_line(monkeypatch, capsys):
    monkeypatch.setattr(speed, "networks", lambda: (tiny(),))
    monkeypatch.setattr(sys, "stdin", io.StringIO("0\n0.01\n"))
    speed.serve()
    ready, *rates = capsys.readouterr().out.split()
    assert ready == "ready" and len(rates) == 2 and all(float(r) > 0 for r in rates)


@pytest.mark.slow
def test_all_is_measured_for_real(tmp_path, capsys):
    assert checked(tmp_path, quick=False) == 0
    assert "resnet18, 64 px" in capsys.readouterr().out


def test_advice_on_precision():
    small = kin("resnet10-w16")
    assert {r.name for r in small} == {"quick", "fer48"} and {r.name for r in kin("resnet18")} == {"paper"}
    faster = precision_advice(rate(1.6), small)
    assert "bf16 is 1.60 x fp32 here: --precision bf16 pays with recipe quick (another run id" in faster
    assert "fer48 is bf16 already" in faster
    slower = precision_advice(rate(0.6), small)
    assert "slower: recipe fer48 is bf16; --precision fp32 is faster here, but gives another run id" in slower
    assert "about the same" in precision_advice(rate(1.05), small)
    assert "about the same" in precision_advice(rate(0.95), small)
    assert precision_advice(rate(1.6, backbone="resnet18"), kin("resnet18")).endswith("recipe paper is bf16 already")
    assert "pays over --precision fp32" in precision_advice(rate(1.6, "tf32", "resnet18"), kin("resnet18"))
    assert "do not choose --precision tf32" in precision_advice(rate(0.5, "tf32"), small)


def test_advice_on_several_runs():
    assert "1.50 x" in sharing_advice(Sharing(100, 150), 2) and "--jobs 2 pays" in sharing_advice(Sharing(100, 150), 2)
    assert "--jobs 16 pays where there are several runs, one for each core (two" in sharing_advice(Sharing(2, 3), 16)
    assert "gains little" in sharing_advice(Sharing(100, 105), 2)
    assert "leave --jobs out" in sharing_advice(Sharing(100, 80), 2)
    assert "--threads 1" in sharing_advice(Sharing(10, 500), 2), "held up by other processes: no number to trust"


def test_hard_links_are_tried_and_nothing_is_left(tmp_path):
    folder = places.look("--work", tmp_path / "a" / "b")
    assert (folder.error, folder.no_links, folder.there) == ("", "", False) and folder.free > 0
    assert places.look("--work", tmp_path).there and abs(folder.skew) < places.SKEW_SECONDS
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_hard_links_is_an_error(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    work, cache = (places.look(option, tmp_path) for option in ("--work", "--cache"))
    assert work.no_links == "Operation not permitted" and list(tmp_path.iterdir()) == []
    (problem,) = places.problems(work)
    assert problem.needed and "no run can be claimed or recorded" in problem.text
    assert places.problems(cache) == [], "the cache needs none"


def test_links_that_do_not_exclude_are_found(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "link", lambda a, b: None)
    assert "taken" in places.look("--work", tmp_path).no_links


def test_a_dangling_link_cannot_be_written(tmp_path):
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    assert places.look("--work", tmp_path / "gone").error


def test_clock_and_room_are_hints():
    late, full = Folder("--work", Path("w"), True, free=9, skew=-60.0), Folder("--work", Path("w"), True, free=0.5)
    for folder, word in ((late, "-60 s"), (full, "512 MiB")):
        (problem,) = places.problems(folder)
        assert not problem.needed and word in problem.text
    assert places.problems(Folder("--work", Path("w"), True, free=9, skew=4.0)) == []


def test_torchvision_for_another_torch_is_an_error(tmp_path, capsys, monkeypatch):
    assert machine.unfit() == ""

    def load(name: str) -> object:
        if name == "torchvision":
            raise RuntimeError("operator torchvision::nms does not exist\nmore")
        return torch

    assert "install torch and torchvision together" in machine.unfit(load)
    assert "nms does not exist)" in machine.unfit(load) and machine.unfit(load).startswith("torchvision")
    without = SimpleNamespace(ops=SimpleNamespace(torchvision=SimpleNamespace()))
    assert "torchvision does not load" in machine.unfit(lambda name: without)
    monkeypatch.setattr(machine, "unfit", lambda: "torch does not load")
    assert checked(tmp_path) == 1, "the folders are looked at all the same"
    assert "! torch does not load" in (said := capsys.readouterr().out) and "--work" in said and "processor" not in said


def test_memory_load_and_instructions(monkeypatch):
    assert machine.memory("MemTotal: 2097152 kB\nMemAvailable: 1048576 kB\nHugePages_Total: 0\n") == (2.0, 1.0)
    assert machine.busy(0.5, 2) == [] and machine.busy(5, 16) == []
    (problem,) = machine.busy(1.9, 2)
    assert not problem.needed and "load 1.9 on 2 cores" in problem.text
    assert set(machine.bf16_instructions().values()) <= {"yes", "no", "unknown"}
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported", raising=False)
    assert machine.bf16_instructions()["AVX512-BF16"] == "unknown", "private names of torch may go"


def test_a_card_that_torch_cannot_use_is_a_hint(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(machine, "nvidia_seen", lambda: False)
    assert "runs go to the processor" in machine.accelerator().rows[0][0] and not machine.accelerator().problems
    monkeypatch.setattr(machine, "nvidia_seen", lambda: True)
    (problem,) = machine.accelerator().problems
    assert "torch cannot use it" in problem.text and not problem.needed


@pytest.mark.parametrize("script, row, problem", [
    ("echo slurm 24.05.1", "slurm 24.05.1", ""),
    ("echo 'fatal: no configuration' >&2; exit 1", "sbatch found", "no configuration"),
])
def test_slurm_is_asked(tmp_path, monkeypatch, script, row, problem):
    for name in ("sbatch", "sinfo"):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    section = places.tools()
    assert dict(section.rows)["Slurm"] == row
    assert "can still be written, not compiled" in dict(section.rows)["LaTeX"]
    assert all(problem in p.text and not p.needed for p in section.problems) and len(section.problems) == bool(problem)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_a_gpu_is_described_and_measured():
    section = machine.accelerator()
    assert not section.problems and section.rows[0][5] == "yes", "graphs are recorded and replayed"
    rates = speed.compare(tiny(), torch.device("cuda"), seconds=0.2)
    assert [r.precision for r in rates] == ["fp32", "tf32", "bf16"] and all(r.images > 0 for r in rates)
