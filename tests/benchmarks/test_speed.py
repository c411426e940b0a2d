"""The speed benchmark: the usual pipeline, the floor's arithmetic, and the command from end to end."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

from common.child import Child, Failed  # noqa: E402
from speed import floors, rows, usual  # noqa: E402
from speed.data import listed, make_faces, plans  # noqa: E402
from speed.engine import Engine  # noqa: E402
from speed.job import Job, measure  # noqa: E402
from speed.plot import caption  # noqa: E402
from speed.quiet import Meter, reading  # noqa: E402
from speed.rows import Row, crews, make_rows, summary  # noqa: E402

H200 = {"bf16_tflops": 790.0, "fp32_tflops": 50.0, "tf32_tflops": 400.0, "copy_tb_s": 4.3}


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("speed") / "faces"
    make_faces(folder, 28, 14)
    return folder


def seed_everything(seed: int) -> None:
    for set_seed in (random.seed, np.random.seed, torch.manual_seed):
        set_seed(seed)


def by_hand(path: str, size: int) -> torch.Tensor:
    """EAC's ``__getitem__``, written out: decode, noise half of the time, resize, normalise, erase."""
    image = np.ascontiguousarray(usual.read_image(path))
    if random.uniform(0, 1) > 0.5:
        noisy = image + np.random.normal(0.0, np.sqrt(30), image.shape)
        image = np.clip(noisy, 0, 255).astype(np.uint8)
    pixels = np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))
    tensor = torch.from_numpy(pixels.copy()).permute(2, 0, 1).float().div(255)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    tensor = (tensor - mean[:, None, None]) / std[:, None, None]
    if torch.rand(1) < 0.5:
        top, left, height, width, value = transforms.RandomErasing.get_params(tensor, (0.02, 0.25), (0.3, 3.3), [0])
        tensor[:, top : top + height, left : left + width] = value
    return tensor


def test_the_usual_sample_is_the_hand_written_one(faces: Path) -> None:
    paths, labels = listed(faces, "train")
    dataset = usual.UsualFaces(paths, labels, 64, mirrored=True, length=28)
    for index in range(12):
        seed_everything(index)
        pixels, label, place, mirrored = dataset[index]
        seed_everything(index)
        torch.testing.assert_close(pixels, by_hand(paths[index], 64), rtol=0, atol=1e-6)
        assert torch.equal(mirrored, pixels.flip(-1))
        assert (label, place) == (labels[index], index)


def test_the_usual_sample_is_erased_half_of_the_time(faces: Path) -> None:
    paths, labels = listed(faces, "train")
    dataset = usual.UsualFaces(paths, labels, 32, mirrored=False, length=600)
    seed_everything(0)
    erased = sum(bool((dataset[i][0] == 0).all(0).any()) for i in range(600))
    assert 250 < erased < 350
    assert len(dataset) == 600 and dataset[28][1] == dataset[0][1]


