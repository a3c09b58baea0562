"""Reading XML against the grammars: what is accepted, and how faults are explained."""

import copy
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from lxml import etree

from ceinms_torch.errors import CeinmsTorchWarning, FileFormatError
from ceinms_torch.io.grammar import SCHEMAS, load_grammar
from ceinms_torch.io.xml_document import new_document, read_document, write_new
from helpers import edit, line_with

SOLEUS = "<name>soleus_r</name>"


def fault(path, schema):
    with pytest.raises(FileFormatError) as caught:
        read_document(path, schema)
    return caught.value


def test_all_grammars_compile():
    roots = {load_grammar(file.stem).root for file in SCHEMAS.glob("*.xsd")}
    assert roots == {
        "ceinms",
        "ceinmsCalibration",
        "inputData",
        "excitationGenerator",
        "subject",
        "execution",
        "calibration",
    }


def test_wrong_order_says_which(tiny_folder):
    path = tiny_folder / "subject.xml"
    edit(path, "<c1>-0.6</c1>\n      <c2>-0.4</c2>", "<c2>-0.4</c2>\n      <c1>-0.6</c1>")
    error = fault(path, "subject")
    assert str(error.where) == f"{path}:{line_with(path, '<c2>')}: <c2>"
    assert str(error) == (
        f"{error.where}: expected <emDelay> or <c1> at this place, got <c2>. The order inside "
        "<mtu> is name, emDelay (optional), c1, c2, shapeFactor, activationScale "
        "(optional), optimalFibreLength, pennationAngle, tendonSlackLength, tendonStiffness "
        "(optional), passiveStiffness (optional), emgGain (optional), maxContractionVelocity "
        "(optional), damping (optional), maxIsometricForce, strengthCoefficient."
    )


def test_misspelt_element_is_found(tiny_folder):
    path = tiny_folder / "subject.xml"
    edit(path, "optimalFibreLength>", "optimalFiberLength>", 2)
    error = fault(path, "subject")
    where = line_with(path, "optimalFiberLength")
    assert error.where.line == where + 1
    assert error.hint == (
        f"Line {where} has <optimalFiberLength>: did you mean <optimalFibreLength>?"
    )


def test_misspelt_last_element_is_found(tiny_folder):
    path = tiny_folder / "subject.xml"
    edit(path, "strengthCoefficient>", "strengthCoeficient>", 2)
    error = fault(path, "subject")
    assert (error.where.line, error.where.element) == (line_with(path, SOLEUS) - 1, "<mtu>")
    assert "did you mean <strengthCoefficient>?" in error.hint


@pytest.mark.parametrize(
    ("old", "new", "marker", "message"),
    [
        ("<damping>0.1</damping>", "", "<curve>", "expected <damping> at this place, got <curve>"),
        ("<c1>-0.6</c1>", "<c1>-0,6</c1>", "-0,6", "<c1>: expected a number, got '-0,6'"),
        (
            "<pennationAngle>",
            '<pennationAngle unit="grad">',
            "grad",
            "expected one of rad, deg, got 'grad'.",
        ),
        (
            "<pennationAngle>",
            '<pennationAngle units="deg">',
            "units",
            r"expected the attribute 'unit', got the attribute 'units'. Did you mean 'unit'\?",
        ),
        (
            "<calibrationInfo>",
            "<calibrationInfo>text",
            "<calibrationInfo>",
            (
                "expected no text between the tags, got text. "
                "Inside <calibrationInfo>: uncalibrated or calibrated"
            ),
        ),
        (
            SOLEUS,
            SOLEUS + "<dof/>",
            "<dof/>",
            "expected <emDelay> or <c1> at this place, got <dof>. The order inside <mtu>",
        ),
        ("<mtuSet>", "<mtuSet><mtu>", "</mtuSet>", "well-formed XML document"),
    ],
)
def test_faults_of_a_subject(tiny_folder, old, new, marker, message):
    path = tiny_folder / "subject.xml"
    edit(path, old, new)
    error = fault(path, "subject")
    assert re.search(message, str(error))
    assert error.where.line == line_with(path, marker)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("execution", "<stiff/>", "<stif/>", "<stif>: did you mean <stiff>"),
        ("execution", "<openLoop/>", "<openLoop>x</openLoop>", "no text between the tags"),
        ("calibration", "<NS>2<", "<NS>2.5<", "<NS>: expected a whole number, got '2.5'"),
        ("calibration", "<range>0.9", "<range>a", "numbers separated by blanks|a number"),
        (
            "excitationGenerator",
            ' weight="1"',
            ' weigth="1"',  # codespell:ignore weigth
            r"'weigth'. Did you mean 'weight'\?",  # codespell:ignore weigth
        ),
        ("excitationGenerator", ' weight="1"', "", "the attribute 'weight', got no such attribute"),
        ("excitationGenerator", "<mapping>", "<mapping><input/>", "expected <excitation> at this"),
    ],
)
def test_faults_of_other_documents(tiny_folder, file, old, new, message):
    path = tiny_folder / f"{file}.xml"
    edit(path, old, new)
    assert re.search(message, str(fault(path, file)))


