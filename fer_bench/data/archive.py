"""Where a dataset lies: a folder or a .zip, read-only. Read it to see how a reader finds its layout.

A reader declares its layouts (which names must be there, which to watch for changes); ``locate`` picks the
first one that is there, at the root or one folder deeper. Nothing is extracted and nothing is executed.
"""

from __future__ import annotations

import copy
import csv
import io
import os
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from fer_bench.errors import UserError, near

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


@dataclass(frozen=True)
class Layout:
    """One way in which a dataset may lie on disk.

    needs: names that must all be there; "a|b" asks for one of them. watch: names (or "folder/*" for its
    sub-folders) whose size and time of change tell whether the source is still the same.
    read(source, dataset name, say) gives an ``images.Found``.
    """

    title: str
    needs: tuple[str, ...]
    watch: tuple[str, ...]
    read: Callable[[Source, str, Callable[[str], None]], Any]

    def fits(self, source: Source) -> bool:
        return all(any(source.exists(name) for name in need.split("|")) for need in self.needs)

    def signature(self, source: Source) -> list[Any]:
        """Sizes and times of what is watched: a few stats, never a listing of images."""
        found: list[Any] = [self.title, source.base]
        for name in self.watch:
            if name.endswith("/*"):
                folder = name[:-2]
                found += [source.stat(f"{folder}/{inner}") for inner in source.folders(folder)]
            elif source.exists(name):
                found.append(source.stat(name))
        return found


def locate(source: Source, layouts: tuple[Layout, ...], dataset: str) -> tuple[Source, Layout]:
    """The first layout that fits, at the root or one folder deeper; UserError saying what was looked for."""
    for base in [source, *(source.below(folder) for folder in source.folders(""))]:
        for layout in layouts:
            if layout.fits(base):
                return base, layout
    needs = (" + ".join(need.replace("|", " or ") for need in layout.needs) for layout in layouts)
    wanted = "; or ".join(needs)
    names = sorted(name for name, _ in source._list(""))
    found = (", ".join(names[:6]) + (", …" if len(names) > 6 else "")) or "nothing"
    raise UserError(f"{source.root}: no {dataset} layout here: looked for {wanted}; found {found}; "
                    "give --data-root the folder (or .zip) that holds one of them (docs/datasets.md)")


def find(place: Path, layouts: tuple[Layout, ...],
         dataset: str) -> tuple[Callable[[], tuple[Source, Layout]], list[Any]]:
    """How to open what lies at ``place``, and its signature; a .zip is only opened when it must be read."""
    if place.is_file():
        found = place.stat()
        return lambda: locate(Source(place), layouts, dataset), [found.st_size, found.st_mtime_ns]
    located = locate(Source(place), layouts, dataset)
    source, layout = located
    return lambda: located, layout.signature(source)


def read_table(source: Source, name: str, columns: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
    """(line, values of the asked columns) for every row of a CSV with a header.

    UserError naming the file for a missing column (with its near match), a short row, or broken text.
    """
    place = source.where(name)
    try:
        with io.TextIOWrapper(source.open(name), "utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            header = [cell.strip() for cell in next(rows, [])]
            for column in columns:
                if column not in header:
                    raise UserError(f"{place}: no column '{column}' in its header; {near(column, header)}")
            at = [header.index(column) for column in columns]
            for row in rows:
                if not row:
                    continue
                if len(row) <= max(at):
                    raise UserError(f"{place}:{rows.line_num}: {len(row)} values, the header has "
                                    f"{len(header)}; mend that line")
                yield rows.line_num, [row[i].strip() for i in at]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{place}: not a readable CSV in UTF-8 ({error}); get a clean copy") from None
    except (OSError, KeyError):
        raise UserError(f"{place}: no such file, or not readable; put it there") from None


def label_number(text: str, place: str, lowest: int, highest: int) -> int:
    """A label, a whole number lowest..highest; UserError with place, value and what is allowed."""
    try:
        value = int(text)
    except ValueError:
        value = lowest - 1
    if not lowest <= value <= highest:
        raise UserError(f"{place}: label '{text}', expected {lowest}..{highest}; mend that line")
    return value
