"""Lists of labels: which forms are read, whom a name means, what is refused."""

from __future__ import annotations

import csv
import hashlib
import io

import numpy as np
import pytest
from fakedata import zipped
from hypothesis import given
from hypothesis import strategies as st

from fer_bench.data.pack import Split, make_pack
from fer_bench.errors import UserError
from fer_bench.protocols.noise_list import NoiseList, find_list, listed_labels
from fer_bench.protocols.prepare import prepare, trained_on
from fer_bench.protocols.protocol import Protocol, load_protocol

CLASSES = ("surprise", "fear", "happy")


def protocol(**noise) -> Protocol:
    return Protocol.model_validate({"name": "mine", "title": "t",
                                    "noise": {"kind": "list", "file": "list.txt", **noise}})


LIST = protocol()


def pack(ids: list[str], labels: list[int] | None = None, test: tuple[str, ...] = ("test_1.jpg", "test_2.jpg")):
    """A dataset of these training faces, labels 0, 1, 2, 0, ... unless said."""
    given = np.array(labels if labels is not None else [i % 3 for i in range(len(ids))])
    splits = {"train": Split(np.zeros((len(ids), 4, 4), np.uint8), given, tuple(ids)),
              "test": Split(np.zeros((len(test), 4, 4), np.uint8), np.zeros(len(test), np.int64), test)}
    return make_pack("made", CLASSES, splits)


def listed(*lines: str, mark: bytes = b"") -> NoiseList:
    return NoiseList("/data/list.txt", mark + "\n".join(lines).encode() + b"\n")


def labels_of(found: NoiseList, ids: list[str], **more) -> list[int]:
    return listed_labels(found, pack(ids, **more), LIST).tolist()


def refusal(act, *arguments) -> str:
    with pytest.raises(UserError) as refused:
        act(*arguments)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_list_gives_the_labels_and_its_test_rows_are_ignored():
    made = pack([f"train_{i}.jpg" for i in range(1, 7)])
    lines = [f"train_{i}.jpg {i % 3 + 1}" for i in range(1, 7)] + ["test_1.jpg 3", "test_2.jpg 2"]
    data = prepare(made, LIST, 0, listed(*lines))
    assert data.train.given.tolist() == [1, 2, 0, 1, 2, 0] and data.train.true.tolist() == [0, 1, 2, 0, 1, 2]
    assert (data.test.given == made.test.labels).all()


def test_the_record_names_the_list():
    found = listed("a 2", "b 2", "c 3", "d 1")
    told = trained_on(prepare(pack(["a", "b", "c", "d"]), LIST, 0, found))
    assert told["noise_list"] == {"name": "list.txt", "sha256": hashlib.sha256(b"a 2\nb 2\nc 3\nd 1\n").hexdigest()}
    assert told["noise_rate"] == 0.25 and told["faces"] == 4


def test_a_byte_order_mark_is_no_part_of_the_first_name():
    assert labels_of(listed("a 3", "b 1", mark=b"\xef\xbb\xbf"), ["a", "b"]) == [2, 0]


def test_windows_lines_empty_lines_and_further_columns_are_read():
    assert labels_of(NoiseList("l", b"a 3 1\r\n\r\nb\t1\t0\r\n"), ["a", "b"]) == [2, 0]


def test_a_list_from_zero_is_read_as_such():
    found = listed("a 0", "b 2")
    assert listed_labels(found, pack(["a", "b"]), protocol(base=0)).tolist() == [0, 2]


@pytest.mark.parametrize("name", ["train_1.jpg", "Image/aligned/train_1_aligned.jpg", "x\\train_1.jpg",
                                  "/some where/else/train_1.jpg", "./train_1.jpg"])
def test_folders_and_aligned_are_taken_off_for_ids_without_folders(name):
    assert labels_of(listed(f"{name} 2", "train_2.jpg 3"), ["train_1.jpg", "train_2.jpg"]) == [1, 2]


def test_ids_with_folders_are_found_in_full_before_anything_else():
    lines = ["train/fear/1.png 3", "train/happy/1.png 2", "train\\sad\\1.png 1", "test/fear/1.png 1"]
    ids = ["train/happy/1.png", "train/fear/1.png", "train/sad/1.png"]
    assert labels_of(listed(*lines), ids) == [1, 2, 0]