def test_unknown_elements_beside_a_missing_one_are_named(tiny_folder):
    path = tiny_folder / "execution.xml"
    edit(path, "<stiff/>", "<rigid/><labNotes/>")
    error = fault(path, "execution")
    line = line_with(path, "<rigid/>")
    assert error.hint.startswith(
        f"Line {line} has <rigid>, which is not known and was passed over. "
        f"Line {line} has <labNotes>, which is not known and was passed over. "
        "Inside <tendon>: stiff"
    )


def test_unknown_elements_elsewhere_are_not_blamed(tiny_folder):
    # Two MTUs in one line: what was passed over in the other has nothing to do with the fault.
    path = tiny_folder / "subject.xml"
    text = re.sub(r"\s*\n\s*", "", path.read_text())
    text = text.replace("<c1>", "<labNotes/><c1>", 1)
    second = text.index("<mtu>", text.index("<mtu>") + 1)
    path.write_text(text[:second] + text[second:].replace("<shapeFactor>-1.0</shapeFactor>", "", 1))
    error = fault(path, "subject")
    assert "expected <shapeFactor> at this place" in str(error)
    assert "labNotes" not in str(error)


ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1")


@pytest.mark.parametrize("declared", [None, "UTF-8", "UTF-16", "windows-1252"])
@given(encoding=st.sampled_from(ENCODINGS), name=st.text("aAzZ09 äöüÄÖÜßéèñçåØ", min_size=1))
def test_any_encoding_whatever_the_file_says(tmp_path_factory, declared, encoding, name):
    path = tmp_path_factory.mktemp("encodings") / "setup.xml"
    declaration = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    text = f"{declaration}<ceinms><subjectFile>x{name}x.xml</subjectFile></ceinms>"
    raw = text.encode(encoding)
    path.write_bytes(raw)
    if declared == "windows-1252" and encoding == "utf-8":
        return  # may be either: every text of UTF-8 is one of Windows, too
    if encoding in ("cp1252", "latin-1"):
        assume(name.isascii() or raw.decode("utf-8", "replace").count("\ufffd"))
    found = read_document(path, "ceinmsSetup").root.child("subjectFile").text()
    assert found == " ".join(f"x{name}x.xml".split())


def test_lines_before_the_declaration(tiny_folder):
    path = tiny_folder / "execution.xml"
    path.write_text("\n \n" + path.read_text())
    assert read_document(path, "execution").root.line == 4
    edit(path, "<stiff/>", "<stif/>")
    assert fault(path, "execution").where.line == line_with(path, "<stif/>")


def test_bytes_that_are_no_text_are_still_refused(tmp_path):
    path = tmp_path / "setup.xml"
    path.write_bytes(b"<ceinms><subjectFile>\x00\xff\x01</subjectFile></ceinms>")
    assert fault(path, "ceinmsSetup").expected == "a well-formed XML document"


def test_wrong_kind_of_document(tiny_folder):
    error = fault(tiny_folder / "execution.xml", "subject")
    assert (error.where.line, error.expected, error.got) == (2, "<subject>", "<execution>")


def test_missing_file(tmp_path):
    (tmp_path / "Subject.xml").write_text("<subject/>")
    error = fault(tmp_path / "subject.xml", "subject")
    assert "No such file" in error.got
    assert error.hint == "Did you mean 'Subject.xml'?"


