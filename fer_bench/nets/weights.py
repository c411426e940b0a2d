"""Strict loading of pre-trained weights: a checkpoint loads whole or not at all, and nothing in it is executed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fer_bench.errors import UserError

WRAPPERS = ("state_dict", "model")
PREFIXES = ("module.", "backbone.")
CLASSIFIERS = ("fc.", "feature.", "classifier.", "head.")  # feature.: the 256-d layer of the ijba_res18 checkpoints


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Weights of a backbone by torchvision's names, classifier dropped. Nothing in the file is executed.

    Unwraps 'state_dict' or 'model', strips 'module.' and 'backbone.': the forms in which FER's checkpoints are shared.
    """
    path = path.expanduser()
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            content: Any = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise UserError(f"--weights {path}: no such file") from None
    except Exception as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"--weights {path}: not a file of tensors alone ({type(error).__name__}: {reason}); it may "
                        "hold code, which is never run: save the state_dict with torch.save or safetensors") from None
    for key in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not all(isinstance(v, Tensor) for v in content.values()):
        raise UserError(f"--weights {path}: found {type(content).__name__}, expected a state_dict of tensors")
    state = {_strip(key): value for key, value in content.items()}
    return {key: value for key, value in state.items() if not key.startswith(CLASSIFIERS)}


def load_strictly(trunk: nn.Module, state: dict[str, Tensor], backbone: str, file: str) -> None:
    """Every weight of the backbone must be in the checkpoint with its shape, and nothing else may be there."""
    own = trunk.state_dict()
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
