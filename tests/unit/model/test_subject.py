"""Subjects: values, checks with their lines, and round trips."""

import dataclasses
import math
import os
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from ceinms_torch.errors import CeinmsTorchWarning, DataError, FileFormatError, OptionError
from ceinms_torch.io.grammar import SCHEMAS
from ceinms_torch.model.parameters import PARAMETER_KINDS, PARAMETERS
from ceinms_torch.model.subject import CURVE_NAMES, Curve, Dof, Subject
from helpers import DOF_MTUS, MTU_NAMES, edit, line_with, write_tiny_folder


@pytest.fixture
def path(tiny_folder):
    return tiny_folder / "subject.xml"


def fault(path):
    with pytest.raises(FileFormatError) as caught:
        Subject.read(path)
    return caught.value


def test_values(path):
    subject = Subject.read(path)
    assert subject.mtu_names == MTU_NAMES
    assert {dof.name: dof.mtu_names for dof in subject.dofs} == DOF_MTUS
    soleus = subject.mtus[0]
    assert (soleus.c1, soleus.c2, soleus.shape_factor) == (-0.6, -0.4, -1.0)
    assert soleus.optimal_fibre_length == 0.05
    assert soleus.max_contraction_velocity == 10.0
    assert (soleus.em_delay, soleus.damping, soleus.percentage_change) == (0.015, 0.1, 0.15)
    assert tuple(subject.curves) == CURVE_NAMES
    assert subject.curves["forceVelocity"].x[:2] == (-10.0, -1.0)


def test_values_of_an_mtu_go_before_defaults(path):
    edit(path, "<c1>", "<emDelay>0.05</emDelay><c1>")
    edit(
        path,
        "<maxIso",
        "<maxContractionVelocity>8</maxContractionVelocity><damping>0</damping><maxIso",
    )
    with pytest.warns(CeinmsTorchWarning, match="emDelay differs"):
        mtus = Subject.read(path).mtus
    assert [mtu.em_delay for mtu in mtus] == [0.05, 0.015, 0.015]
    assert [mtu.max_contraction_velocity for mtu in mtus] == [8.0, 10.0, 10.0]
    assert [mtu.damping for mtu in mtus] == [0.0, 0.1, 0.1]


def test_degrees_become_radians(path, tmp_path):
    edit(path, "<pennationAngle>0.4363", '<pennationAngle unit="deg">25')
    subject = Subject.read(path)
    assert subject.mtus[0].pennation_angle == math.radians(25.0)
    subject.write(tmp_path / "written.xml")
    node = etree.parse(tmp_path / "written.xml").find(".//pennationAngle")
    assert node.get("unit") == "rad"
    assert float(node.text) == math.radians(25.0)


def test_parameters_follow_the_order_of_ceinms(path):
    subject = Subject.read(path)
    matrix = subject.parameters()
    assert matrix.shape == (len(PARAMETER_KINDS), 3)
    for row, kind in zip(matrix, PARAMETER_KINDS, strict=True):
        expected = [getattr(mtu, PARAMETERS[kind].attribute) for mtu in subject.mtus]
        np.testing.assert_array_equal(row, expected)
    assert PARAMETER_KINDS.index("maxIsometricForce") + 1 == PARAMETER_KINDS.index(
        "maxContractionVelocity"
    )
    assert subject.with_parameters(matrix) == subject


def test_wrong_parameter_matrices(path):
    subject = Subject.read(path)
    n_kind = len(PARAMETER_KINDS)
    with pytest.raises(OptionError, match=rf"the shape \({n_kind}, 3\), got \(3, {n_kind}\)"):
        subject.with_parameters(subject.parameters().T)
    matrix = subject.parameters()
    matrix[3, 1] = np.nan
    with pytest.raises(OptionError, match="optimalFibreLength of gasmed_r"):
        subject.with_parameters(matrix)


def test_look_up_by_name(path):
    subject = Subject.read(path)
    assert subject.mtu_index("gasmed_r") == 1
    assert subject.mtus_on(["ankle_angle_r"]) == ("soleus_r", "gasmed_r")
    assert subject.mtus_on(["ankle_angle_r", "knee_angle_r"]) == MTU_NAMES
    with pytest.raises(DataError, match=r"'gasmed'. Did you mean 'gasmed_r'\?"):
        subject.mtu_index("gasmed")
    with pytest.raises(DataError, match=r"'knee_angle_l'. Did you mean 'knee_angle_r'\?"):
        subject.mtus_on(["knee_angle_l"])


