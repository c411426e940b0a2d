"""Strict loading of pre-trained weights: a checkpoint loads whole or not at all, and nothing in it is executed."""

from __future__ import annotations

import hashlib
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fer_bench.errors import UserError

WRAPPERS = ("state_dict", "model", "net", "model_state_dict")
PREFIXES = ("module.", "backbone.")
CLASSIFIERS = ("fc.", "feature.", "classifier.", "head.")  # feature.: the 256-d layer of the ijba_res18 checkpoints


def read_checkpoint(path: Path, content: str = "") -> dict[str, Tensor]:
    """Weights of a backbone by torchvision's names, classifier dropped. Nothing in the file is executed.

    Unwraps the names of WRAPPERS, strips 'module.' and 'backbone.': the forms in which FER's checkpoints are shared.
    content: the ``content_hash`` that the file must have, if that is known. Raises UserError.
    """
    state = _unwrapped(path.expanduser())
    if content and (found := content_hash(state)) != content:
        raise UserError(f"--weights {path}: its content has changed (digest {found[:16]}, expected {content[:16]}); "
                        "delete it and get it again")
    state = {_strip(key): value for key, value in state.items()}
    for key, value in state.items():
        if value.is_floating_point() and not value.isfinite().all():
            raise UserError(f"--weights {path}: '{key}' has values that are not finite; the training that wrote it "
                            "failed, get another file")
        if key.endswith("running_var") and (value < 0).any():
            raise UserError(f"--weights {path}: '{key}' has a variance below zero; the file is damaged")
    return {key: value for key, value in state.items() if not key.startswith(CLASSIFIERS)}


def _unwrapped(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by the file's names. Raises UserError for what is no file of tensors."""
    if path.is_dir():
        raise UserError(f"--weights {path}: a folder, expected a file of tensors in it")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            content: Any = load_file(path)
        else:
            with torch.serialization.safe_globals(numpy_scalars()):
                content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"--weights {path}: no such file") from None
    except Exception as error:
        raise UserError(f"--weights {path}: {_complaint(path, error)}") from None
    found = content
    while isinstance(found, dict) and (key := next((k for k in WRAPPERS if isinstance(found.get(k), dict)), None)):
        found = found[key]
    if isinstance(found, dict) and found and all(isinstance(value, Tensor) for value in found.values()):
        return found
    inside = ", ".join(f"'{key}'" for key in list(found)[:8]) if isinstance(found, dict) else type(found).__name__
    raise UserError(f"--weights {path}: found {inside or 'nothing'}, expected a state_dict of tensors, alone or under "
                    f"{', '.join(WRAPPERS)}")


def _complaint(path: Path, error: Exception) -> str:
    """Why a file could not be read, in our words: torch's advice is to run what is in it."""
    head = path.read_bytes()[:512] if path.is_file() else b""
    if not head:
        return "an empty file; get it again"
    if head.lstrip()[:1] == b"<":
        return "a web page, not a file of tensors; a download that asked for a click, get it again"
    if isinstance(error, pickle.UnpicklingError) and (name := re.search(r"GLOBAL (\S+)", str(error))):
        return (f"it holds {name[1]}, which may be code and is never run; save the state_dict alone, with torch.save "
                "or safetensors")
    return (f"not a whole file of tensors ({type(error).__name__}); get it again, or save the state_dict with "
            "torch.save or safetensors")


def numpy_scalars() -> list[Any]:
    """What a file needs that keeps an accuracy beside the weights as a numpy number (the IJB-A checkpoints)."""
    kinds = [getattr(np.dtypes, name) for name in ("Float64DType", "Float32DType", "Int64DType", "Int32DType")]
    scalar = np.float64(0).__reduce__()[0]
    return [(scalar, "numpy.core.multiarray.scalar"), scalar, np.dtype, *kinds]


def load_strictly(trunk: nn.Module, state: dict[str, Tensor], backbone: str, file: str) -> None:
    """Every weight of the backbone must be in the checkpoint with its shape, and nothing else may be there."""
    own, dropped = trunk.state_dict(), getattr(trunk, "classifiers", ())
    state = {key: value for key, value in state.items() if not key.startswith(dropped)}
    missing = [k for k in own if k not in state and not k.endswith("num_batches_tracked")]
    extra = [k for k in state if k not in own]
    shapes = [f"{k} {tuple(state[k].shape)} instead of {tuple(own[k].shape)}" for k in own
              if k in state and state[k].shape != own[k].shape]
    if missing or extra or shapes:
        parts = [f"{len(keys)} {what} ({', '.join(keys[:5])}{', ...' if len(keys) > 5 else ''})"
                 for what, keys in (("missing", missing), ("unknown", extra), ("of another shape", shapes)) if keys]
        raise UserError(f"--weights {file} does not fit backbone '{backbone}': {'; '.join(parts)}; choose the backbone "
                        "it was trained with (--set-recipe backbone=NAME, colour=rgb for a network of colour faces)")
    trunk.load_state_dict({**own, **state}, strict=True)


def _strip(key: str) -> str:
    for prefix in PREFIXES:
        key = key.removeprefix(prefix)
    return key


def write_weights(state: dict[str, Tensor], path: Path) -> None:
    """Write tensors as safetensors."""
    from safetensors.torch import save_file

    save_file(state, path)
    path.chmod(0o644)  # a cache may be shared


def content_hash(state: dict[str, Tensor]) -> str:
    """sha256 (64 hex digits) of names, shapes and values of float32 tensors, however a file orders them."""
    digest = hashlib.sha256()
    for name, value in sorted(state.items()):
        digest.update(f"|{name}|{tuple(value.shape)}|".encode() + value.numpy().astype("<f4").tobytes())
    return digest.hexdigest()
