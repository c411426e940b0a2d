"""Work in processes of their own, each a fresh interpreter: one answer, or a window whenever one is asked for."""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import warnings
from collections.abc import Callable
from typing import Any


class Failed(Exception):
    """A child could not do its work; the text says why."""


class Child:
    """The parent's end. The child calls ``target``, "module:function", and ``answer`` is what that returned; where
    it has a ``window``, ``answer`` is None at first, and after each ``begin`` what ``window`` returned."""

    def __init__(self, target: str, *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, inner = context.Pipe()
        self.process = context.Process(target=serve, args=(inner, target, arguments))
        self.process.start()
        inner.close()

    def answer(self, timeout: float) -> Any:
        """What the child says next. Raises Failed when it fails, dies or says nothing in time."""
        try:
            if not self.pipe.poll(timeout):
                self.process.kill()
                raise Failed(f"no answer within {timeout:.0f} s")
            kind, said = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join(30)
            raise Failed(f"its process ended with status {self.process.exitcode}") from None
        if kind == "error":
            raise Failed(said)
        return said

    def begin(self, *window: Any) -> None:
        """Start a window; nothing to start asks the child to end."""
        with contextlib.suppress(OSError):  # ``answer`` says why
            self.pipe.send(window)

    def close(self) -> None:
        """End the child, kindly at first."""
        self.begin()
        self.pipe.close()
        self.process.join(10)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def ask(target: str, *arguments: Any, timeout: float = 7200.0) -> Any:
    """What ``module:function`` returns, called in a child. Raises Failed."""
    child = Child(target, *arguments)
    try:
        return child.answer(timeout)
    finally:
        child.close()


def call(target: str, *arguments: Any) -> Any:
    """Import ``module:function`` and call it."""
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)(*arguments)


def serve(pipe: Any, target: str, arguments: tuple[Any, ...]) -> None:
    """The child's end."""
    warnings.filterwarnings("ignore", category=UserWarning)
    with contextlib.suppress(EOFError, OSError, KeyboardInterrupt):  # the parent is gone
        made = attempt(pipe, lambda: call(target, *arguments))
        while hasattr(made, "window") and (window := pipe.recv()):
            attempt(pipe, lambda asked=window: made.window(*asked))


def attempt(pipe: Any, act: Callable[[], Any]) -> Any:
    """Do something and send what came of it."""
    try:
        found = act()
    except BaseException as error:
        lines = [line for line in str(error).splitlines() if line.strip()] or [""]
        last = f" ... {lines[-1]}" if len(lines) > 1 else ""
        pipe.send(("error", f"{type(error).__name__}: {lines[0]}{last}"[:300]))
        return None
    pipe.send(("answer", None if hasattr(found, "window") else found))
    return found
