"""Tiny datasets in every layout that the readers accept; read it to see what each looks like on disk."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

VOTE_HEADER = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
USAGES = ("Training", "PublicTest", "PrivateTest")


def image(path: Path, seed: int, size: tuple[int, int] = (10, 10), mode: str = "RGB") -> None:
    """A noise image whose pixels depend on seed alone (PNG content, whatever the suffix says)."""
    shape = (size[1], size[0]) if mode == "L" else (size[1], size[0], 3)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, format="PNG")


def write(path: Path, lines: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def raf_rows() -> list[tuple[str, int]]:
    """14 training and 7 test names with labels 1..7."""
    train = [(f"train_{i + 1:05d}.jpg", i % 7 + 1) for i in range(14)]
    return train + [(f"test_{i + 1:04d}.jpg", i + 1) for i in range(7)]


def rafdb(root: Path, two_lists: bool = False) -> Path:
    rows = raf_rows()
    for seed, (name, _) in enumerate(rows):
        image(root / "Image/aligned" / name.replace(".jpg", "_aligned.jpg"), seed)
    lines = [f"{name} {label}" for name, label in rows]
    if two_lists:
        write(root / "EmoLabel/train_label.txt", lines[:14])
        write(root / "EmoLabel/test_label.txt", lines[14:])
    else:
        write(root / "EmoLabel/list_patition_label.txt", lines)
    return root


def rafdb_kaggle(root: Path) -> Path:
    for seed, (name, label) in enumerate(raf_rows()):
        split = name.partition("_")[0]
        image(root / f"DATASET/{split}/{label}" / name.replace(".jpg", "_aligned.jpg"), seed)
    write(root / "train_labels.csv", ["image,label"])
    return root


def votes_of(winner: int, strength: int = 8) -> list[int]:
    """Ten votes, `strength` of them for one column, the others for unknown."""
    votes = [0] * 10
    votes[winner] = strength
    votes[8] += 10 - strength
    return votes


def ferplus_rows() -> list[tuple[str, str, list[int], int]]:
    """(usage, name, votes, FER2013 label): per usage one face of each emotion, a blank name, a tie."""
    rows = []
    for usage in USAGES:
        for winner in range(8):
            rows.append((usage, f"fer{len(rows):07d}.png", votes_of(winner), winner % 7))
        rows.append((usage, "", votes_of(9), -1))
        rows.append((usage, f"fer{len(rows):07d}.png", [5, 5, 0, 0, 0, 0, 0, 0, 0, 0], 6))
    return rows


def ferplus(root: Path, rows: list[tuple[str, str, list[int], int]] | None = None) -> Path:
    rows = ferplus_rows() if rows is None else rows
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 256, (len(rows), 48 * 48))
    pairs = zip(rows, faces, strict=True)
    write(root / "fer2013.csv", ["emotion,pixels,Usage", *(
        f"{label},{' '.join(map(str, face))},{usage}" for (usage, _, _, label), face in pairs)])
    write(root / "fer2013new.csv", [VOTE_HEADER, *(
        f"{usage},{name},{','.join(map(str, votes))}" for usage, name, votes, _ in rows)])
    return root


def ferplus_folders(root: Path, label_files: bool, box: str = "") -> Path:
    """What generate_training_data.py writes; with label.csv per folder, or fer2013new.csv beside."""
    rows = [row for row in ferplus_rows() if row[1]]
    folder_of = dict(zip(USAGES, ("FER2013Train", "FER2013Valid", "FER2013Test"), strict=True))
    for seed, (usage, name, _, _) in enumerate(rows):
        image(root / folder_of[usage] / name, seed, (48, 48), "L")
    lines = {usage: [f"{name},{box}{','.join(map(str, votes))}" for u, name, votes, _ in rows if u == usage]
             for usage in USAGES}
    if label_files:
        for usage, folder in folder_of.items():
            write(root / folder / "label.csv", lines[usage])
    else:
        rest = [f"{usage},{line}" for usage in USAGES for line in lines[usage]]
        write(root / "fer2013new.csv", [VOTE_HEADER, *rest])
    return root


def class_folders(root: Path, classes: tuple[str, ...], splits: tuple[str, ...] = ("train", "test"),
                  count: int = 2, mode: str = "RGB") -> Path:
    seed = 0
    for split in splits:
        for name in classes:
            for i in range(count):
                image(root / split / name / f"{i}.png", seed := seed + 1, mode=mode)
    return root


AFFECTNET_HEADER = ("subDirectory_filePath,face_x,face_y,face_width,face_height,facial_landmarks,"
                    "expression,valence,arousal")


def affectnet_tables(root: Path) -> Path:
    """Full images of several sizes, a face box in each; labels 0..10 for training, 0..7 for validation."""
    for table, labels in (("training", range(11)), ("validation", range(8))):
        lines = [AFFECTNET_HEADER]
        for label in labels:
            name = f"{label % 3}/{table}{label}.jpg"
            image(root / "Manually_Annotated_Images" / name, label, (30 + label, 40))
            lines.append(f"{name},5,6,{20 + label},30,1;2,{label},0.1,0.2")
        write(root / f"{table}.csv", lines)
    return root


def affectnet_arrays(root: Path) -> Path:
    """images/<id>.jpg and annotations/<id>_exp.npy, half of the labels stored as text."""
    for folder in ("train_set", "val_set"):
        (root / folder / "annotations").mkdir(parents=True)
        for label in range(8):
            image(root / folder / f"images/{label + 100}.jpg", label)
            value = np.array(str(label)) if label % 2 else np.array(label)
            np.save(root / folder / f"annotations/{label + 100}_exp.npy", value)
            np.save(root / folder / f"annotations/{label + 100}_val.npy", np.array(0.5))
    return root


def csv_file(root: Path, labels: tuple[str, ...] = ("sad", "happy")) -> Path:
    lines = ["path,label,split"]
    for i in range(8):
        image(root / f"faces/{i}.png", i, mode="L")
        lines.append(f"faces/{i}.png,{labels[i % len(labels)]},{'train' if i < 4 else 'test'}")
    return write(root / "faces.csv", lines)


def zipped(root: Path, inner: str = "") -> Path:
    """A .zip beside the folder, its names below ``inner``."""
    path = root.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(root.rglob("*")):
            if file.is_file():
                archive.write(file, inner + str(file.relative_to(root)))
    return path
