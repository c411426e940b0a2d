"""--method with families and "all": what they mean, and that each slip is one line which says the mend."""

from __future__ import annotations

import pytest
from tinyfolder import Place, refused

from fer_bench.errors import UserError
from fer_bench.registry import methods
from fer_bench.runs.request import expand, expand_methods

FOUND = methods()[0]
OWN = '''
from fer_bench.method import Method
from fer_bench.registry import register

@register("mine", family="own")
class Mine(Method):
    pass
'''


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    return Place(tmp_path_factory.mktemp("families"), epochs=1)


SLIPS = {
    "families:noise": "unknown method 'families:noise': did you mean family:noise?",
    "Family:noise": "unknown method 'Family:noise': did you mean family:noise?",
    "FAMILY:Noise": "unknown method 'FAMILY:Noise': did you mean family:noise?",
    "family:nois": "unknown family 'nois': did you mean noise?",
    "ce,familly:fer": "unknown method 'familly:fer': did you mean family:fer?",
    "famly:nosie": "unknown method 'famly:nosie': did you mean family:noise",
    "all,nlaa": "unknown method 'nlaa': did you mean nla",
}


@pytest.mark.parametrize("text", SLIPS)
def test_a_slip_is_one_line_with_the_near_match(place, capsys, text):
    assert SLIPS[text] in refused(capsys, *place.words("--method", text, results="none"))


@pytest.mark.parametrize("text", ["family:own", "families:own", "family:foo"])
def test_an_unknown_family_names_the_file_that_could_not_be_read(tmp_path, text):
    broken = tmp_path / "broken.py"
    broken.write_text("def f(:\n" + OWN)
    with pytest.raises(UserError) as error:
        expand_methods(text, (broken,))
    assert str(error.value).count("broken.py: not a readable Python file") == 1
    assert text.partition(":")[2] in str(error.value)


def test_a_plugin_s_family_is_known(tmp_path):
    own = tmp_path / "own.py"
    own.write_text(OWN)
    assert expand_methods("family:own", (own,)) == ("mine",)
    with pytest.raises(UserError, match=r"'families:own': did you mean family:own\?$"):
        expand_methods("families:own", (own,))


def test_all_may_stand_in_a_list():
    assert expand_methods("all", ()) == expand_methods(" all , ce", ()) == tuple(FOUND)
    assert expand_methods("nla,all", ()) == ("nla", *(name for name in FOUND if name != "nla"))
    assert expand_methods("family:noise,all", ()).count("gce") == 1
    assert expand("protocol", "own.yaml,all", lambda: ("clean", "noise10")) == ("own.yaml", "clean", "noise10")
    assert expand("protocol", "a,b,a", list) == ("a", "b")


def test_a_method_may_have_a_colon_in_its_name(tmp_path):
    own = tmp_path / "own.py"
    own.write_text(OWN.replace('"mine"', '"lab:mine"'))
    assert expand_methods("lab:mine", (own,)) == ("lab:mine",)
