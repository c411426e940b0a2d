"""Where a pack is built: a hidden folder beside its place that one process holds at a time.

It is called ``.<pack>.building`` and outlives a process that is killed, so that the next one goes on there. Its file
``lock`` is locked (flock) by the process that builds; the lock of a process that ends in whatever way is gone with it.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache as once
from pathlib import Path

from fer_bench.errors import UserError

try:
    import fcntl
except ImportError:  # a system without it: every process builds for itself
    fcntl = None  # type: ignore[assignment]

LOCK = "lock"
HIDDEN = re.compile(r"\.(.+-[0-9a-f]{12})\.(\w+)")  # .<pack>.building, or .<pack>.<anything> while it comes or goes
LEFT_OVER_SECONDS = 24 * 3600  # after that, what killed processes left is swept away


class Busy(Exception):
    """Another process builds there."""


def building_folder(folder: Path) -> Path:
    """Where the pack of this place is built."""
    return folder.with_name(f".{folder.name}.building")


@contextlib.contextmanager
def scratch(folder: Path, say: Callable[[str], None]) -> Iterator[Path]:
    """The folder to build a pack in, held until the end of the block; waits for a process that holds it, and says so.

    It is deleted afterwards, but stays after an interruption. Where the file system has no locks, it is one of one's
    own. UserError when the cache cannot be written, or the block cannot read or write what it must.
    """
    try:
        place, lock = _begin(folder, say)
    except OSError as error:
        raise UserError(f"cache folder {folder.parent}: cannot be written ({error.strerror}); "
                        "give --cache a folder you may write to") from None
    stays = False
    try:
        yield place
    except (KeyboardInterrupt, SystemExit):
        stays = True
        raise
    except OSError as error:
        raise UserError(f"building a pack in {folder.parent} stopped: {error}; mend that, make room there, "
                        "or give --cache another folder") from None
    finally:
        if stays and lock is not None:
            os.close(lock)
        else:
            _delete(place, lock)


def _begin(folder: Path, say: Callable[[str], None]) -> tuple[Path, int | None]:
    """A folder to build in and its open lock, if locks are to be had."""

    @once
    def wait() -> None:
        say(f"another process is building {folder}; waiting for it")

    folder.parent.mkdir(parents=True, exist_ok=True)
    place = building_folder(folder)
    _sweep(folder.parent, place)
    try:
        return place, _hold(place, wait)
    except OSError:
        with contextlib.suppress(OSError):  # nothing but the lock that could not be locked
            (place / LOCK).unlink()
            place.rmdir()
        return Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent)), None


def _hold(place: Path, wait: Callable[[], None]) -> int:
    """Make a folder and lock it; returns the open lock. OSError where the folder or locks cannot be had."""
    while True:
        place.mkdir(exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # deleted in this moment: make it again
            return _lock(place / LOCK, os.O_RDWR | os.O_CREAT, wait)


def _lock(file: Path, flags: int, wait: Callable[[], None] | None) -> int:
    """Lock a file and return it open. Where it is locked, ``wait`` is called before it waits, or Busy raised if there
    is none. FileNotFoundError where it is not there, or was deleted and made anew before it was got (also Busy)."""
    if fcntl is None:
        raise OSError("no file locks on this system")
    lock = os.open(file, flags, 0o644)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if wait is None:
                raise Busy from None
            wait()
            fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.samestat(os.fstat(lock), os.stat(file)):
            raise FileNotFoundError(file) if wait else Busy
    except BaseException:
        os.close(lock)
        raise
    return lock


def _delete(folder: Path, lock: int | None) -> None:
    """Delete a folder of the cache, if it is there, and its open lock. It is renamed first, so that no other process
    sees half of it; the lock is closed before its file is deleted, which NFS wants."""
    name = found[1] if (found := HIDDEN.fullmatch(folder.name)) else folder.name.removesuffix(".bad")
    gone = folder.with_name(f".{name}.{secrets.token_hex(4)}")
    try:
        with contextlib.suppress(FileNotFoundError):
            os.rename(folder, gone)
    finally:
        if lock is not None:
            os.close(lock)
    shutil.rmtree(gone, ignore_errors=True)


def delete(folder: Path) -> bool:
    """Delete a folder of the cache. False, and it stays, where another process builds in it."""
    lock = None
    try:
        with contextlib.suppress(OSError):  # nothing to lock, or no locks at all
            lock = _lock(folder / LOCK, os.O_RDWR, None)
    except Busy:
        return False
    _delete(folder, lock)
    return True


def is_held(folder: Path) -> bool:
    """Does another process build in this folder of the cache?"""
    try:
        os.close(_lock(folder / LOCK, os.O_RDWR, None))
    except Busy:
        return True
    except OSError:
        pass
    return False


def _sweep(cache: Path, but: Path) -> None:
    """Delete hidden folders that killed processes left more than a day ago, except one."""
    for old in cache.glob(".*"):
        with contextlib.suppress(OSError):  # another process was faster, or it is another user's
            if HIDDEN.fullmatch(old.name) and old != but and time.time() - old.stat().st_mtime > LEFT_OVER_SECONDS:
                delete(old)
