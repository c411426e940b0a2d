"""The peers: the training loop that the reference repositories share, and the same loop on kornia's augmentation.

The first is what EAC 61efdfd, SCN 9f4c3ad and RUL 63b73f2 do, read there: a JPEG per sample through OpenCV, numpy,
Pillow and torchvision in four workers that start anew each epoch; float32, NCHW, eager; Adam as torch gives it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from fer_bench.method import Clock, Context
from fer_bench.registry import load_class, method_info
from fer_bench.runs.worker import make_inputs
from speed.data import CLASSES, MEAN, STD, TRAIN, listed, plans
from speed.job import EPOCHS, Job, Steps, measure, warm_up

try:
    import cv2
except ImportError:
    cv2 = None  # type: ignore[assignment]


def read_image(path: str) -> np.ndarray:
    """uint8 RGB [H, W, 3], decoded by OpenCV, or by Pillow where that is not installed."""
    if cv2 is None:
        return np.asarray(Image.open(path).convert("RGB"))
    pixels: np.ndarray = cv2.imread(path)[:, :, ::-1]  # type: ignore[index]
    return pixels


class UsualFaces(Dataset):
    """Samples (image, label, index), with the mirrored tensor as a fourth for a method of two views, as EAC has it.

    The list is repeated up to ``length``: an epoch, and with it the start of the workers, is as long as RAF-DB's.
    """

    def __init__(self, paths: list[str], labels: list[int], size: int, mirrored: bool, length: int) -> None:
        self.paths, self.labels, self.mirrored, self.length = paths, labels, mirrored, length
        self.transform = transforms.Compose([
            transforms.ToPILImage(), transforms.Resize((size, size)), transforms.ToTensor(),
            transforms.Normalize(mean=MEAN, std=STD), transforms.RandomErasing(scale=(0.02, 0.25))])

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        place = index % len(self.paths)
        image = read_image(self.paths[place])
        if random.uniform(0, 1) > 0.5:  # Gaussian noise of variance 30
            image = np.clip(image + np.random.normal(0, 30**0.5, image.shape), 0, 255).astype(np.uint8)
        pixels = self.transform(image)
        if self.mirrored:
            return pixels, self.labels[place], index, transforms.RandomHorizontalFlip(p=1)(pixels)
        return pixels, self.labels[place], index


class TwoViewLoss:
    """NLA's loss of (logits, mirrored logits): the formulas of methods/nla.py, the passes of the reference loop."""

    def __init__(self, device: str) -> None:
        counts = torch.full((CLASSES,), TRAIN // CLASSES)
        context = Context(CLASSES, torch.zeros(1, dtype=torch.int64), counts, EPOCHS, 384, nn.Identity)
        self.method: Any = load_class(method_info("nla"))(context)
        zero = torch.zeros((), dtype=torch.int64, device=device)
        self.clock = Clock(zero, zero, zero.float(), EPOCHS, 384)

    def __call__(self, logits: Tensor, mirrored: Tensor, labels: Tensor) -> Tensor:
        weight = self.method.weight(logits.softmax(1), labels, self.clock).detach()
        cross_entropy = ((1 + weight) * F.cross_entropy(logits, labels, reduction="none")).mean()
        consistency = self.method.apart(logits, mirrored).mean()
        loss: Tensor = self.method.lam * cross_entropy + (1 - self.method.lam) * consistency
        return loss


class Peer:
    """Network, optimiser and step that both peers share; each has ``batches`` of its own."""

    def __init__(self, job: Job) -> None:
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
        self.job, self.device = job, torch.device(job.device)
        torch.manual_seed(0)
        self.net = timm.create_model("resnet18", num_classes=CLASSES).to(self.device).train()  # float32, NCHW
        self.optimiser = torch.optim.Adam(self.net.parameters(), lr=1e-4, weight_decay=1e-4)
        self.two_views = TwoViewLoss(job.device)
        self.running = torch.zeros((), device=self.device)
        self.correct = torch.zeros((), dtype=torch.int64, device=self.device)
        self.steps = self.run()
        warm_up(self.steps, job.device)

    def batches(self) -> Iterator[tuple[list[Tensor], Tensor, bool]]:
        """Without end: one view or two, labels, and whether the epoch ends."""
        raise NotImplementedError

    def window(self, seconds: float, lanes: int) -> dict[str, Any]:
        """One timed window."""
        return measure(self.steps, self.job.device, seconds)

    def run(self) -> Steps:
        """Train without end, see job.Steps; with the running figures that the repositories keep."""
        for views, labels, ended in self.batches():
            logits = self.net(views[0])
            if len(views) == 2:
                loss = self.two_views(logits, self.net(views[1]), labels)
            else:
                loss = F.cross_entropy(logits, labels)
            self.optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimiser.step()
            self.running += loss.detach()
            self.correct += (logits.argmax(1) == labels).sum()
            yield len(labels), ended


class Usual(Peer):
    """The reference repositories' loop."""

    def batches(self) -> Iterator[tuple[list[Tensor], Tensor, bool]]:
        paths, labels = listed(Path(self.job.folder), "train")
        faces = UsualFaces(paths, labels, self.job.size, self.job.method == "nla", TRAIN)
        loader = DataLoader(faces, batch_size=self.job.batch, shuffle=True, num_workers=self.job.workers,
                            pin_memory=self.device.type == "cuda")
        while True:
            for number, (images, given, _, *mirrored) in enumerate(loader, 1):
                views = [view.to(self.device) for view in (images, *mirrored)]
                yield views, given.to(self.device), number == len(loader)


class Kornia(Peer):
    """Faces decoded once into a uint8 tensor on the device, kornia's augmentation on each batch, the same step."""

    def batches(self) -> Iterator[tuple[list[Tensor], Tensor, bool]]:
        import kornia.augmentation as K

        size, train = self.job.size, make_inputs(plans(self.job, 1)[0]).data.train
        faces = torch.from_numpy(np.array(train.images)).permute(0, 3, 1, 2).contiguous().to(self.device)
        labels = torch.from_numpy(train.given.copy()).to(self.device)
        noise = K.RandomGaussianNoise(std=30**0.5 / 255, p=0.5)
        rest = nn.Sequential(K.Resize((size, size)), K.Normalize(mean=MEAN, std=STD),
                             K.RandomErasing(scale=(0.02, 0.25), ratio=(0.3, 3.3), p=0.5)).to(self.device)
        while True:
            order = torch.randperm(len(faces), device=self.device)
            for number, rows in enumerate(torch.split(order, self.job.batch), 1):
                with torch.no_grad():
                    images = rest(noise(faces[rows].float() / 255).clamp(0, 1))
                views = [images, images.flip(-1)] if self.job.method == "nla" else [images]
                yield views, labels[rows], number * self.job.batch >= len(faces)