def test_unknown_elements_warn_once_and_survive_writing(tiny_folder, tmp_path):
    path = tiny_folder / "subject.xml"
    edit(
        path,
        "</calibrationInfo>",
        "</calibrationInfo>\n  <labNotes>a.osim<b/></labNotes>",
    )
    edit(path, SOLEUS, SOLEUS + "\n      <!-- left --><bodyMass>1</bodyMass>")
    with pytest.warns(CeinmsTorchWarning) as caught:
        document = read_document(path, "subject")
    assert len(caught) == 1
    text = str(caught[0].message)
    assert f"<bodyMass> (line {line_with(path, 'bodyMass')})" in text
    assert f"<labNotes> (line {line_with(path, 'labNotes')})" in text
    document.write(tmp_path / "written.xml")
    original = etree.tostring(etree.parse(path), method="c14n", with_comments=True)
    written = etree.tostring(
        etree.parse(tmp_path / "written.xml"), method="c14n", with_comments=True
    )
    assert written == original


def test_near_miss_of_an_optional_element_is_pointed_out(tiny_folder):
    path = tiny_folder / "subject.xml"
    edit(path, SOLEUS, SOLEUS + "<emDelai>0.1</emDelai>")
    with pytest.warns(CeinmsTorchWarning, match=r"<emDelai> .*Did you mean 'emDelay'\?"):
        read_document(path, "subject")


def test_invalid_document_is_not_written(tiny_folder, tmp_path):
    document = copy.deepcopy(read_document(tiny_folder / "setup.xml", "ceinmsSetup"))
    document.root.add("subjectFile").add("subjectFile")
    with pytest.raises(FileFormatError):
        document.write(tmp_path / "setup.xml")
    assert not (tmp_path / "setup.xml").exists()


@pytest.mark.parametrize(
    ("declaration", "text"),
    [
        ('<!ENTITY x SYSTEM "SECRET">', "&x;"),
        ('<!ENTITY x "subject.xml">', "&x;"),
        ('<!ATTLIST subjectFile unit CDATA "deg">', "subject.xml"),
        ("", "subject.xml"),
    ],
)
def test_document_types_are_refused(tmp_path, declaration, text):
    """Entities would read other files, and attributes by default turn radians into degrees."""
    (tmp_path / "secret").write_text("top secret")
    path = tmp_path / "setup.xml"
    declaration = declaration.replace("SECRET", (tmp_path / "secret").as_uri())
    path.write_text(
        f'<?xml version="1.0"?>\n<!DOCTYPE ceinms [{declaration}]>'
        f"<ceinms><subjectFile>{text}</subjectFile></ceinms>"
    )
    error = fault(path, "ceinmsSetup")
    assert (error.where.line, error.where.element) == (2, "<!DOCTYPE>")
    assert error.hint == "Delete everything from <!DOCTYPE to the > that closes it."


def test_values_of_nodes(tmp_path):
    path = tmp_path / "execution.xml"
    path.write_text(
        "<execution><NMSmodel><type><openLoop/></type><tendon><equilibriumElastic><tolerance>\n"
        " 1e-<!-- comment -->6 </tolerance></equilibriumElastic></tendon>"
        "<activation><piecewise/></activation></NMSmodel><online/>"
        "<elaboratedDoFs>\n a\tb \n</elaboratedDoFs></execution>"
    )
    root = read_document(path, "execution").root
    tolerance = (
        root.child("NMSmodel").child("tendon").child("equilibriumElastic").child("tolerance")
    )
    assert tolerance.number() == 1e-6
    assert root.child("elaboratedDoFs").names() == ("a", "b")
    with pytest.raises(FileFormatError, match="<offline> inside <execution>, got no such element"):
        root.child("offline")
    with pytest.raises(FileFormatError, match="expected a whole number, got '1e-6'"):
        tolerance.integer()


def test_unknown_elements_move_to_a_rebuilt_document(tiny_folder, tmp_path):
    path = tiny_folder / "setup.xml"
    edit(path, "<executionFile>", "<first/><executionFile>")
    edit(path, "</ceinms>", "<last><inside/></last></ceinms>")
    with pytest.warns(CeinmsTorchWarning):
        original = read_document(path, "ceinmsSetup")
    document = new_document("ceinmsSetup", tmp_path / "new.xml")
    for name in ("subjectFile", "inputDataFile", "executionFile", "excitationGeneratorFile"):
        document.root.add(name, "x")
    write_new(document, original)
    tags = [child.tag for child in etree.parse(tmp_path / "new.xml").getroot()]
    assert tags[:3] == ["subjectFile", "inputDataFile", "first"]
    assert set(tags[3:]) == {"executionFile", "excitationGeneratorFile", "last"}
