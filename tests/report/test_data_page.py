"""The page of `data check`: one file that asks nobody for anything, escapes what it is given, says what was found."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import fakedata as fake
import numpy as np
import pytest
from PIL import Image
from tinyfolder import call

from fer_bench.data.catalog import datasets
from fer_bench.data.check import check
from fer_bench.data.pack import Pack, Split, make_pack
from fer_bench.report import pictures
from fer_bench.report.data_page import MOST_FACES, MOST_GROUPS, may_draw, page

EVIL = "<script>alert('1')</script>\"&\x1b[31m\u202e"
SEEN = "<script>alert('1')</script>\"&\\x1b[31m\\u202e"


class Read(HTMLParser):
    """Tags with their attributes, and the text of a page; asserts that what is opened is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def random_split(count: int, prefix: str = "", size: int = 32, seed: int = 0, votes: bool = False) -> Split:
    rng = np.random.default_rng(seed)
    return Split(rng.integers(0, 200, (count, size, size)).astype(np.uint8), np.arange(count) % 2,
                 tuple(f"{prefix}{i}" for i in range(count)),
                 rng.integers(0, 5, (count, 2)).astype(np.float32) if votes else None)


def evil_pack() -> Pack:
    train = random_split(30, EVIL, votes=True)
    copied = train.images[:6] + np.uint8(7)
    copied[0] = train.images[0]
    test = Split(copied, np.array([1, 0, 0, 0, 0, 0]), tuple(f"{EVIL}{i}" for i in range(6)))
    return make_pack(EVIL, (EVIL, "b"), {"train": train, "test": test}, (f"note {EVIL}",))


@pytest.mark.parametrize("faces", [True, False])
def test_the_page_is_one_file_and_escapes_all_text(faces: bool) -> None:
    text = page(check(evil_pack()), faces)
    read = Read(text)
    assert not {"script", "link", "iframe", "object", "base", "form"} & {tag for tag, _ in read.tags}
    assert "\x1b" not in text and "\u202e" not in text and SEEN in read.text
    assert not re.search(r"https?:|//|@import|url\(|\bsrc=\"(?!data:image/png;base64,)", re.sub(
        r"data:image/png;base64,[A-Za-z0-9+/=]+", "data:image/png;base64,", text))
    assert not any(name.startswith("on") or name == "href" for _, attributes in read.tags for name in attributes)
    policy = next(a["content"] for tag, a in read.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    for _, attributes in read.tags:
        assert re.fullmatch(r"(width:[\d.]+%)?", attributes.get("style") or "")


def test_the_page_says_what_the_check_found() -> None:
    found = check(evil_pack())
    text = Read(page(found, True)).text
    assert "within train 0 0" in text and "test, also in train 1 1" in text, "the copy has another label"
    assert "test, also in train 5 3 5" in text, "and so have three of the brighter ones"
    assert "1 test faces that are training faces, byte for byte" in text
    assert "5 more test faces that look like a training face" in text
    assert "Byte-identical faces with several labels: 1 groups" in text and "Near-identical faces: 5 groups" in text
    assert "unanimous 8-9 of 10 below no votes" in text and "all of test" in text
    assert "no official counts per class are known" in text


def test_the_pictures_are_the_faces_and_carry_their_names() -> None:
    pack = evil_pack()
    read = Read(page(check(pack), True))
    drawn = [attributes for tag, attributes in read.tags if tag == "img"]
    assert len(drawn) == 5 * 2 + 36, "five groups of two, and all faces of both classes, which are few"
    first = drawn[0]
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(str(first["src"]).split(",")[1]))))
    row = int(str(first["alt"]).removeprefix(SEEN))
    assert first["alt"] == first["title"] and (pixels == pack.train.images[row]).all()
    assert not [tag for tag, _ in Read(page(check(pack), False)).tags if tag == "img"]
    large = make_pack("x", ("a", "b"), {"train": random_split(4, size=200)})
    source = next(str(a["src"]) for tag, a in Read(page(check(large), True)).tags if tag == "img")
    assert Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))).size == (pictures.SIDE, pictures.SIDE)


def test_a_page_that_would_be_too_large_says_what_it_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MOST_CHARACTERS", 5000)
    read = Read(page(check(make_pack("x", ("a", "b"), {"train": random_split(40)})), True))
    drawn = sum(tag == "img" for tag, _ in read.tags)
    assert 1 < drawn < 5 and f"{40 - drawn} faces are not drawn" in read.text
    assert "spread evenly over the class" in read.text, "the others are named still"


def test_long_lists_are_cut_and_say_so() -> None:
    own = random_split(MOST_GROUPS + 5)
    twice = Split(np.concatenate([own.images] * 2), np.concatenate([own.labels] * 2),
                  (*own.ids, *(f"copy{i}" for i in own.ids)))
    same = Split(np.repeat(own.images[:1], MOST_FACES + 3, axis=0), np.zeros(MOST_FACES + 3, int),
                 tuple(f"t{i}" for i in range(MOST_FACES + 3)))
    text = Read(page(check(make_pack("x", ("a", "b"), {"train": twice, "test": same})), False)).text
    assert f"Byte-identical faces: {MOST_GROUPS + 5:,} groups" in text
    assert f"Listed are {MOST_GROUPS}; 5 more are not." in text and ", and 5 more" in text


def test_whose_faces_are_drawn_unasked(tmp_path: Path) -> None:
    plugin = tmp_path / "mine.py"
    plugin.write_text("from fer_bench.data.adapter import dataset\n\n\n"
                      "@dataset('mine', title='faces', layouts={'a': ['b']})\ndef read(root, options): ...\n")
    drawn = {name for name, info in datasets([plugin]).items() if may_draw(info)}
    assert drawn == {"synthetic", "folder:PATH", "csv:PATH", "mine"}


def test_the_command_writes_the_page_and_draws_what_it_may(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fake.rafdb(tmp_path / "raf")
    words = ["data", "check", "--dataset", "rafdb", "--data-root", str(tmp_path / "raf"), "--cache",
             str(tmp_path / "cache"), "--html", str(tmp_path / "new" / "page.html")]
    assert call(*words) == 0
    text = (tmp_path / "new" / "page.html").read_text()
    assert "<img" not in text and "Faces are named and not drawn" in text
    assert "officially" in capsys.readouterr().out and "of 1,290" in Read(text).text
    assert call(*words, "--faces") == 0
    assert "<img" in (tmp_path / "new" / "page.html").read_text()
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["page.html"], "and nothing half-written"


def test_the_drawn_faces(tmp_path: Path) -> None:
    assert call("data", "check", "--html", str(tmp_path / "page.html")) == 0
    read = Read((tmp_path / "page.html").read_text())
    assert (tmp_path / "page.html").stat().st_size < 2**20
    names = [str(a["alt"]) for tag, a in read.tags if tag == "img"]
    assert len(names) >= 7 * 24 and all(re.fullmatch(r"(train_\d{5}|test_\d{4})", name) for name in names)
    assert "surprise 315 143" in read.text and "all 3,000 1,000" in read.text