def test_both_readers_see_the_same_face(faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = listed(faces, "train")[0][0]
    first = usual.read_image(path).astype(int)
    monkeypatch.setattr(usual, "cv2", None)
    other = usual.read_image(path).astype(int)
    assert first.shape == other.shape == (100, 100, 3)
    assert np.abs(first - other).mean() < 2  # RGB both; decoders may round differently


def test_the_two_view_loss_is_that_of_our_method() -> None:
    from fer_bench.method import Batch
    from fer_bench.nets.backbone import Backbone, make_trunk
    from fer_bench.registry import load_class, method_info

    torch.manual_seed(0)
    images, labels = torch.randn(8, 3, 16, 16), torch.randint(0, 7, (8,))
    net = Backbone(make_trunk("resnet10-w16", 3), 7, bf16=False)
    peer = usual.TwoViewLoss("cpu")
    method = load_class(method_info("nla"))
    ours = method.__new__(method)
    ours.__dict__.update(peer.method.__dict__)
    ours.net = net
    batch = Batch(images, labels, torch.arange(8), {}, lambda: images)
    theirs = peer(net(images), net(images.flip(-1)), labels)
    assert torch.allclose(theirs, ours.loss(batch, peer.clock), rtol=1e-5, atol=0) and theirs > 0


def test_our_recipe_does_the_usual_work(faces: Path) -> None:
    ours = plans(Job("engine", size=64, precision="bf16", folder=str(faces)), 1)[0].recipe
    assert (ours.image_size, ours.batch_size, ours.backbone, ours.precision) == (64, 32, "resnet18", "bf16")
    assert (ours.optimiser, ours.lr, ours.weight_decay) == ("adam", 1e-4, 1e-4)
    augment = ours.augment
    assert (augment.noise, augment.noise_variance, augment.flip, augment.shift) == (0.5, 30, 0, 0)
    assert (augment.erase, augment.erase_scale) == (0.5, (0.02, 0.25))


@pytest.mark.parametrize(("size", "expected"), [(224, 27_400), (112, 80_900)])
def test_the_floor_is_the_documented_one(size: int, expected: float) -> None:
    assert floors.floor(H200, size, 32, "ce", "bf16") == pytest.approx(expected, rel=0.03)


def test_floors_of_two_views_other_precisions_and_other_sizes() -> None:
    one, two = (floors.floor(H200, 224, 32, method, "bf16") for method in ("ce", "nla"))
    assert one and two and one / 2 < two < one  # the optimiser's traffic is paid once
    narrow, wide = (floors.floor(H200, 224, 32, "ce", precision) for precision in ("bf16", "fp32"))
    assert narrow and wide and wide < narrow
    assert floors.best_floor(H200, 224, 32, "ce")["precision"] == "bf16"
    assert floors.best_floor(H200, 100, 32, "ce") is None
    assert floors.floor({"copy_tb_s": 1.0}, 224, 32, "ce", "bf16") is None


def test_a_window_counts_steps_on_the_cpu_and_whole_epochs_on_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("speed.job.wait", lambda device: None)
    monkeypatch.setattr("speed.job.peak_memory", lambda device: 0)

    def steps():  # type: ignore[no-untyped-def]
        while True:
            yield from ((10, False), (10, False), (5, True))

    assert measure(steps(), "cpu", 0.0)["images"] == 5  # after two steps that are not timed
    assert measure(steps(), "cuda", 0.0)["images"] == 25


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="needs Linux's /proc")
def test_others_are_told_from_our_own_children() -> None:
    meter = Meter()
    burn = [sys.executable, "-c", "import time\nwhile time.process_time() < 0.6: pass"]  # others may be at work, too
    subprocess.run(burn, check=True)
    total, idle, own = (now - then for now, then in zip(reading(), meter.before, strict=True))  # type: ignore[arg-type]
    assert own >= 55 and total - idle >= own - 5  # ticks of 10 ms, of a child that has ended
    share = meter.others()
    assert share is not None and 0 <= share <= 1


def test_rows_per_device_and_their_figures() -> None:
    rows = make_rows(Job("", device="cpu"), lambda name, method: True)
    assert {row.job.method for row in rows} == {"ce", "nla"}
    assert {row.processes for row in rows if row.job.kind != "engine"} == {1}
    rows = make_rows(Job("", device="cuda"), lambda name, method: True)
    packed = [row for row in rows if row.name.startswith("ours, graph bf16") and row.job.method == "ce"
              and not row.job.fast]
    assert [row.job.lanes for row in packed] == list(range(1, 9)) and packed[0].name == "ours, graph bf16"
    assert {row.crew for row in packed} == {packed[0].crew}
    built, processes = crews(rows)[packed[0].crew]
    assert (built.lanes, processes) == (8, 1)
    wide = make_rows(Job("", device="cuda"), lambda name, method: "packed 4" in name and method == "ce")
    assert [job.lanes for job, _ in crews(wide).values()] == [4, 4]

    row = Row("ours", Job("engine"), windows=[90.0, 100.0, 120.0], others=[0.0, None, 0.05])
    found = summary(row, 50.0, {"images_per_second": 400.0})
    assert (found["images_per_second"], found["spread"], found["ratio"]) == (100, 0.3, 2)
    assert found["share_of_floor"] == 0.25 and "2.00x" in caption(found) and not found["disturbed"]
    row = Row("ours", Job("engine"), windows=[10.0, 90.0, 100.0, 120.0], others=[0.9, 0.0, 0.0, 0.0])
    assert row.counted() == [90.0, 100.0, 120.0]
    row = Row("ours", Job("engine"), windows=[10.0, 90.0, 100.0, 120.0], others=[0.9, 0.0, 0.5, 0.0])
    assert len(row.counted()) == 4 and summary(row, 50.0, None)["disturbed"]
    row = Row("ours", Job("engine"), reason="RuntimeError: no")
    assert "failed: RuntimeError: no" in caption(summary(row, 50.0, None))
    assert summary(Row("kornia", Job("kornia"), reason="No module named 'kornia'"), 50.0, None)["status"] == "skipped"


