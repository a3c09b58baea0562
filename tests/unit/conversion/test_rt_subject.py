"""Subjects of CEINMS-RT: what they become, and what cannot be converted."""

import math

import pytest

from ceinms_torch.conversion.rt_subject import read_rt_subject
from ceinms_torch.errors import CeinmsTorchWarning, FileFormatError, OptionError
from ceinms_torch.model.excitation_generator import ExcitationGenerator
from ceinms_torch.model.subject import CURVE_NAMES, Subject
from helpers import CURVES, edit, line_with
from rt_files import write_rt_subject


@pytest.fixture
def path(tmp_path):
    return write_rt_subject(tmp_path / "subjectRT.xml")


def test_values(path):
    subject, _ = read_rt_subject(path, em_delay=0.04)
    assert subject.mtu_names == ("soleus_r", "vasint_r")
    assert [(dof.name, dof.mtu_names) for dof in subject.dofs] == [
        ("ankle_angle_r", ("soleus_r",)),
        ("knee_angle_r", ("vasint_r",)),
    ]
    soleus = subject.mtus[0]
    assert (soleus.c1, soleus.c2, soleus.shape_factor) == (-0.5, -0.4, -0.8)
    assert (soleus.optimal_fibre_length, soleus.tendon_slack_length) == (0.05, 0.25)
    assert soleus.pennation_angle == math.radians(25.0)
    assert (soleus.max_isometric_force, soleus.strength_coefficient) == (3549.0, 0.9)
    assert (soleus.percentage_change, soleus.damping) == (0.15, 0.5)
    assert (soleus.em_delay, soleus.max_contraction_velocity) == (0.04, 10.0)


def test_curves_are_those_of_the_file_and_the_tendon_curve_of_the_program(path):
    subject, _ = read_rt_subject(path)
    assert tuple(subject.curves) == CURVE_NAMES
    for name, (x, y) in CURVES.items():
        curve = subject.curves[name]
        assert (curve.x, curve.y) == tuple(tuple(map(float, text.split())) for text in (x, y))


def test_excitations_are_the_means_of_the_channels(path):
    subject, generator = read_rt_subject(path)
    assert generator.input_signals == ("SOL", "VM", "VL")
    assert generator.weights(subject.mtu_names, generator.input_signals).tolist() == [
        [1.0, 0.0, 0.0],
        [0.0, 0.5, 0.5],
    ]


def test_muscles_without_channel_are_silent(path):
    edit(
        path,
        "<muscleSequence>vasint_r</muscleSequence>\n    </Channel>",
        "<muscleSequence/></Channel>",
        2,
    )
    subject, generator = read_rt_subject(path)
    assert generator.recorded(subject.mtu_names) == (True, False)


def test_muscles_without_dof_are_left_out_and_said(path):
    edit(path, "<muscleSequence>soleus_r</muscleSequence>", "<muscleSequence/>")
    with pytest.warns(CeinmsTorchWarning, match="left out, as CEINMS-RT does: soleus_r"):
        subject, generator = read_rt_subject(path)
    assert subject.mtu_names == ("vasint_r",)
    assert [excitation.id for excitation in generator.excitations] == ["vasint_r"]
    assert generator.input_signals == ("SOL", "VM", "VL")


def test_what_is_written_is_read_back(path, tmp_path):
    subject, generator = read_rt_subject(path)
    subject.write(tmp_path / "subject.xml")
    generator.write(tmp_path / "excitationGenerator.xml")
    again = Subject.read(tmp_path / "subject.xml")
    assert (again.mtus, again.dofs, again.curves) == (subject.mtus, subject.dofs, subject.curves)
    read = ExcitationGenerator.read(tmp_path / "excitationGenerator.xml")
    assert read.excitations == generator.excitations


@pytest.mark.parametrize(
    ("old", "new", "marker", "message"),
    [
        ("<C1>-0.5</C1>", "<C1>-0.5</C1><emg>1</emg>", "<emg>", "expected <C2> at this place"),
        ("<pennationAngle>25<", "<pennationAngle>95<", ">95<", "a number from 0 to below 1.571"),
        ("<optimalFiberLength>0.05<", "<optimalFiberLength>0<", "Length>0<", "a number > 0, got 0"),
        ("<name>vasint_r<", "<name>soleus_r<", None, "every muscle name once, got 'soleus_r'"),
        ("<name>VL<", "<name>VM<", None, "every channel name once, got 'VM'"),
        (">soleus_r</muscleSequence>", ">solus_r</muscleSequence>", "solus_r", "'soleus_r'?"),
        ("<name>forceVelocity<", "<name>velocity<", "<muscleDefault>", "none named forceVelocity"),
    ],
)
def test_what_cannot_be_converted_is_an_error(path, old, new, marker, message):
    edit(path, old, new)
    with pytest.raises(FileFormatError) as caught:
        read_rt_subject(path)
    assert message in str(caught.value)
    if marker is not None:
        assert caught.value.where.line == line_with(path, marker)


def test_delay_must_be_a_number(path):
    with pytest.raises(OptionError, match="emDelay: expected a finite number"):
        read_rt_subject(path, em_delay=math.nan)


def test_subjects_of_ceinms_are_not_those_of_ceinms_rt(tiny_folder):
    with pytest.raises(FileFormatError, match="expected <muscleDefault> at this place"):
        read_rt_subject(tiny_folder / "subject.xml")
