"""The folders a run writes to, and the programs beside it, as sections of the doctor's report."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from fer_bench.doctor.section import Problem, Section

GIB = 2.0**30
LITTLE = 1.0  # GiB of free space below which it is said
SKEW_SECONDS = 5.0


@dataclass(frozen=True)
class Folder:
    """What was found out in a folder of the command line, or in the nearest one above it that is there.

    error: why nothing can be written. no_links: why hard links do not work. skew: seconds of its clock before ours.
    """

    option: str
    path: Path
    there: bool
    free: float = 0.0  # GiB
    error: str = ""
    no_links: str = ""
    skew: float = 0.0


def folders(results: Path, work: Path, cache: Path) -> Section:
    """Whether the folders can be written, and claims and records be made there."""
    found = [look(option, path) for option, path in
             (("--results", results / "records"), ("--work", work), ("--cache", cache))]
    section = Section("folders", columns=("option", "folder", "writable", "free", "hard links", "clock"))
    for folder in found:
        section.rows.append(row(folder))
        section.problems.extend(problems(folder))
    return section


def look(option: str, path: Path) -> Folder:
    """Try a folder out with temporary files, and leave nothing behind. A missing folder is not made."""
    place = path
    while not os.path.lexists(place) and place != place.parent:
        place = place.parent
    there = place == path
    try:
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=place) as scratch:
            file = Path(scratch) / "file"
            before = time.time()
            file.write_text("doctor")
            skew = file.stat().st_mtime - (before + time.time()) / 2
            return Folder(option, path, there, shutil.disk_usage(scratch).free / GIB, "", no_links(file), skew)
    except OSError as error:
        return Folder(option, path, there, error=error.strerror or type(error).__name__)


def no_links(file: Path) -> str:
    """Why hard links do not work beside a file as records and claims need them, or ""."""
    other = file.with_name("link")
    try:
        os.link(file, other)
    except OSError as error:
        return error.strerror or type(error).__name__
    try:
        os.link(file, other)
    except FileExistsError:
        return ""
    except OSError as error:
        return error.strerror or type(error).__name__
    return "a name that is taken is given again"


def row(folder: Folder) -> tuple[str, ...]:
    """A folder's line."""
    if folder.error:
        return folder.option, str(folder.path), f"no: {folder.error}", "", "", ""
    clock = f"{folder.skew:+.0f} s" if abs(folder.skew) > SKEW_SECONDS else "as here"
    return (folder.option, str(folder.path), "yes" if folder.there else "yes, will be made", f"{folder.free:.0f} GiB",
            f"no: {folder.no_links}" if folder.no_links else "yes", clock)


def problems(folder: Folder) -> list[Problem]:
    """What is wrong with a folder. The cache needs no links: packs are renamed into it."""
    name = f"{folder.option} {folder.path}"
    if folder.error:
        return [Problem(f"{name}: cannot be written ({folder.error}); name another folder with {folder.option}")]
    found = []
    if folder.no_links and folder.option != "--cache":
        found.append(Problem(f"{name}: hard links do not work there ({folder.no_links}), so no run can be claimed or "
                             f"recorded; name a folder on another file system with {folder.option}"))
    if abs(folder.skew) > SKEW_SECONDS:
        found.append(Problem(f"{name}: file times there are {folder.skew:+.0f} s from this machine's clock, so the age "
                             "of claims and files misleads; have both clocks set by NTP", needed=False))
    if folder.free < LITTLE:
        found.append(Problem(f"{name}: only {folder.free * 1024:.0f} MiB are free; make room, or name another folder "
                             f"with {folder.option}", needed=False))
    return found


def tools() -> Section:
    """Slurm and LaTeX: neither is needed."""
    section = Section("beside the suite")
    if shutil.which("sbatch") is None:
        section.rows.append(("Slurm", "sbatch not found: runs go to this machine"))
    else:
        version, problem = slurm()
        section.rows.append(("Slurm", version or "sbatch found"))
        if problem:
            section.problems.append(Problem(problem, needed=False))
    try:
        section.rows.append(("submitit", metadata.version("submitit")))
    except metadata.PackageNotFoundError:
        section.problems.append(Problem("submitit is not installed, which Slurm needs: pip install -e .", needed=False))
    latex = shutil.which("pdflatex")
    section.rows.append(("LaTeX", f"pdflatex at {latex}" if latex else
                         "pdflatex not found: tables can still be written, not compiled"))
    return section


def slurm() -> tuple[str, str]:
    """What ``sinfo --version`` says, and what is wrong with it."""
    mend = "ask where the cluster's login node is, or where its slurm.conf lies (SLURM_CONF)"
    try:
        said = subprocess.run(["sinfo", "--version"], capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired) as error:
        return "", f"sbatch is here, but sinfo is not usable ({type(error).__name__}): {mend}"
    if said.returncode:
        reason = (said.stderr.strip().splitlines() or ["no message"])[-1]
        return "", f"sbatch is here, but no cluster answers ({reason[:100]}): {mend}"
    return said.stdout.strip(), ""