def test_ids_with_folders_are_found_by_the_end_of_a_path_where_that_is_enough():
    lines = ["one.png 3", "data/b/two.png 2", "c/1.png 1", "d/1.png 2"]
    assert labels_of(listed(*lines), ["a/one.png", "b/two.png", "x/c/1.png", "x/d/1.png"]) == [2, 1, 0, 1]


def test_a_face_in_another_folder_is_another_face():
    assert labels_of(listed("anger/1.png 3", "ba/2.png 2"), ["happy/1.png", "a/2.png"]) == [-1, -1]


@pytest.mark.parametrize(("lines", "ids"), [
    (["1.png 2", "2.png 1"], ["a/1.png", "b/1.png"]),  # one name, two faces
    (["x/a/1.png 2", "y/a/1.png 2"], ["a/1.png"]),  # two names, one face
    (["a/1.png 2", "1.png 3"], ["a/1.png", "b/1.png", "c/1.png"]),
    (["1.png 2", "3.png 3"], ["1.png", "1_aligned.png"])])
def test_a_name_that_could_mean_two_faces_is_refused(lines, ids):
    line = refusal(listed_labels, listed(*lines), pack(ids), LIST)
    assert "'1.png' is not enough to tell which face is meant" in line and "/data/list.txt:" in line


def test_a_face_named_in_full_is_not_meant_by_half():
    """The list names another training face and a test face of that name: the missing one stays missing."""
    ids, lines = ["a/1.png", "b/1.png"], ["a/1.png 2", "test/1.png 3"]
    assert labels_of(listed(*lines), ids, test=("test/1.png",)) == [1, -1]


def test_a_line_twice_is_one_line():
    assert labels_of(listed("a 2", "a 2", "./a 2"), ["a"]) == [1]


def test_lines_that_contradict_each_other_are_refused():
    line = refusal(labels_of, listed("a 2", "b 1", "x/b 1", "./a 3"), ["a", "b"])
    assert line == "/data/list.txt:4: './a' has label 3 here, 2 in line 1; give each face one label"


@pytest.mark.parametrize(("line", "expected"), [
    ("b 4", ":2: label 4 is outside 1..3; set 'base: 0'"), ("b 0", ":2: label 0 is outside 1..3; set 'base: 0'"),
    ("b", "found 'b', expected 'name label'"), ("b x", "found 'b x'"), ("b,2", "found 'b,2'"), ("3", "found '3'")])
def test_a_bad_line_is_named(line, expected):
    assert expected in refusal(labels_of, listed("a 1", line), ["a", "b"])


def test_bytes_that_are_no_text_are_refused():
    assert "noise list l: byte 2 is not UTF-8" in refusal(labels_of, NoiseList("l", b"a \xff\n"), ["a"])


def test_faces_that_are_not_in_the_list_are_named():
    made = pack([f"train_{i}.jpg" for i in range(1, 9)])
    found = listed(*(f"train_{i}.jpg 1" for i in range(3, 9)))
    line = refusal(prepare, made, LIST, 0, found)
    assert "noise list list.txt: 2 of 8 training faces of 'made' are not in it, first train_1.jpg, train_2.jpg" in line


def hundred(changed: int) -> tuple[NoiseList, list[str]]:
    """100 faces of class 0, 1, 2, ..., and a list that changes so many of their labels."""
    ids = [f"f{i}" for i in range(100)]
    return listed(*(f"{name} {(i + (i < changed)) % 3 + 1}" for i, name in enumerate(ids))), ids


@pytest.mark.parametrize(("changed", "fits"), [(28, False), (29, True), (30, True), (31, True), (32, False)])
def test_a_list_must_change_what_its_protocol_says_within_a_point(changed, fits):
    found, ids = hundred(changed)
    if fits:
        assert (listed_labels(found, pack(ids), protocol(rate=0.3)) != np.arange(100) % 3).sum() == changed
    else:
        line = refusal(listed_labels, found, pack(ids), protocol(rate=0.3))
        assert f"noise list list.txt: {changed}.00 % of its labels are changed, protocol 'mine' expects 30 %" in line


