"""Where a dataset lies: a folder or a .zip, read-only. An adapter sees its files through ``Source``.

Nothing is extracted and nothing is executed. Names are found whatever their case, where only one fits. Only regular
files inside the root are opened, and what is unpacked is bounded before it is.
"""

from __future__ import annotations

import contextlib
import copy
import os
import stat
import zipfile
from collections import Counter
from pathlib import Path
from typing import IO, Any

from fer_bench.errors import UserError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm")
NO_FACES = ("thumbs.db", "desktop.ini")  # what systems leave among images
MOST_READ = 2**25  # bytes of an image, of which each thread holds one; lists have bounds of their own (lists.py)
MOST_DIRECTORY = 2**26  # bytes of a .zip's list of members: some 500,000, which take a third of a GB once read
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


class Source:
    """A folder or .zip seen as names with forward slashes, relative to ``base`` inside ``root``."""

    def __init__(self, root: Path) -> None:
        """Open ``root``; UserError when it is missing, is no zip, or holds names that lead out of it."""
        if not root.exists():
            raise UserError(f"{root}: no such folder or .zip; give the folder that holds the dataset")
        self.root, self.base = root, ""
        self.real = os.path.realpath(root)
        self._zip = None if root.is_dir() else _open_zip(root)
        self._children = _zip_children(self._zip) if self._zip else {}
        self._folders: dict[str, str] = {}  # real paths of folders that files were opened in
        self.listed: set[str] = set()  # folders, from the root on, whose images were listed
        self._spelled: dict[str, dict[str, list[str]]] = {}  # by folder: names in lower case, and how they are spelled

    def below(self, folder: str) -> Source:
        """The same source, its names relative to ``folder``."""
        other = copy.copy(self)
        other.base = f"{self.base}{folder}/"
        return other

    def where(self, name: str = "") -> str:
        """How an error names a file of this source, for example ``/data/raf.zip/EmoLabel/train.txt``."""
        return str(self.root / self.base / name)

    def notes(self) -> list[str]:
        """What is odd about the source itself: members that a .zip holds twice, of which the last counts."""
        names = Counter(self._zip.namelist()) if self._zip else Counter[str]()
        twice = sorted(name for name, count in names.items() if count > 1)
        first = ", ".join(twice[:3]) + (", …" if len(twice) > 3 else "")
        return [f"{len(twice)} names are twice in the .zip, the last counts: {first}"] if twice else []

    def exists(self, name: str) -> bool:
        """Is there a file or folder of this name?"""
        return self._is_there(self._actual(name))

    def folders(self, folder: str) -> list[str]:
        """Sorted names of the folders directly in ``folder``, hidden ones left out."""
        found = [name for name, is_folder in self._list(folder) if is_folder]
        return sorted(self._plain(folder, name) for name in found if not name.startswith((".", "__MACOSX")))

    def files(self, folder: str, suffixes: tuple[str, ...] = IMAGE_SUFFIXES) -> list[str]:
        """Sorted names of the image (or other) files directly in ``folder``, hidden ones left out."""
        if suffixes == IMAGE_SUFFIXES:
            self.listed.add(f"{self.base}{self._actual(folder.strip('/'))}")
        found = (name for name, is_folder in self._list(folder) if not is_folder and not name.startswith("."))
        return sorted(self._plain(folder, name) for name in found if name.lower().endswith(suffixes))

    def names(self, folder: str) -> list[str]:
        """Sorted names of all that lies directly in ``folder``."""
        return sorted(name for name, _ in self._list(folder))

    def entries(self, folder: str) -> list[tuple[str, bool | None]]:
        """(name, is it a folder) of all in a folder as it is spelled, None for what is neither that nor a file."""
        if self._zip is not None:
            return list(self._children.get(f"{self.base}{folder}".strip("/"), {}).items())
        path = self.root / self.base / folder
        with os.scandir(path) if os.path.isdir(path) else contextlib.nullcontext(()) as entries:
            return [(entry.name, _is_folder(entry)) for entry in entries]

    def is_link(self, path: str) -> bool:
        """Is it a link, wherever that leads?"""
        return self._zip is None and os.path.islink(self.root / self.base / path)

    def leads_out(self, path: str) -> bool:
        """Does it lie outside the root, once all links are followed?"""
        return self._zip is None and not self._holds(os.path.realpath(self.root / self.base / path))

    def open(self, name: str, most: int = MOST_READ) -> IO[bytes]:
        """A file opened for reading; KeyError or OSError when it is not there, UserError for one that is no regular
        file of this source, is larger than ``most`` bytes, or cannot be unpacked."""
        name = self._actual(name)
        if self._zip is None:
            return open(self._inside(name, most), "rb")
        member = self._zip.getinfo(self.base + name)
        if member.flag_bits & 1 or member.compress_type not in METHODS:
            what = "encrypted" if member.flag_bits & 1 else f"packed by method {member.compress_type}"
            raise UserError(f"{self.where(name)}: {what}, expected a plain .zip; unpack it and give the folder")
        self._refuse_large(name, member.file_size, most)
        return self._zip.open(member)

    def read(self, name: str, most: int = MOST_READ) -> bytes:
        """The bytes of a file; errors as in ``open``."""
        with self.open(name, most) as file:
            found = file.read(most + 1)
        self._refuse_large(name, len(found), most)
        return found

    def stat(self, name: str = "") -> list[Any]:
        """[name, size, mtime in ns] of one file, or [name, mtime in ns] of one folder, of a folder source."""
        path = self.root / self.base / self._actual(name)
        found = os.stat(path)
        return [name, found.st_mtime_ns] if os.path.isdir(path) else [name, found.st_size, found.st_mtime_ns]

    def _is_there(self, name: str) -> bool:
        if self._zip is None:
            return os.path.exists(os.path.join(self.root, self.base, name))  # False for a link that leads in a circle
        parent, _, last = f"{self.base}{name}".rpartition("/")
        return last in self._children.get(parent, {})

    def _actual(self, name: str) -> str:
        """A name as it is spelled here: each part in another case, where nothing has its own and one other fits."""
        if not name or self._is_there(name):
            return name
        parts: list[str] = []
        for part in name.split("/"):
            folder = "/".join(parts)
            if not self._is_there(f"{folder}/{part}".lstrip("/")):
                fits = self._spellings(folder).get(part.lower(), [])
                part = fits[0] if len(fits) == 1 else part
            parts.append(part)
        return "/".join(parts)

    def _spellings(self, folder: str) -> dict[str, list[str]]:
        if (key := self.base + folder) not in self._spelled:
            found = self._spelled[key] = {}
            for name, _ in self.entries(folder):
                found.setdefault(name.lower(), []).append(name)
        return self._spelled[key]

    def _list(self, folder: str) -> list[tuple[str, bool]]:
        """(name, is it a folder) of the folders and regular files in a folder."""
        found = self.entries(self._actual(folder.strip("/")))
        return [(name, is_folder) for name, is_folder in found if is_folder is not None]

    def _plain(self, folder: str, name: str) -> str:
        """The name; UserError for one that no list could hold: bytes that are not UTF-8, control characters."""
        if not name.isprintable():
            raise UserError(f"{self.where(folder)}: a name there is {name!r}, expected UTF-8 without control "
                            "characters; rename it")
        return name

    def _inside(self, name: str, most: int) -> str:
        """The real path of a file; UserError if it lies outside the root or is no regular file."""
        folder, last = os.path.split(os.path.join(self.root, self.base, name))
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        path = os.path.join(self._folders[folder], last)
        path = os.path.realpath(path) if os.path.islink(path) or last in ("", "..") else path
        if not self._holds(path):
            raise UserError(f"{self.where(name)}: leads to {path}, outside the dataset; put the file itself there")
        found = os.stat(path)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(path)
        if not stat.S_ISREG(found.st_mode):
            raise UserError(f"{self.where(name)}: no regular file, but a pipe or device; remove it")
        self._refuse_large(name, found.st_size, most)
        return path

    def _holds(self, real: str) -> bool:
        return real == self.real or real.startswith(self.real.rstrip(os.sep) + os.sep)

    def _refuse_large(self, name: str, size: int, most: int) -> None:
        if size > most:
            raise UserError(f"{self.where(name)}: {size:,} bytes, expected {most:,} at most; get a clean copy")