def test_made_faces_are_jpegs_of_raf_db_size(faces: Path) -> None:
    paths, labels = listed(faces, "train")
    assert len(paths) == 28 and sorted(set(labels)) == list(range(7))
    sizes = [Path(path).stat().st_size for path in paths]
    assert 4000 < np.mean(sizes) < 5000
    assert Image.open(paths[0]).size == (100, 100)


def test_a_row_that_fails_or_dies_is_a_row_with_its_reason() -> None:
    broken, other = Row("ours", Job("engine", folder="/nowhere")), Row("theirs", Job("other"))
    rows.ready([broken, other], rows.start([broken]))
    assert broken.reason and broken.reason.startswith("UserError: ") and "/nowhere" in broken.reason
    assert other.reason is None

    child = Child("time:sleep", 60)
    child.process.kill()
    other.window([child], 1.0)
    assert other.reason == "its process ended with status -9" and other.windows == []
    with pytest.raises(Failed, match="ended with status -9"):
        child.answer(60)
    child.close()


def test_a_child_that_says_nothing_is_ended() -> None:
    child = Child("time:sleep", 60)
    with pytest.raises(Failed, match="no answer within 0 s"):
        child.answer(0.1)
    child.process.join(10)
    assert child.process.exitcode == -9


@pytest.mark.slow
def test_the_engine_counts_the_images_of_all_packed_runs(faces: Path) -> None:
    job = Job("engine", device="cpu", size=32, batch=8, folder=str(faces), lanes=2, precision="fp32")
    engine = Engine(job)
    assert len(engine.peaks) == 2
    steps = engine.steps(engine.runs)
    assert [next(steps) for _ in range(4)] == [(16, False), (16, False), (16, False), (8, True)]
    window = engine.window(0.0, 1)
    assert window["images"] == 8 and window["threads"] == 1


@pytest.mark.slow
def test_the_small_benchmark_runs_end_to_end(tmp_path: Path) -> None:
    out = tmp_path / "speed.json"
    words = ["--small", "--size", "32", "--batch", "8", "--workers", "1", "--windows", "2", "--seconds", "0.2",
             "--faces", "28", "--device", "cpu", "--only", "usual,eager bf16", "--out", str(out)]
    done = subprocess.run([sys.executable, str(BENCHMARKS / "speed.py"), *words], capture_output=True, text=True,
                          env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=540)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(out.read_text())
    for row in found["rows"]:
        assert row["status"] == "ok" or "kornia" in row["name"], (row["name"], row["reason"])
        if row["status"] == "ok":
            assert 2 <= len(row["all_windows"]) <= 4 and row["ratio"] > 0 and row["peak_memory_bytes"] > 1e8
            threads = 1 if row["job"]["kind"] == "engine" else min(2, found["machine"]["cores"])
            assert (row["threads_used"] == 1) if threads == 1 else row["threads_used"] >= threads
    assert found["rows"][0]["name"] == "usual pipeline, 1 workers" and found["rows"][0]["ratio"] == 1
    assert found["ceilings"]["copy_tb_s"] > 0 and found["floors"]["ce"] is None  # 32 px was not counted
    assert found["versions"]["torch"] and found["machine"]["cores"] >= 1 and found["settings"]["faces"] == 28
    assert out.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert "| ce " in done.stdout and "round 2 " in done.stderr
