"""The folders a run writes to, and the programs beside it, as sections of the doctor's report."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from fer_bench.doctor.section import Section

GIB = 2.0**30
SKEW_SECONDS = 5.0


def folders(results: Path, work: Path, cache: Path) -> Section:
    """Whether the folders can be written, and claims and records be made there."""
    section = Section("folders", columns=("option", "folder", "writable", "free", "hard links", "clock"))
    for option, path in (("--results", results / "records"), ("--work", work), ("--cache", cache)):
        look(section, option, path)
    return section


def look(section: Section, option: str, path: Path) -> None:
    """Try a folder, or the nearest one above it that is there, with a temporary file; nothing is left behind."""
    place = next(folder for folder in (path, *path.parents) if os.path.lexists(folder))
    name, mend = f"{option} {path}", f"name another folder with {option}"
    try:
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=place) as scratch:
            file = Path(scratch) / "file"
            file.write_text("doctor")
            skew = file.stat().st_mtime - time.time()
            free, unlinked = shutil.disk_usage(scratch).free / GIB, no_links(file)
    except OSError as error:
        section.rows.append((option, str(path), f"no: {error.strerror}"))
        section.broken.append(f"{name}: cannot be written ({error.strerror}); {mend}")
        return
    wrong = abs(skew) > SKEW_SECONDS
    section.rows.append((option, str(path), "yes" if place == path else "yes, will be made", f"{free:.0f} GiB",
                         f"no: {unlinked}" if unlinked else "yes", f"{skew:+.0f} s" if wrong else "as here"))
    if unlinked and option != "--cache":  # packs are renamed into the cache
        section.broken.append(f"{name}: hard links do not work there ({unlinked}), so no run can be claimed or "
                              f"recorded; name a folder on another file system with {option}")
    if wrong:
        section.notes.append(f"{name}: file times there are {skew:+.0f} s from this machine's clock, so the age of "
                             "claims and files misleads; have both clocks set by NTP")
    if free < 1:
        section.notes.append(f"{name}: only {free * 1024:.0f} MiB are free; make room, or {mend}")


def no_links(file: Path) -> str:
    """Why hard links do not work beside a file as records and claims need them, or ""."""
    other = file.with_name("link")
    try:
        os.link(file, other)
        os.link(file, other)
    except FileExistsError:
        return ""
    except OSError as error:
        return str(error.strerror)
    return "a name that is taken is given again"


def tools() -> Section:
    """Slurm and LaTeX: neither is needed."""
    section, latex = Section("beside the suite"), shutil.which("pdflatex")
    slurm = "sbatch not found: runs go to this machine"
    if shutil.which("sbatch"):
        try:
            slurm = subprocess.run(["sinfo", "--version"], capture_output=True, text=True, timeout=5,
                                   check=True).stdout.strip()
        except (OSError, subprocess.SubprocessError) as error:
            slurm, reason = "sbatch found", str(getattr(error, "stderr", "") or error).strip().split("\n")[-1][:100]
            section.notes.append(f"sbatch is here, but no cluster answers ({reason}): ask where the cluster's login "
                                 "node is, or where its slurm.conf lies (SLURM_CONF)")
    section.rows = [("Slurm", slurm), ("LaTeX", f"pdflatex at {latex}" if latex else
                                       "pdflatex not found: tables can still be written, not compiled")]
    return section
