"""Calibrated subjects are those of CEINMS 0.9, and the same bytes however often written again."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from ceinms_torch.cli.programs import CEINMS_CALIBRATE
from ceinms_torch.io.grammar import SCHEMAS
from ceinms_torch.model.parameters import PARAMETER_KINDS, PARAMETERS
from ceinms_torch.model.subject import Subject
from helpers import edit, write_tiny_folder

# Reference A.5: the elements of an MTU in the order of the original's grammar.
MTU = (
    "name emDelay c1 c2 shapeFactor optimalFibreLength pennationAngle tendonSlackLength "
    "maxContractionVelocity damping maxIsometricForce strengthCoefficient"
)
XS = "{http://www.w3.org/2001/XMLSchema}"


def strict_tree():
    """Return the shipped grammar of a subject without what its comments say is not in 0.9."""
    tree = copy.deepcopy(etree.parse(SCHEMAS / "subject.xsd"))
    added = [node for node in tree.iter(etree.Comment) if "not in CEINMS 0.9" in node.text]
    assert len(added) == 5
    for comment in added:
        extension = comment.getnext()
        extension.getparent().remove(extension)
    return tree


STRICT = etree.XMLSchema(strict_tree())


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory):
    """A subject that CEINMScalibrate wrote."""
    folder = write_tiny_folder(tmp_path_factory.mktemp("strict") / "tiny")
    assert CEINMS_CALIBRATE.main(["-S", str(folder / "calibrationSetup.xml")]) == 0
    return folder / "calibrated" / "subject.xml"


def children(parent):
    """Return the names of the elements that may be in an element, in order."""
    path = f".//{XS}element[@name='{parent}']/{XS}complexType/{XS}sequence/{XS}element"
    return " ".join(node.get("name") for node in strict_tree().iterfind(path))


def test_strict_grammar_is_that_of_ceinms():
    assert children("mtu") == MTU
    assert children("mtuDefault") == "emDelay percentageChange damping curve"
    assert children("subject") == "mtuDefault mtuSet dofSet calibrationInfo"
    assert children("calibrated") == "startSubjectFile calibrationSequence"


def test_strict_grammar_refuses_what_later_versions_added(tiny_folder):
    path = tiny_folder / "subject.xml"
    STRICT.assertValid(etree.parse(path))
    edit(path, "</calibrationInfo>", "</calibrationInfo><contactModelFile>a</contactModelFile>")
    assert not STRICT.validate(etree.parse(path))


def test_calibrated_subject_is_one_of_ceinms(calibrated):
    tree = etree.parse(calibrated)
    STRICT.assertValid(tree)
    assert tree.find("calibrationInfo/calibrated") is not None


def test_golden_subjects_stay_those_of_ceinms(golden_dir, tmp_path):
    for file in (golden_dir / "expected").glob("subject*.xml"):
        Subject.read(file).write(tmp_path / file.name)
        STRICT.assertValid(etree.parse(tmp_path / file.name))
        assert Subject.read(tmp_path / file.name).mtus == Subject.read(file).mtus


# Of CEINMS, but the one that it has once for all MTUs.
KINDS = [
    one.name for one in PARAMETERS.values() if one.in_ceinms and one.name != "percentageChange"
]
FACTORS = st.lists(st.floats(0.5, 1.05), min_size=3, max_size=3)  # c1 and c2 stay below 1


KINDS = sorted(
    name for name, kind in PARAMETERS.items() if kind.in_ceinms and name != "percentageChange"
)


@pytest.mark.filterwarnings("ignore:.*(should be|differs between)")  # wild values, wilder delays
@given(kind=st.sampled_from(KINDS), factors=FACTORS)
def test_written_again_the_bytes_are_the_same(calibrated, kind, factors):
    matrix = Subject.read(calibrated).parameters()
    matrix[PARAMETER_KINDS.index(kind)] *= factors
    first, second = (calibrated.with_name(name) for name in ("first.xml", "second.xml"))
    Subject.read(calibrated).with_parameters(matrix).write(first)
    STRICT.assertValid(etree.parse(first))
    again = Subject.read(first)
    again.with_parameters(again.parameters()).write(second)
    assert second.read_bytes() == first.read_bytes()


def test_calibrated_subject_itself_is_stable(calibrated):
    again = calibrated.with_name("again.xml")
    Subject.read(calibrated).write(again)
    assert again.read_bytes() == calibrated.read_bytes()