@pytest.mark.parametrize(
    ("old", "new", "marker", "message"),
    [
        ("h>0.05<", "h>-0.05<", "-0.05", "<optimalFibreLength>: expected a number > 0, got -0.05"),
        ("h>0.25<", "h>0<", ">0</tendonSlack", "<tendonSlackLength>: expected a number > 0, got 0"),
        ("e>3549.0<", "e>NaN<", "NaN", "<maxIsometricForce>: expected a finite number, got 'NaN'"),
        ("e>0.4363<", "e>25<", ">25<", 'from 0 to below 1.571, got 25. Angles.*unit="deg"'),
        ("<c1>-0.6<", "<c1>-1.1<", "-1.1", "<c1>: expected a number from -1 to 1, got -1.1"),
        ("<name>gasmed_r<", "<name>soleus_r<", "<mtu>", "every MTU name once, got 'soleus_r'"),
        ("<name>gasmed_r<", "<name>gas med<", "gas med", "a name without blanks, got 'gas med'"),
        (
            ">gasmed_r recfem_r<",
            ">gasmed_r rectfem_r<",
            "rectfem_r<",
            r"names of MTUs in mtuSet, got 'rectfem_r'. Did you mean 'recfem_r'\?",
        ),
        (">gasmed_r recfem_r<", ">recfem_r recfem_r<", "recfem_r recfem_r", "'recfem_r' twice"),
        ("<name>ankle_angle_r<", "<name>knee_angle_r<", "<dof>", "every DOF name once"),
        (
            ">-10 -1 -0.6 ",
            ">-10 -1 -1 ",
            "-10 -1 -1",
            "strictly increasing numbers, got -1 after -1",
        ),
        (">0 0 0.08 ", ">0 0 ", ">0 0 0.2", "11 numbers, one per xPoint, got 10"),
        (
            "<name>forceVelocity<",
            "<name>forceVel<",
            "<mtuDefault>",
            "got no forceVelocity. Did you",
        ),
        (
            "<name>forceVelocity<",
            "<name>tendonForceStrain<",
            "<curve>",
            "'tendonForceStrain' twice",
        ),
    ],
)
def test_faults_name_their_line(path, old, new, marker, message):
    edit(path, old, new)
    error = fault(path)
    assert re.search(message, str(error)), str(error)
    lines = [i for i, t in enumerate(path.read_text().split("\n"), start=1) if marker in t]
    assert error.where.line in lines


def test_one_missing_curve_is_named(path):
    text = path.read_text()
    start = text.index("    <curve>\n      <name>passive")
    end = text.index("</curve>", start) + len("</curve>")
    path.write_text(text[:start] + text[end:])
    error = fault(path)
    assert error.got == "no passiveForceLength"
    assert error.where.line == line_with(path, "<mtuDefault>")


def test_no_curves_at_all_are_fine(tmp_path):
    folder = write_tiny_folder(tmp_path / "tiny", curves=False)
    assert Subject.read(folder / "subject.xml").curves == {}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<c1>-0.6<", "<c1>-1<", "c1 should be .* above -1 to below 1 .*; check soleus_r"),
        ("<emDelay>0.015<", "<emDelay>15<", "from 0 to 0.2 .seconds; .*check .*gasmed_r"),
    ],
)
def test_doubtful_values_warn(path, old, new, message):
    edit(path, old, new)
    with pytest.warns(CeinmsTorchWarning, match=message):
        Subject.read(path)


N_VALUE = len(PARAMETER_KINDS) * 3
FACTORS = st.lists(st.floats(0.25, 4.0), min_size=N_VALUE, max_size=N_VALUE)


@pytest.mark.filterwarnings("ignore:.*emDelay")  # random ones differ
@given(factors=FACTORS, shared=st.floats(0.0, 0.5))
def test_written_values_are_read_back_exactly(tmp_path_factory, factors, shared):
    folder = tmp_path_factory.mktemp("subject")
    subject = Subject.read(write_tiny_folder(folder / "tiny", n_trial=0) / "subject.xml")
    matrix = subject.parameters() * np.array(factors).reshape(-1, 3)
    matrix[:2] /= 4.0  # keeps the filter stable
    matrix[4] = np.minimum(matrix[4], 1.5)
    matrix[PARAMETER_KINDS.index("percentageChange")] = shared
    changed = subject.with_parameters(matrix)
    changed.write(folder / "first.xml")
    first = Subject.read(folder / "first.xml")
    np.testing.assert_array_equal(first.parameters(), matrix)
    assert (first.dofs, first.curves) == (subject.dofs, subject.curves)
    first.write(folder / "second.xml")
    assert (folder / "second.xml").read_text() == (folder / "first.xml").read_text()


