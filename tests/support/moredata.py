"""More tiny datasets: the layouts of RAF-DB, FERPlus and AffectNet that fakedata has not, ExpW, CK+48, JAFFE, SFEW."""

from __future__ import annotations

from pathlib import Path

import fakedata as fake
from fakedata import image, raf_rows, write

RAF = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
SFEW = ("Angry", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise")
CK = {"anger": 5, "contempt": 5, "disgust": 6, "fear": 5, "happy": 7, "sadness": 5, "surprise": 6}  # people of each
PEOPLE = ("KA", "KL", "KM", "KR", "MK", "NA")


def raf_aligned(root: Path, list_place: str) -> Path:
    """aligned/ directly under the root; the one list, or with "two" in its place the two lists, where it says."""
    rows = raf_rows()
    for seed, (name, _) in enumerate(rows):
        image(root / "aligned" / name.replace(".jpg", "_aligned.jpg"), seed)
    lines = [f"{name} {label}" for name, label in rows]
    folder = root / list_place.replace("two", "")
    if "two" in list_place:
        write(folder / "train_label.txt", lines[:14])
        write(folder / "test_label.txt", lines[14:])
    else:
        write(folder / "list_patition_label.txt", lines)
    return root


def raf_folders(root: Path, test: str = "test", names: tuple[str, ...] | None = None) -> Path:
    """train/ and a test folder by that name, of class folders 1..7 or of these names."""
    for seed, (name, label) in enumerate(raf_rows()):
        split, _, number = name.partition("_")
        folder = root / ("train" if split == "train" else test) / (names[label - 1] if names else str(label))
        image(folder / f"{split}_{number.replace('.jpg', '_aligned.jpg')}", seed)
    return root


def raf_kaggle(root: Path) -> Path:
    """DATASET/ with numbered folders, the two tables beside it."""
    raf_folders(root / "DATASET")
    for split in ("train", "test"):
        rows = [f"{name.replace('.jpg', '_aligned.jpg')},{label}" for name, label in raf_rows() if split in name]
        write(root / f"{split}_labels.csv", ["image,label", *rows])
    return root


def raf_compound(root: Path) -> Path:
    """compound/ with labels 1..11, two training faces of each and one to test."""
    lines = []
    for i in range(33):
        name = f"train_{i + 1:04d}" if i < 22 else f"test_{i - 21:04d}"
        image(root / f"compound/Image/aligned/{name}_aligned.jpg", 100 + i)
        lines.append(f"{name}.jpg {i % 11 + 1}")
    write(root / "compound/EmoLabel/list_patition_label.txt", lines)
    return root


def ferplus_classes(root: Path, names: tuple[str, ...], splits: tuple[str, ...] = ("train", "valid", "test")) -> Path:
    """A folder per class, one image of each in each split."""
    number = 0
    for split in splits:
        for name in names:
            image(root / split / name / f"fer{number:07d}.png", number, (48, 48), "L")
            number += 1
    return root


def affectnet_lists(root: Path, classes: int) -> Path:
    """train_set/ and valid_set/ with an annotations file each, as POSTER makes them."""
    for folder in ("train", "valid"):
        for label in range(classes):
            image(root / f"{folder}_set/images/{label + 100}.jpg", label)
        write(root / f"{folder}_set/{folder}_annotations_{classes}class.txt",
              [f"{label + 100}.jpg {label}" for label in range(classes)])
    return root


def affectnet_tables(root: Path, prefix: str, classes: int = 8) -> Path:
    """align_crop_train.csv and align_crop_test.csv with paths that begin with ``prefix``."""
    for part in ("train", "test"):
        for label in range(classes):
            image(root / f"align_crop/{part}/{label}.jpg", label)
        write(root / f"align_crop_{part}.csv", ["path,expression,noise", *(
            f"{prefix}align_crop/{part}/{label}.jpg,{label},0" for label in range(classes))])
    return root


def expw(root: Path) -> Path:
    """label/label.lst and image/origin: seven photographs, two faces in each."""
    lines = []
    for label in range(7):
        name = f"photo_{label}.jpg"
        image(root / "image/origin" / name, label, (60, 50))
        lines += [f"{name} 0 2 3 23 22 91.5 {label}", f"{name} 1 10 20 50 40 50.25 {(label + 1) % 7}"]
    write(root / "label/label.lst", lines)
    return root


def ckplus(root: Path) -> Path:
    """Class folders with three frames for each of several people."""
    seed = 0
    for take, (folder, people) in enumerate(CK.items()):
        for person in range(people):
            for frame in (15, 16, 17):
                name = f"S{person + 10:03d}_00{take}_{frame:08d}.png"
                image(root / folder / name, seed := seed + 1, mode="L")
    return root


def ckplus_sequences(root: Path) -> Path:
    """The same frames as CK+'s own release has them: after neutral ones, beside a sequence that nobody labelled."""
    seed = 0
    for take, people in enumerate(CK.values()):
        for person in range(people):
            subject, number = f"S{person + 10:03d}", f"00{take}"
            for frame in range(1, 18):
                seed += frame > 14
                name = f"cohn-kanade-images/{subject}/{number}/{subject}_{number}_{frame:08d}.png"
                image(root / name, seed if frame > 14 else 1000 + frame, mode="L")
            label = root / f"Emotion/{subject}/{number}/{subject}_{number}_00000017_emotion.txt"
            write(label, [f"   {(1, 2, 3, 4, 5, 6, 7)[take]}.0000000e+00"])
    image(root / "cohn-kanade-images/S010/009/S010_009_00000001.png", 1, mode="L")
    (root / "Emotion/S010/009").mkdir()
    return root


def jaffe(root: Path) -> Path:
    """Six women, seven expressions, two takes of each."""
    number = 0
    for person in PEOPLE:
        for code in ("AN", "DI", "FE", "HA", "NE", "SA", "SU"):
            for take in (1, 2):
                number += 1
                name = "KA.AN1.39.tiff" if number == 1 else f"{person}.{code}{take}.{100 + number}.tiff"
                image(root / name, number, mode="L")
    return root


def sfew(root: Path, splits: tuple[str, ...] = ("Train", "Val")) -> Path:
    """Class folders of the splits, two images in each."""
    return fake.class_folders(root, SFEW, splits)


def csv_of_all(root: Path) -> Path:
    """A CSV with all that one may hold: ids, boxes, votes, subjects."""
    lines = ["id,path,label,split,x,y,width,height,votes_sad,votes_happy,subject"]
    for i in range(8):
        image(root / f"faces/{i // 2}.png", i // 2, (20, 16), mode="L")
        lines.append(f"{i},faces/{i // 2}.png,{('sad', 'happy')[i % 2]},{'train' if i < 4 else 'test'},"
                     f"{i % 2},2,10,12,{i},{10 - i},{i % 3}")
    return write(root / "faces.csv", lines)


def replaced(path: Path, old: str, new: str) -> None:
    """Write other text into a file."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def expect(message: str, *parts: str) -> None:
    assert all(part in message for part in parts), message
