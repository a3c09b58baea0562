"""Curves of the manual's example are recognised by their values, and no others."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ceinms_torch as ct
from ceinms_torch.inputs.checks.curves import check_curves, is_example
from ceinms_torch.simulation.smooth_curves import degroote_curves, millard_curves
from helpers import CURVES

MANUAL = {
    name: ct.Curve(name=name, x=tuple(map(float, x.split())), y=tuple(map(float, y.split())))
    for name, (x, y) in CURVES.items()
}
# What ceinms2 has built in (reference G.2), which looks alike.
OTHER = {
    "activeForceLength": (
        (0.4241, 0.4641, 0.5441, 0.6241, 0.7041, 0.7441, 0.8641, 0.9441, 0.9841, 1.0641, 1.1041),
        (0.0, 0.0036, 0.2531, 0.5362, 0.7739, 0.8204, 0.926, 0.9919, 1.0, 0.9907, 0.9524),
    ),
    "passiveForceLength": (
        (1.0, 1.116, 1.22, 1.324, 1.428, 1.61, 2.0),
        (0.0, 0.0208, 0.0604, 0.1536, 0.3117, 0.7448, 1.8571),
    ),
    "forceVelocity": (
        (-1.0, -0.624, -0.312, -0.104, 0.0, 0.104, 0.312, 0.624, 0.832, 0.988),
        (0.0, 0.0939, 0.3174, 0.6162, 1.0, 1.2278, 1.2972, 1.3507, 1.3823, 1.4),
    ),
    "tendonForceStrain": (
        (0.0, 0.01, 0.02, 0.06, 0.1, 0.14, 0.18),
        (0.0, 0.094, 0.2609, 1.3087, 2.4311, 3.5536, 4.676),
    ),
}


@pytest.mark.parametrize("name", MANUAL)
@given(digits=st.integers(3, 7), first=st.integers(0, 2), last=st.integers(0, 2))
def test_rounded_and_without_its_ends_it_is_the_example(name, digits, first, last):
    curve = MANUAL[name]
    points = list(zip(curve.x, curve.y, strict=True))[first : len(curve.x) - last]
    rounded = {float(f"{x:.{digits}g}"): float(f"{y:.{digits}g}") for x, y in points}
    assert is_example(ct.Curve(name=name, x=tuple(rounded), y=tuple(rounded.values())))


@pytest.mark.parametrize("name", MANUAL)
@given(factor=st.floats(1.05, 1.5), along=st.booleans())
def test_stretched_it_is_another_curve(name, factor, along):
    curve = MANUAL[name]
    x, y = np.array(curve.x), np.array(curve.y)
    x, y = (x * factor, y) if along else (x, y * factor)
    assert not is_example(ct.Curve(name=name, x=tuple(x.tolist()), y=tuple(y.tolist())))


@pytest.mark.parametrize("name", MANUAL)
def test_curves_of_others_are_not_the_example(name):
    x, y = OTHER[name]
    for curve in (degroote_curves()[name], millard_curves()[name], ct.Curve(name=name, x=x, y=y)):
        assert not is_example(curve)


def test_a_folder_to_calibrate_hears_of_it(tmp_path):
    mtu = ct.Mtu(
        name="soleus",
        c1=-0.5,
        c2=-0.5,
        shape_factor=-1.0,
        optimal_fibre_length=0.05,
        pennation_angle=0.1,
        tendon_slack_length=0.2,
        max_isometric_force=1000.0,
        em_delay=0.02,
        damping=0.1,
        percentage_change=0.15,
    )
    dof = ct.Dof(name="ankle", mtu_names=("soleus",))
    subject = ct.Subject(mtus=(mtu,), dofs=(dof,), curves=MANUAL)
    (finding,) = check_curves(subject, is_calibration=True)
    assert (finding.severity, finding.code) == ("note", "curve-example")
    assert "nobody's measurement" in finding.why
    assert "--curves file,degroote,millard" in finding.to_do
    assert not list(check_curves(subject, is_calibration=False))
    smooth = dataclasses.replace(subject, curves=degroote_curves())
    assert not list(check_curves(smooth, is_calibration=True))
    mixed = dataclasses.replace(
        subject, curves={**MANUAL, "forceVelocity": millard_curves()["forceVelocity"]}
    )
    (finding,) = check_curves(mixed, is_calibration=True)
    assert "forceVelocity" not in finding.what