def test_rounding_to_whole_faces_is_no_other_rate():
    ids = [f"f{i}" for i in range(8)]
    found = listed(*(f"{name} {(i + (i < 2)) % 3 + 1}" for i, name in enumerate(ids)))
    assert (listed_labels(found, pack(ids), protocol(rate=0.3)) != np.arange(8) % 3).sum() == 2  # 25 %
    assert "25.00 %" in refusal(listed_labels, found, pack(ids), protocol(rate=0.15))


def test_without_a_rate_any_share_is_taken():
    found, ids = hundred(77)
    assert (listed_labels(found, pack(ids), LIST) != np.arange(100) % 3).sum() == 77


@pytest.mark.parametrize(("name", "real"), [("eac-noise10", 0.1011), ("eac-noise20", 0.2036), ("eac-noise30", 0.3033)])
def test_eac_s_protocols_name_rates_that_their_lists_have_and_the_others_have_not(name, real):
    rates = {each: load_protocol(each).noise.rate for each in ("eac-noise10", "eac-noise20", "eac-noise30")}
    assert {each for each, rate in rates.items() if abs(rate - real) <= 0.01} == {name}


names = st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8),
                 min_size=3, max_size=12, unique_by=lambda one: one.replace("_aligned", ""))


@given(names.map(lambda found: [f"train {i}/{name}.png" for i, name in enumerate(found)]), st.data())
def test_what_export_writes_is_read_back(ids, data):
    """Names with commas, quotation marks and spaces too."""
    given = [data.draw(st.integers(0, 2)) for _ in ids]
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["id", "given", "true"])
    rows.writerows(zip(ids, given, [i % 3 for i in range(len(ids))], strict=True))
    assert labels_of(NoiseList("l", text.getvalue().encode()), ids) == given


@pytest.mark.parametrize(("line", "expected"), [
    ("b,2,0", "the true label of b is 0 there, 1 in dataset 'made'"), ("b,3,1", ":3: label 3 is outside 0..2; use the"),
    ("b,2", "expected id,given,true as export writes them"), ("b 2 1", "expected id,given,true"),
    ("a,1,0", ":3: 'a' has label 1 here, 2 in line 2")])
def test_a_bad_line_of_an_export_is_named(line, expected):
    found = NoiseList("l", f"id,given,true\na,2,0\n{line}\n".encode())
    assert expected in refusal(labels_of, found, ["a", "b"])


PLACES = ["list.txt", "EmoLabel/list.txt", "RAF-DB/list.txt", "basic/EmoLabel/list.txt"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_lists_are_found_where_the_dataset_lies_also_in_its_zip(tmp_path, place, kind):
    root = tmp_path / "data"
    (root / place).parent.mkdir(parents=True)
    (root / place).write_text("a 1\n")
    (root / "other").mkdir()
    found = find_list(LIST, zipped(root) if kind == "zip" else root)
    assert found == NoiseList(f"{tmp_path}/data{'.zip' if kind == 'zip' else ''}/{place}", b"a 1\n")
    assert found.name == "list.txt" and found.sha256 == hashlib.sha256(b"a 1\n").hexdigest()


def test_a_list_that_is_named_comes_before_all_others(tmp_path):
    (tmp_path / "list.txt").write_text("a 1\n")
    (tmp_path / "mine.txt").write_text("a 2\n")
    assert find_list(LIST, tmp_path, tmp_path / "mine.txt").content == b"a 2\n"


def test_a_folder_of_that_name_is_no_list(tmp_path):
    (tmp_path / "list.txt").mkdir()
    (tmp_path / "EmoLabel").mkdir()
    (tmp_path / "EmoLabel" / "list.txt").write_text("a 1\n")
    assert find_list(LIST, tmp_path).content == b"a 1\n"


def test_a_list_that_is_not_there_is_said_with_all_places(tmp_path):
    line = refusal(find_list, LIST, tmp_path)
    assert line == ("protocol 'mine': noise list not found, looked for list.txt and EmoLabel/list.txt in "
                    f"{tmp_path} and in the folders there, and for list.txt; give its path with --noise-list")
    assert "looked for list.txt; give" in refusal(find_list, LIST, None)
    assert f"looked for {tmp_path}/x; give" in refusal(find_list, LIST, tmp_path, tmp_path / "x")


def test_a_protocol_without_a_list_has_none(tmp_path):
    assert find_list(load_protocol("noise10"), tmp_path) is None and find_list(load_protocol("clean"), tmp_path) is None
