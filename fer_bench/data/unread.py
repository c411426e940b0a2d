"""What of a dataset in folders its adapter left: no face is lost in silence. One place for all adapters that list
folders; what an adapter lists it answers for itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from fer_bench.data.archive import IMAGE_SUFFIXES, NO_FACES, Source
from fer_bench.data.forms import first_names
from fer_bench.errors import UserError, printable

MOST_LOOKED_AT = 1_000_000  # names; a dataset in folders has its faces and little else


def unread(source: Source) -> list[str]:
    """Notes that count and name images in folders that were not listed, what is no file, and what is no image by its
    name; none where no folder was listed. Raises UserError where two spellings of one folder hold images."""
    if not source.listed:
        return []
    listed = {path.removeprefix(source.base) for path in source.listed}
    above = {prefix for path in listed for prefix in _prefixes(path)}
    faces = listed - {""}
    images, no_files, no_images, count = Counter[str](), list[str](), list[str](), 0
    for folder, name, is_folder in _walk(source, above):
        count += 1
        path = f"{folder}/{name}".lstrip("/")
        if is_folder is None:
            no_files.append(path)
        elif name.lower().endswith(IMAGE_SUFFIXES):
            images[folder] += folder not in listed
        elif name.lower() not in NO_FACES and not faces.isdisjoint(_prefixes(folder)):
            no_images.append(path)
        if count >= MOST_LOOKED_AT:
            break
    left = {folder: number for folder, number in sorted(images.items()) if number}
    _refuse_twins(source, list(left), above)
    return list(_notes(left, no_files, no_images, count))


def _prefixes(path: str) -> list[str]:
    """The folders that lead to a path, the outermost first, and the path itself."""
    parts = path.split("/")
    return ["/".join(parts[:n]) for n in range(1, len(parts) + 1)]


def _walk(source: Source, above: set[str]) -> Iterator[tuple[str, str, bool | None]]:
    """(folder, name, False for a file, None for what is neither file nor folder) of everything below the source that is
    not hidden. Links to folders are followed only where they are in ``above``; the others count as no file when they
    lead out."""
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            entries = source.entries(folder)
        except OSError:  # not ours to read
            yield *folder.rpartition("/")[::2], None
            continue
        for name, is_folder in entries:
            path = f"{folder}/{name}".lstrip("/")
            if name.startswith((".", "__MACOSX")):
                continue
            if not is_folder:
                yield folder, name, is_folder
            elif path in above or not source.is_link(path):
                waiting.append(path)
            elif source.leads_out(path):
                yield folder, name, None


def _refuse_twins(source: Source, folders: list[str], above: set[str]) -> None:
    """Raise UserError for a folder with images that is one of the listed in another spelling."""
    spelled = {path.lower(): path for path in above}
    for folder in folders:
        for path in _prefixes(folder):
            if path not in above and (twin := spelled.get(path.lower())):
                raise UserError(f"{source.where(path)}: holds images, and so does {twin}, which is the same but for "
                                "upper and lower case; put them together, or rename or remove one")


def _notes(left: dict[str, int], no_files: list[str], no_images: list[str], count: int) -> Iterator[str]:
    if left:
        where = [f"{printable(folder) or 'the root'} ({number:,})" for folder, number in left.items()]
        yield f"{sum(left.values()):,} images were not read, in folders of no class or split: {first_names(where)}"
    for paths, what in ((no_files, "links, pipes or devices lead to no file of the dataset and were not read"),
                        (no_images, "files among the faces are no images by their names and were not read")):
        if paths:
            yield f"{len(paths):,} {what}: {first_names([printable(path) for path in sorted(paths)])}"
    if count >= MOST_LOOKED_AT:
        yield f"only the first {count:,} files were looked at for images that were not read"
