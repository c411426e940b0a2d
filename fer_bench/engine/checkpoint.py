"""A checkpoint, written beside its place and renamed; the one before it stays until the next."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

LATEST, PREVIOUS = "checkpoint.pt", "previous.pt"


def save(folder: Path, state: dict[str, Any], held: Callable[[], bool] = lambda: True) -> None:
    """Write the state of a run; a kill at any moment leaves one whole checkpoint or more.

    held: asked before the file takes its place: whoever slept until another took the run over leaves all as it is.
    Raises OSError when it cannot be written, a full disk above all; the checkpoints before it stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{LATEST}.{os.getpid()}"
    try:
        with temporary.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        if not held():
            return
        if (folder / LATEST).exists():
            os.replace(folder / LATEST, folder / PREVIOUS)
        os.replace(temporary, folder / LATEST)
    except (OSError, RuntimeError) as error:
        cause = error.__context__ if isinstance(error, RuntimeError) else error  # torch wraps what the file says
        if isinstance(cause, KeyboardInterrupt | SystemExit):
            raise cause from None
        if isinstance(cause, OSError):
            raise OSError(cause.errno, f"{cause.strerror} while writing the checkpoint", str(folder / LATEST)) from None
        raise
    finally:
        temporary.unlink(missing_ok=True)


def load(folder: Path, run_id: str, warn: Callable[[str], None]) -> dict[str, Any] | None:
    """The newest readable checkpoint of this run, or None. A damaged one is named and set aside."""
    for name in (LATEST, PREVIOUS):
        path = folder / name
        if not path.exists():
            continue
        try:
            state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
            if state["id"] != run_id:
                raise ValueError(f"it belongs to run {state['id']}")
            return state
        except Exception as error:
            aside = path.with_suffix(".damaged")
            os.replace(path, aside)
            reason = " ".join(str(error).split())[:80]
            warn(f"checkpoint {path} is damaged ({type(error).__name__}: {reason}); set aside as {aside.name}, going "
                 "back to the state before it")
    return None