def _is_folder(entry: os.DirEntry[str]) -> bool | None:
    """Whether it is a folder; None for what is neither that nor a regular file, nor a link to one."""
    try:
        return True if entry.is_dir() else False if entry.is_file() else None
    except OSError:  # a link that leads in a circle
        return None


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        if not path.is_file():
            raise OSError("no regular file")
        if (size := _directory_size(path)) > MOST_DIRECTORY:
            raise UserError(f"{path}: its list of members has {size:,} bytes, expected {MOST_DIRECTORY:,} at most; "
                            "unpack it and give the folder")
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise UserError(f"{path}: not a readable .zip ({error}); give a folder or a whole .zip") from None
    for name in archive.namelist():
        if name.startswith("/") or "\\" in name or ".." in name.split("/"):
            raise UserError(f"{path}: holds the name '{name}', which leads out of it; get a clean copy")
    return archive


def _directory_size(path: Path) -> int:
    """Bytes of a .zip's list of members, which zipfile reads whole; 0 where its end does not say."""
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - 2**16 - 98))
        tail = file.read()
    end = tail.rfind(b"PK\5\6")
    size = int.from_bytes(tail[end + 12 : end + 16], "little") if end >= 0 else 0
    if end >= 20 and tail[end - 20 : end - 16] == b"PK\6\7" and (large := tail.rfind(b"PK\6\6", 0, end)) >= 0:  # zip64
        size = int.from_bytes(tail[large + 40 : large + 48], "little")
    return size


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
