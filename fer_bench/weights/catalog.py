"""The pre-trained weights that are known by name, and where they lie. It needs no torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from fer_bench.errors import UserError, near

NONE, IMAGENET = "none", "imagenet"


@dataclass(frozen=True)
class Package:
    """An npm package with two files of weights. sha256: of manifest and values. content: ``content_hash`` of the
    tensors that are made of them. recipe: what is trained with where no recipe is named."""

    name: str
    spec: str  # as npm knows it
    manifest: str  # place in the package
    values: str
    sha256: tuple[str, str]
    sizes: tuple[int, int]  # bytes of both
    content: str
    recipe: str
    licence: str
    origin: str


DLIB_FACE = Package(
    "dlib-face", "@vladmandic/face-api@1.7.15", "package/model/face_recognition_model-weights_manifest.json",
    "package/model/face_recognition_model.bin",
    ("cbaffa501b0b9275a12b63357a6843e7e30c054e1c9151e1a5f879b26e32986b",
     "b413e420d6840b2775fba32008db6f3cddb07d485967fb42cfcf379c16a8c589"), (19_615, 6_444_032),
    "f3d5b8ac6c5740daf0d44a89f83bc3d62faa652e7bd52675135eeebf899acdb1", "face112",
    "MIT (the package), public domain (the network)",
    "dlib's dlib_face_recognition_resnet_model_v1 by Davis King, trained on about three million faces of 7,485 people, "
    "half of them from VGG Face and FaceScrub (davisking/dlib-models, README.md)")
PACKAGES = {package.name: package for package in (DLIB_FACE,)}
BROUGHT = (  # what no package gives: --weights, backbone, where, origin and licence
    ("imagenet", "any of timm's", "timm fetches it when a run begins, and keeps it in the hub's cache",
     "ImageNet; as timm's model card says"),
    ("PATH", "resnet18", "bring resnet18_msceleb.pth, which FER's papers start from: the repositories of SCN, EAC and "
     "DAN say where it lies", "MS-Celeb-1M, withdrawn in 2019: nobody may hand it on, so it is no package here"),
    ("PATH", "its own (--set-recipe backbone=NAME)", "a state_dict as .pth or .safetensors", "yours"),
)


def is_named(weights: str) -> bool:
    """Whether ``--weights`` is a name, not a file."""
    return weights in (NONE, IMAGENET) or weights in PACKAGES


def place(package: Package, cache: Path) -> Path:
    """Where the converted weights of a package lie."""
    return cache.expanduser() / "weights" / f"{package.name}.safetensors"


def identity(weights: str) -> str:
    """What a run's identity says of named weights: a name, and what tells versions of that name."""
    if weights in PACKAGES:
        return f"{weights} {PACKAGES[weights].content[:16]}"
    return weights if weights == NONE else f"{weights} timm {version('timm')}"  # timm names the files


def file_of(weights: str, cache: Path) -> Path | None:
    """The file that ``--weights`` means, None for "none" and "imagenet". Raises UserError where it is not there."""
    if weights in (NONE, IMAGENET):
        return None
    if weights in PACKAGES:
        if not (found := place(PACKAGES[weights], cache)).is_file():
            raise UserError(f"--weights {weights}: not in {found.parent}; get it with 'run_bench.py weights get "
                            f"{weights}'")
        return found
    path = Path(weights).expanduser()
    if not path.is_file():
        hint = near(weights, [NONE, IMAGENET, *PACKAGES]) if "/" not in weights and "." not in weights else ""
        raise UserError(f"--weights {weights}: {hint or 'no such file; give a checkpoint, ' + names()}")
    return path


def names(known: Iterable[str] = PACKAGES) -> str:
    """The names that ``--weights`` takes, for a sentence."""
    return ", ".join(f"'{name}'" for name in [*known, IMAGENET]) + f" or '{NONE}'"
