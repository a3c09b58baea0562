"""Subjects in memory: by name, changed, and refused for what a file would be refused for."""

import dataclasses

import pytest

from ceinms_torch.errors import OptionError, UnknownNameError
from ceinms_torch.model.parameters import parameter_row
from ceinms_torch.model.subject import Curve, Dof, Subject


@pytest.fixture
def path(tiny_folder):
    return tiny_folder / "subject.xml"


def test_mtus_by_name(path):
    subject = Subject.read(path)
    assert subject["soleus_r"] == subject.mtus[0]
    assert "soleus_r" in subject
    assert "soleus" not in subject
    with pytest.raises(KeyError, match=r"got 'soleus'.*Did you mean 'soleus_r'"):
        subject["soleus"]
    changed = subject.replace_mtu("gasmed_r", optimal_fibre_length=0.07, damping=0.2)
    assert changed["gasmed_r"].optimal_fibre_length == 0.07
    assert changed["gasmed_r"].damping == 0.2
    assert changed["soleus_r"] == subject["soleus_r"]
    with pytest.raises(UnknownNameError, match="Did you mean 'optimal_fibre_length'"):
        subject.replace_mtu("gasmed_r", optimal_fiber_length=0.07)


def test_rows_of_parameters_by_name(path):
    subject = Subject.read(path)
    row = parameter_row("tendonSlackLength")
    assert subject.parameters()[row].tolist() == [one.tendon_slack_length for one in subject.mtus]
    with pytest.raises(UnknownNameError, match="Did you mean 'tendonSlackLength'"):
        parameter_row("tendonSlacklength")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: {"mtus": s.mtus + s.mtus[:1]}, "expected every MTU once, got 'soleus_r' twice"),
        (lambda s: {"dofs": s.dofs * 2}, "expected every DOF once, got 'knee_angle_r' twice"),
        (
            lambda _: {"dofs": (Dof(name="hip", mtu_names=("recfem_r", "recfem_r")),)},
            "expected every MTU of hip once, got 'recfem_r' twice",
        ),
        (
            lambda _: {"dofs": (Dof(name="hip", mtu_names=("recfem",)),)},
            "name of an MTU, got 'recfem'. Did you mean 'recfem_r'",
        ),
        (
            lambda s: {"curves": {"forceVelocity": s.curves["forceVelocity"]}},
            "all four curves or none .*got no activeForceLength, no passiveForceLength, no tendon",
        ),
    ],
)
def test_what_a_file_would_be_refused_for_is_refused_in_memory(path, change, message):
    subject = Subject.read(path)
    with pytest.raises((OptionError, UnknownNameError), match=message):
        dataclasses.replace(subject, **change(subject))


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ((0.0,), (1.0,), "xPoints, tendon: expected at least two points, got 1"),
        ((0.0, 1.0), (1.0,), "yPoints, tendon: expected 2 numbers, one per xPoint, got 1"),
        ((0.0, 0.0), (1.0, 2.0), "expected strictly increasing numbers, got 0 after 0"),
        ((0.0, 1.0), (1.0, float("nan")), "expected finite numbers, got NaN or infinity"),
    ],
)
def test_points_that_make_no_curve(x, y, message):
    with pytest.raises(OptionError, match=message):
        Curve(name="tendon", x=x, y=y)