def test_written_file_follows_the_grammar_and_keeps_the_rest(path, tmp_path):
    edit(path, "<mtuSet>", "<!-- right leg --><mtuSet>")
    edit(path, "</subject>", "<labNotes>a.osim</labNotes></subject>")
    with pytest.warns(CeinmsTorchWarning, match="labNotes"):
        subject = Subject.read(path)
    matrix = subject.parameters()
    matrix[PARAMETER_KINDS.index("damping"), 2] = 0.2
    matrix[PARAMETER_KINDS.index("emDelay"), 2] = 0.03
    subject.with_parameters(matrix).write(tmp_path / "new" / "subject.xml")
    text = (tmp_path / "new" / "subject.xml").read_text()
    assert "<!-- right leg -->" in text
    assert text.count("<maxContractionVelocity>10.0<") == 3
    assert text.count('<pennationAngle unit="rad">') == 3
    assert text.count("<damping>") == text.count("<emDelay>") == 2
    assert "<maxIsometricForce>3549.0<" in text
    tree = etree.fromstring(text.encode())
    unknown = tree.find("labNotes")
    assert unknown.text == "a.osim"
    tree.remove(unknown)
    etree.XMLSchema(etree.parse(SCHEMAS / "subject.xsd")).assertValid(tree)
    assert [node.tag for node in tree.findall(".//mtu")[2]] == [
        "name",
        "emDelay",
        "c1",
        "c2",
        "shapeFactor",
        "optimalFibreLength",
        "pennationAngle",
        "tendonSlackLength",
        "maxContractionVelocity",
        "damping",
        "maxIsometricForce",
        "strengthCoefficient",
    ]


def test_what_ceinms_lacks_is_written_only_where_it_is_not_at_its_default(path, tmp_path):
    subject = Subject.read(path)
    written = tmp_path / "subject.xml"
    assert [mtu.tendon_stiffness for mtu in subject.mtus] == [1.0, 1.0, 1.0]
    subject.write(written)
    assert "tendonStiffness" not in written.read_text()
    matrix = subject.parameters()
    matrix[PARAMETER_KINDS.index("tendonStiffness"), 1] = 1.25
    stiffer = subject.with_parameters(matrix)
    for one in (stiffer, dataclasses.replace(stiffer, document=None)):
        one.write(written)
        nodes = etree.parse(written).findall(".//mtu")
        assert [node.findtext("tendonStiffness") for node in nodes] == [None, "1.25", None]
        assert [node.tag for node in nodes[1]][6:9] == [
            "tendonSlackLength",
            "tendonStiffness",
            "maxContractionVelocity",
        ]
        assert Subject.read(written).mtus == stiffer.mtus
    # Where it was, it stays.
    edit(written, ">1.25<", ">1.0<")
    Subject.read(written).write(tmp_path / "again.xml")
    assert (tmp_path / "again.xml").read_text().count("<tendonStiffness>1.0<") == 1


@pytest.mark.parametrize("kind", PARAMETERS.values(), ids=PARAMETERS)
def test_what_a_file_is_refused_for_is_refused_in_memory(kind, path):
    subject = Subject.read(path)
    ends = (kind.allowed.low, kind.allowed.high)
    refused = [end for end in ends if math.isfinite(end) and end not in kind.allowed]
    refused += [kind.allowed.low - 0.1, kind.allowed.high + 0.1, math.nan, math.inf]
    for value in refused:
        with pytest.raises(OptionError, match=f"{kind.name} of {MTU_NAMES[0]}"):
            dataclasses.replace(subject.mtus[0], **{kind.attribute: value})
    for value in (end for end in ends if end in kind.allowed):
        dataclasses.replace(subject.mtus[0], **{kind.attribute: value})


def test_history(path, tmp_path):
    first, second = tmp_path / "first.xml", tmp_path / "second.xml"
    plan = path.with_name("calibration.xml")
    Subject.read(path).write(first, calibrated_from=path, calibration_file=plan)
    info = etree.parse(first).find("calibrationInfo")
    assert [node.tag for node in info] == ["calibrated"]
    assert history(first) == ("tiny/subject.xml", "tiny/calibration.xml")
    again = tmp_path / "again.xml"
    Subject.read(first).write(second, calibrated_from=first, calibration_file=again)
    assert history(second) == ("tiny/subject.xml", "tiny/calibration.xml again.xml")


def history(file):
    """Return what a subject file says it came from."""
    info = etree.parse(file).find("calibrationInfo/calibrated")
    return info.findtext("startSubjectFile"), info.findtext("calibrationSequence")


