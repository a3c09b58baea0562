"""Smooth curves as points of a subject, which CEINMS reads: the curves they stand for."""

import numpy as np
import pytest

import ceinms_torch as ct
from ceinms_torch import _kernel
from ceinms_torch.model.subject import CURVE_NAMES
from ceinms_torch.simulation.curves import curve_values
from ceinms_torch.simulation.smooth_curves import CURVE_SETS, degroote_curves
from helpers import write_tiny_folder

# Where fibres and tendons work; the rest of passive force is beyond all measure.
WITHIN = {
    "activeForceLength": (0.3, 1.8),
    "passiveForceLength": (0.5, 1.7),
    "forceVelocity": (-1.0, 1.0),
    "tendonForceStrain": (0.0, 0.08),
}


@pytest.mark.parametrize("name", CURVE_NAMES)
def test_points_of_de_groote_stand_for_the_curve(name):
    curve, table = degroote_curves()[name], _kernel.default_tables()[CURVE_NAMES.index(name)]
    x = np.linspace(*WITHIN[name], 2000)
    spline = _kernel.spline_value(np.array(curve.x), np.array(curve.y), x)
    np.testing.assert_allclose(spline, curve_values(table, x), atol=3e-4)


@pytest.mark.parametrize("curves", [name for name in CURVE_SETS if name != "file"])
def test_ceinms_runs_a_subject_with_smooth_curves(tmp_path, curves):
    folder = ct.CalibrationFolder.read(write_tiny_folder(tmp_path) / "calibrationSetup.xml")
    subject = ct.with_curves(folder.subject, curves)
    subject.write(tmp_path / "smooth.xml")
    again = ct.Subject.read(tmp_path / "smooth.xml")
    assert dict(again.curves) == dict(subject.curves)
    own = ct.simulate(subject, folder.trials[0], tendon="stiff").joint_moment.array
    assert np.isfinite(own).all()
    assert ct.with_curves(folder.subject, "file") is folder.subject
