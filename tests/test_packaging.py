"""A built wheel, used from elsewhere, finds the methods, protocols and embedded faces that came with it."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The wheel's content, unpacked as pip would."""
    place = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", place], cwd=ROOT, check=True,
                   capture_output=True)
    with zipfile.ZipFile(next(place.glob("*.whl"))) as wheel:
        wheel.extractall(place / "site")
    return place / "site"


def fer_bench(installed: Path, *words: str) -> str:
    code = f"import sys; sys.path.insert(0, {str(installed)!r}); from fer_bench.cli import main; main(sys.argv[1:])"
    done = subprocess.run([sys.executable, "-P", "-c", code, *words], capture_output=True, text=True, cwd=installed)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_wheel_carries_methods_protocols_and_published_numbers(installed):
    builtin = installed / "fer_bench" / "builtin"
    assert {p.name for p in (ROOT / "methods").glob("*.py")} <= {p.name for p in (builtin / "methods").iterdir()}
    assert (builtin / "protocols" / "recipes" / "quick.yaml").is_file() and (builtin / "published.csv").is_file()


def test_wheel_lists_and_exports(installed):
    assert "nla-released" in fer_bench(installed, "list", "methods")
    lines = fer_bench(installed, "export", "--protocol", "noise30").splitlines()
    assert lines[0] == "id,given,true" and len(lines) == 3001
    assert sum(len(set(line.split(",")[1:])) == 2 for line in lines[1:]) == 900
    lines = fer_bench(installed, "export", "--protocol", "idn20").splitlines()
    assert sum(len(set(line.split(",")[1:])) == 2 for line in lines[1:]) == 600, "its score table came with it"


def test_wheel_writes_the_page_of_a_check(installed, tmp_path):
    fer_bench(installed, "data", "check", "--html", str(tmp_path / "page.html"))
    assert "train_00" in (tmp_path / "page.html").read_text(), "its template came with it"


def test_console_script_is_declared(installed):
    entry = next(installed.glob("*.dist-info/entry_points.txt")).read_text()
    assert "fer-bench = fer_bench.cli:main" in entry