def test_history_does_not_depend_on_the_current_folder(path, tmp_path, monkeypatch):
    written = tmp_path / "results" / "subject.xml"
    for current in (tmp_path, path.parent):
        monkeypatch.chdir(current)
        start = os.path.relpath(path)
        Subject.read(start).write(
            os.path.relpath(written),
            calibrated_from=start,
            calibration_file=os.path.relpath(path.with_name("calibration.xml")),
        )
        assert history(written) == ("../tiny/subject.xml", "../tiny/calibration.xml")


def test_history_moves_with_the_subject(path, tmp_path):
    """Names relative to the old file become names relative to the new one."""
    first, second = tmp_path / "a" / "first.xml", tmp_path / "b" / "c" / "second.xml"
    plan = path.with_name("calibration.xml")
    Subject.read(path).write(first, calibrated_from=path, calibration_file=plan)
    # As CEINMS writes it: relative to the folder it was started in.
    edit(first, ">../tiny/calibration.xml<", ">../tiny/calibration.xml cfg/first.xml<")
    Subject.read(first).write(second, calibrated_from=first, calibration_file=plan)
    moved = "../../tiny/calibration.xml"
    assert history(second) == ("../../tiny/subject.xml", f"{moved} cfg/first.xml {moved}")


def test_history_keeps_names_with_blanks_apart(path, tmp_path):
    plan = tmp_path / "my study" / "calibration.xml"
    plan.parent.mkdir()
    plan.write_text("")
    first, second = tmp_path / "first.xml", tmp_path / "my study" / "second.xml"
    Subject.read(path).write(first, calibrated_from=path, calibration_file=plan)
    assert history(first)[1] == '"my study/calibration.xml"'
    Subject.read(first).write(tmp_path / "same.xml", calibrated_from=first, calibration_file=plan)
    assert history(tmp_path / "same.xml")[1] == " ".join(['"my study/calibration.xml"'] * 2)
    Subject.read(first).write(second, calibrated_from=first, calibration_file=path)
    assert history(second)[1] == "calibration.xml ../tiny/subject.xml"


def test_delays_that_differ_are_one_warning(path, tmp_path):
    edit(path, "<c1>", "<emDelay>0.05</emDelay><c1>")
    with pytest.warns(CeinmsTorchWarning, match="emDelay differs between MTUs") as caught:
        subject = Subject.read(path)
    (warning,) = caught
    assert "CEINMS 0.9 gives all of them that of the first, soleus_r (0.05 s)" in str(
        warning.message
    )
    matrix = subject.parameters()
    matrix[PARAMETER_KINDS.index("emDelay")] = 0.05
    subject.with_parameters(matrix).write(tmp_path / "same.xml")
    Subject.read(tmp_path / "same.xml")  # without a warning


def test_percentage_change_is_one_for_all(path, tmp_path):
    subject = Subject.read(path)
    matrix = subject.parameters()
    row = PARAMETER_KINDS.index("percentageChange")
    matrix[row] = 0.2
    subject.with_parameters(matrix).write(tmp_path / "written.xml")
    assert "<percentageChange>0.2<" in (tmp_path / "written.xml").read_text()
    matrix[row, 0] = 0.3
    with pytest.raises(OptionError, match=r"one value for all MTUs.*from 0.2 to 0.3"):
        subject.with_parameters(matrix).write(tmp_path / "never.xml")
    assert not (tmp_path / "never.xml").exists()


def test_subject_made_in_memory(path, tmp_path):
    read = Subject.read(path)
    curves = {name: Curve(name=name, x=(0.0, 1.0), y=(0.0, 0.5)) for name in CURVE_NAMES}
    mtus = tuple(dataclasses.replace(mtu, em_delay=0.01 * i) for i, mtu in enumerate(read.mtus))
    made = Subject(mtus=mtus, dofs=(Dof(name="ankle", mtu_names=("soleus_r",)),), curves=curves)
    made.write(tmp_path / "made.xml")
    with pytest.warns(CeinmsTorchWarning, match="emDelay differs"):
        back = Subject.read(tmp_path / "made.xml")
    assert (back.mtus, back.dofs, back.curves) == (made.mtus, made.dofs, made.curves)
    dataclasses.replace(read, mtus=mtus[:1], dofs=made.dofs).write(tmp_path / "fewer.xml")
    assert Subject.read(tmp_path / "fewer.xml").mtu_names == ("soleus_r",)


def test_reference_subjects(shared_dir, tmp_path):
    files = sorted(shared_dir.rglob("subject*.xml"))
    assert len(files) >= 3
    for file in files:
        subject = Subject.read(file)
        subject.write(tmp_path / "written.xml")
        written = Subject.read(tmp_path / "written.xml")
        assert dataclasses.replace(written, path=file) == subject
