"""The doctor: what is broken is found and said with its mend, what is measured is measured, advice follows from it."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from fer_bench import __version__
from fer_bench.doctor import machine, places, show, speed
from fer_bench.doctor.section import Section
from fer_bench.errors import UserError
from fer_bench.estimate.calibrate import known
from fer_bench.estimate.rates import Rates
from fer_bench.protocols.protocol import load_recipe

CPU = torch.device("cpu")
CUDA = torch.device("cuda")
STAY = "no precision is clearly faster"


def tiny():
    return load_recipe("quick", {"batch_size": "4", "image_size": "16"})


def checked(folder: Path, device: str = "cpu", quick: bool = True) -> int:
    return show(device, folder / "results", folder / "work", folder / "cache", quick=quick)


def looked(option: str, path: Path) -> Section:
    section = Section("")
    places.look(section, option, path)
    return section


def test_without_measuring_it_says_versions_and_leaves_no_trace(tmp_path, capsys, monkeypatch):
    def never(*_: object) -> None:
        raise AssertionError("measured")

    monkeypatch.setattr(speed, "section", never)
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
    monkeypatch.setattr(speed, "compare", lambda recipe, device: {"fp32": 100.0, "bf16": 160.0})
    monkeypatch.setattr("fer_bench.runs.dispatch.cores", lambda: 2)
    rates = {"fp32": Rates(5e-5, 1e-11, 0.0)}
    monkeypatch.setattr("fer_bench.estimate.calibrate.calibrate", lambda cache, say: rates)
    threads = torch.get_num_threads()
    assert checked(tmp_path, quick=False) == 0
    out, progress = capsys.readouterr()
    lines = [line.split() for line in out.splitlines() if line.startswith("resnet")]
    assert [line[-2:] for line in lines] == 2 * [["100", "1.00"], ["160", "1.60"]]
    assert "resnet10-w16, 48 px" in out and "resnet18, 64 px" in out and "--precision bf16 is 1.60 x its fp32" in out
    assert "a run has one thread, --jobs 2 does 2 runs at a time" in out
    assert "measuring" in progress and "measuring" not in out
    assert next(line.split() for line in out.splitlines() if line.startswith("fp32")) == ["fp32", "50", "100", "-"]
    assert torch.get_num_threads() == threads


def test_one_core_does_one_run_at_a_time(monkeypatch):
    monkeypatch.setattr("fer_bench.runs.dispatch.cores", lambda: 1)
    cores = dict(machine.processor().rows)["cores"]
    assert cores.startswith("1 usable of") and "--jobs" not in cores


def test_a_network_that_does_not_train_is_an_error(monkeypatch):
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.\nmore")

    monkeypatch.setattr(speed, "compare", full)
    (problem,) = speed.section(CPU).broken
    assert "OutOfMemoryError: CUDA out of memory.)" in problem


def test_rates_are_positive():
    rates = speed.compare(tiny(), CPU, seconds=0.2)
    assert list(rates) == ["fp32", "bf16"] and all(rate > 0 for rate in rates.values())


def test_a_gpu_is_measured_at_the_recipe_s_own_size():
    assert [recipe.image_size for recipe in speed.networks(CPU)] == [48, 64]
    assert speed.networks(CUDA) == (load_recipe("quick"), load_recipe("paper"))


@pytest.mark.slow
def test_all_is_measured_for_real(tmp_path, capsys):
    assert checked(tmp_path, quick=False) == 0
    assert "resnet18, 64 px" in capsys.readouterr().out
    assert set(known(tmp_path / "cache")) == {"fp32", "bf16"}


@pytest.mark.parametrize(("backbone", "bf16", "expected"), [
    ("resnet10-w16", 160, {"quick": "--precision bf16 is 1.60 x its fp32 here", "fer48": STAY}),
    ("resnet10-w16", 50, {"quick": STAY, "fer48": "--precision fp32 is 2.00 x its bf16 here"}),
    ("resnet10-w16", 105, {"quick": STAY, "fer48": STAY}),
    ("resnet10-w16", 95, {"quick": STAY, "fer48": STAY}),
    ("resnet18", 160, dict.fromkeys(("face112", "paper"), "no precision is clearly faster than its bf16 here")),
    ("resnet18", 50, dict.fromkeys(("face112", "paper"), "--precision fp32 is 2.00 x its bf16 here")),
])
def test_advice_on_precision(backbone, bf16, expected):
    lines = dict(line.removeprefix("recipe ").split(": ", 1) for line in speed.advice(
        backbone, {"fp32": 100.0, "bf16": float(bf16)}))
    assert lines.keys() == expected.keys(), "the recipes whose network is of the same kind"
    for name, words in expected.items():
        assert lines[name].startswith(words) and ("another run id" in lines[name]) == words.startswith("--precision")


def test_the_fastest_of_three_precisions_is_named():
    lines = speed.advice("resnet18", {"fp32": 100.0, "tf32": 300.0, "bf16": 200.0})
    assert len(lines) == 2 and lines[1].startswith("recipe paper: --precision tf32 is 1.50 x its bf16 here")


def test_hard_links_are_tried_and_nothing_is_left(tmp_path):
    section = looked("--work", tmp_path / "a" / "b")
    ((option, path, writable, free, links, clock),) = section.rows
    assert (option, path) == ("--work", str(tmp_path / "a" / "b")) and free.endswith(" GiB")
    assert (writable, links, clock, section.broken) == ("yes, will be made", "yes", "as here", [])
    assert looked("--work", tmp_path).rows[0][2] == "yes"
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_hard_links_is_an_error(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    work, cache = (looked(option, tmp_path) for option in ("--work", "--cache"))
    assert work.rows[0][4] == "no: Operation not permitted" and list(tmp_path.iterdir()) == []
    (problem,) = work.broken
    assert "no run can be claimed or recorded" in problem
    assert cache.broken == [] and cache.rows[0][4] == work.rows[0][4], "the cache needs none"


def test_links_that_do_not_exclude_are_found(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "link", lambda a, b: None)
    assert "taken" in looked("--work", tmp_path).broken[0]


def test_a_dangling_link_cannot_be_written(tmp_path):
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    assert "cannot be written" in looked("--work", tmp_path / "gone").broken[0]


def test_clock_and_room_are_notes(tmp_path, monkeypatch):
    monkeypatch.setattr(places.shutil, "disk_usage", lambda path: SimpleNamespace(free=2**33))
    for ahead, said in ((60.0, ["-60 s"]), (4.0, [])):
        monkeypatch.setattr(places, "time", SimpleNamespace(time=lambda ahead=ahead: time.time() + ahead))
        section = looked("--work", tmp_path)
        assert len(section.notes) == len(said) and all(word in section.notes[0] for word in said)
        assert section.rows[0][5] == (said or ["as here"])[0] and section.broken == []
    monkeypatch.setattr(places.shutil, "disk_usage", lambda path: SimpleNamespace(free=2**29))
    section = looked("--work", tmp_path)
    assert "512 MiB" in section.notes[0] and section.broken == []


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
    whole = SimpleNamespace(ops=SimpleNamespace(torchvision=SimpleNamespace(nms=1)))
    assert "the suite does not load" in machine.unfit({"torch": whole, "torchvision": whole}.__getitem__)
    monkeypatch.setattr(machine, "unfit", lambda: "torch does not load")
    assert checked(tmp_path) == 1, "the folders are looked at all the same"
    assert "! torch does not load" in (said := capsys.readouterr().out) and "--work" in said and "processor" not in said


def test_a_package_that_is_missing_is_an_error(monkeypatch):
    monkeypatch.setattr(machine, "PACKAGES", ("numpy", "no-such-package"))
    section = machine.software()
    assert section.broken == ["no-such-package is not installed: pip install -e ."] and "numpy" in section.rows[1][0]


def test_memory_load_and_instructions(monkeypatch):
    assert machine.memory("MemTotal: 2097152 kB\nMemAvailable: 1048576 kB\nHugePages_Total: 0\n") == (2.0, 1.0)
    assert machine.busy(0.5, 2) == [] and machine.busy(5, 16) == []
    (note,) = machine.busy(1.9, 2)
    assert "load 1.9 on 2 cores" in note
    assert machine.bf16_instructions()
    for there, said in (({"avx2": True, "avx512_bf16": True, "amx_bf16": False}, "avx512_bf16"),
                        ({"avx2": True, "avx512_bf16": False}, "no instructions for it")):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda there=there: there)
        assert machine.bf16_instructions() == said
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert machine.bf16_instructions() == "unknown", "an older torch does not tell"


def test_a_card_that_torch_cannot_use_is_a_note(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(machine, "nvidia_seen", lambda: False)
    assert "runs go to the processor" in machine.accelerator().rows[0][0] and not machine.accelerator().notes
    monkeypatch.setattr(machine, "nvidia_seen", lambda: True)
    section = machine.accelerator()
    assert "torch cannot use it" in section.notes[0] and not section.broken


def test_a_card_without_bf16_is_said_in_one_line(monkeypatch):
    computes = {0: (7, 5), 1: (8, 0), 2: (9, 0)}

    def free(index: int) -> tuple[int, int]:
        if index == 3:
            raise torch.AcceleratorError("out of memory\nmore")
        return 2**30, 2**31

    for name, function in {"is_available": lambda: True, "device_count": lambda: 4, "mem_get_info": free,
                           "get_device_name": str,
                           "get_device_capability": lambda device: computes[torch.device(device).index]}.items():
        monkeypatch.setattr(torch.cuda, name, function)
    monkeypatch.setattr(machine, "no_graphs", lambda index: "")
    section = machine.accelerator()
    assert section.rows[0] == ("cuda:0", "0", "1.0 of 2.0 GiB free", "7.5", "yes")
    slow, silent = section.notes
    assert slow.startswith("recipes face112 and fer48 and paper: cuda:0 has no bf16 in hardware")
    assert silent.startswith("cuda:3 does not answer") and [row[0] for row in section.rows] == [
        "cuda:0", "cuda:1", "cuda:2"] and not section.broken


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
    assert all(problem in note for note in section.notes) and len(section.notes) == bool(problem)
    assert section.broken == []


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_a_gpu_is_described_and_measured():
    section = machine.accelerator()
    assert not section.broken and section.rows[0][4] == "yes", "graphs are recorded and replayed"
    rates = speed.compare(tiny(), CUDA, seconds=0.2)
    assert list(rates) == ["fp32", "tf32", "bf16"] and all(rate > 0 for rate in rates.values())
