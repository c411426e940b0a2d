"""Where a dataset lies: a folder or a .zip, read-only. An adapter sees its files through ``Source``.

Nothing is extracted and nothing is executed.
"""

from __future__ import annotations

import copy
import os
import zipfile
from pathlib import Path
from typing import IO, Any

from fer_bench.errors import UserError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".pgm")


class Source:
    """A folder or .zip seen as names with forward slashes, relative to ``base`` inside ``root``."""

    def __init__(self, root: Path) -> None:
        """Open ``root``; UserError when it is missing, is no zip, or holds names that lead out of it."""
        if not root.exists():
            raise UserError(f"{root}: no such folder or .zip; give the folder that holds the dataset")
        self.root = root
        self.base = ""
        self._zip = None if root.is_dir() else _open_zip(root)
        self._children = _zip_children(self._zip) if self._zip else {}

    def below(self, folder: str) -> Source:
        """The same source, its names relative to ``folder``."""
        other = copy.copy(self)
        other.base = f"{self.base}{folder}/"
        return other

    def where(self, name: str = "") -> str:
        """How an error names a file of this source, for example ``/data/raf.zip/EmoLabel/train.txt``."""
        return str(self.root / self.base / name)

    def exists(self, name: str) -> bool:
        """Is there a file or folder of this name?"""
        if self._zip is None:
            return (self.root / self.base / name).exists()
        parent, _, last = f"{self.base}{name}".rpartition("/")
        return last in self._children.get(parent, {})

    def folders(self, folder: str) -> list[str]:
        """Sorted names of the folders directly in ``folder``, hidden ones left out."""
        found = [name for name, is_folder in self._list(folder) if is_folder]
        return sorted(name for name in found if not name.startswith((".", "__MACOSX")))

    def files(self, folder: str, suffixes: tuple[str, ...] = IMAGE_SUFFIXES) -> list[str]:
        """Sorted names of the image (or other) files directly in ``folder``, hidden ones left out."""
        found = (name for name, is_folder in self._list(folder) if not is_folder and not name.startswith("."))
        return sorted(name for name in found if name.lower().endswith(suffixes))

    def names(self, folder: str) -> list[str]:
        """Sorted names of all that lies directly in ``folder``."""
        return sorted(name for name, _ in self._list(folder))

    def open(self, name: str) -> IO[bytes]:
        """A file opened for reading; KeyError or OSError when it is not there."""
        if self._zip is None:
            return open(self.root / self.base / name, "rb")
        return self._zip.open(self.base + name)

    def read(self, name: str) -> bytes:
        """The bytes of a file; KeyError or OSError when it is not there."""
        with self.open(name) as file:
            return file.read()

    def text(self, name: str) -> str:
        """The text of a small file; UserError when it is not UTF-8."""
        try:
            return self.read(name).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise UserError(f"{self.where(name)}: byte {error.start} is not UTF-8; save it as UTF-8 text") from None

    def stat(self, name: str = "") -> list[Any]:
        """[name, size, mtime in ns] of one file, or [name, mtime in ns] of one folder, of a folder source."""
        found = os.stat(self.root / self.base / name)
        is_folder = os.path.isdir(self.root / self.base / name)
        return [name, found.st_mtime_ns] if is_folder else [name, found.st_size, found.st_mtime_ns]

    def _list(self, folder: str) -> list[tuple[str, bool]]:
        if self._zip is None:
            path = self.root / self.base / folder
            return [(entry.name, entry.is_dir()) for entry in os.scandir(path)] if path.is_dir() else []
        return list(self._children.get(f"{self.base}{folder}".strip("/"), {}).items())


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(f"{path}: not a readable .zip ({error}); give a folder or a whole .zip") from None
    for name in archive.namelist():
        if name.startswith("/") or "\\" in name or ".." in name.split("/"):
            raise UserError(f"{path}: holds the name '{name}', which leads out of it; get a clean copy")
    return archive


def _zip_children(archive: zipfile.ZipFile) -> dict[str, dict[str, bool]]:
    """Folder -> {name directly in it: is it a folder}; folders without an entry of their own included."""
    children: dict[str, dict[str, bool]] = {"": {}}
    for entry in archive.namelist():
        parent, _, last = entry.rstrip("/").rpartition("/")
        is_folder = entry.endswith("/")
        while last:
            known = children.setdefault(parent, {})
            if last in known and not is_folder:
                break
            known[last] = is_folder or known.get(last, False)
            parent, _, last = parent.rpartition("/")
            is_folder = True
    return children
