#!/usr/bin/env python3
"""Write golden files and the fingerprints of the methods that pass theirs.

python tests/golden/write.py                 every golden run
python tests/golden/write.py methods/nla     one, by the name of its file

A file is written where there is none or its version was raised, and never over other numbers of the same version.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

import golden  # noqa: E402
from cases import INFOS  # noqa: E402

from fer_bench.errors import unknown  # noqa: E402
from fer_bench.library.versions import FINGERPRINTS, own_fingerprints  # noqa: E402
from fer_bench.paths import builtin_folder  # noqa: E402


def write(case: str) -> str:
    """Write one golden file if that is due; what is in the way, or ""."""
    file = golden.kept(case)
    if file and file["versions"] == golden.versions(case):
        return golden.problem(case)
    content = {"versions": golden.versions(case), "made": golden.here(), "numbers": dict(golden.cases()[case]())}
    path = golden.FOLDER / f"{case}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(render(content))
    print(f"{case}: written")
    return ""


def render(content: dict) -> str:
    """JSON with one line for each list of numbers."""
    lines = [f'  {json.dumps(name)}: {json.dumps(values)}' for name, values in content["numbers"].items()]
    head = ",\n ".join(f"{json.dumps(key)}: {json.dumps(content[key])}" for key in ("versions", "made"))
    return "{\n " + head + ',\n "numbers": {\n' + ",\n".join(lines) + "\n }\n}\n"


def write_fingerprints(failed: set[str]) -> None:
    """Say that the methods' files, as they are now, are what passed; files with a failed method keep what they had."""
    known, before = {}, own_fingerprints()
    for info in INFOS.values():
        bad = {i.name for i in INFOS.values() if i.file == info.file} & failed
        fingerprint = before.get(info.file.name) if bad else info.code
        known |= {info.file.name: fingerprint} if fingerprint else {}
    (builtin_folder("methods") / FINGERPRINTS).write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


def main(names: list[str]) -> int:
    known = golden.cases()
    for name in names:
        if name not in known:
            print(f"error: {unknown('golden run', name, known)}", file=sys.stderr)
            return 2
    problems = {case: found for case in names or known if (found := write(case))}
    failed = {golden.owner(case.split("/")[1]).name for case in problems if case.startswith("methods/")}
    unchecked = {info.name for info in INFOS.values() if names and f"methods/{info.name}" not in names}
    write_fingerprints(failed | unchecked if names else failed)
    print("\n".join(problems.values()), end="\n" if problems else "", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
