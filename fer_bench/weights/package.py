"""Get the weights of a package into the cache: fetched by npm or given as files, checked, converted, written whole."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
import uuid
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from fer_bench.errors import UserError
from fer_bench.nets.dlib_face import from_package
from fer_bench.nets.weights import content_hash, read_checkpoint, write_weights
from fer_bench.weights.catalog import Package, place
from fer_bench.weights.tfjs import decode

SECONDS = 300  # that npm may take
Say = Callable[[str], None]


def get(package: Package, cache: Path, sources: Sequence[Path], say: Say) -> Path:
    """The converted weights of a package, made if they are not there. Raises UserError; the cache then stays as it is.

    sources: nothing (npm fetches the package), the package as .tgz, or its two files.
    """
    target = place(package, cache)
    if not sources and is_whole(package, target):
        say(f"{package.name} is there already")
        return target
    if sources:
        manifest, values = read(package, sources)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            say(f"fetching {package.spec} with npm ...")
            manifest, values = read(package, [fetch(package, Path(scratch))])
    state = from_package(decode(manifest, values))
    if (found := content_hash(state)) != package.content:
        raise UserError(f"weights {package.name}: what was made of the package has digest {found[:16]}, expected "
                        f"{package.content[:16]}; this machine's arithmetic differs, please report it")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{uuid.uuid4().hex}.safetensors")
    try:
        write_weights(state, temporary)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    return target


def is_whole(package: Package, path: Path) -> bool:
    """Whether the converted weights lie there as they should."""
    try:
        return path.is_file() and bool(read_checkpoint(path, package.content))
    except UserError:  # damaged: to be made anew
        return False


def fetch(package: Package, folder: Path) -> Path:
    """Have npm put the package into a folder. Raises UserError."""
    mend = f"run 'npm pack {package.spec}' where there is a network, and give the file with --from"
    if (npm := shutil.which("npm")) is None:
        raise UserError(f"weights {package.name}: npm is not installed; install it, or {mend}")
    try:
        done = subprocess.run([npm, "pack", package.spec, "--pack-destination", str(folder)], capture_output=True,
                              text=True, timeout=SECONDS, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise UserError(f"weights {package.name}: npm pack did not end within {SECONDS} s; {mend}") from None
    found = sorted(folder.glob("*.tgz"))
    if done.returncode or not found:
        lines = [line for line in done.stderr.splitlines() if " code " in line or "error" in line.lower()]
        reason = " ".join("; ".join(lines[:2]).split())[:160] or f"status {done.returncode}"
        raise UserError(f"weights {package.name}: npm could not fetch {package.spec} ({reason}); {mend}")
    return found[0]


def read(package: Package, sources: Sequence[Path]) -> tuple[bytes, bytes]:
    """Manifest and values of a package, from its .tgz or from the two files, as published. Raises UserError."""
    paths = [source.expanduser() for source in sources]
    for path in paths:
        if not path.is_file():
            raise UserError(f"--from {path}: no such file; give the package as .tgz, or its two files")
    if len(paths) == 1:
        parts = [_member(paths[0], name, limit) for name, limit in zip(_members(package), package.sizes, strict=True)]
    elif len(paths) == 2:
        parts = [_file(path, max(package.sizes)) for path in paths]
        if _sha256(parts[0]) == package.sha256[1]:  # in either order
            parts.reverse()
    else:
        raise UserError(f"--from: found {len(paths)} files, expected the package as .tgz, or its two files")
    for part, expected, name in zip(parts, package.sha256, _members(package), strict=True):
        if (found := _sha256(part)) != expected:
            raise UserError(f"weights {package.name}: {Path(name).name} is not as published (sha256 {found[:16]}, "
                            f"expected {expected[:16]}); get {package.spec} again")
    return parts[0], parts[1]


def _members(package: Package) -> tuple[str, str]:
    return package.manifest, package.values


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _file(path: Path, limit: int) -> bytes:
    """A file's content, or one byte more of it than it may have, which no sha256 agrees with."""
    with open(path, "rb") as file:
        return file.read(limit + 1)


def _member(path: Path, name: str, limit: int) -> bytes:
    """A file of a .tgz, read up to one byte more than it may have; nothing is unpacked to disk. Raises UserError."""
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                if member.name == name and member.isfile() and (file := archive.extractfile(member)):
                    return file.read(limit + 1)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        reason = " ".join(str(error).split())[:80]
        raise UserError(f"--from {path}: not a whole .tgz ({reason}); get the package again") from None
    raise UserError(f"--from {path}: it has no {name}; is it the package?")
