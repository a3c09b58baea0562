"""Preferences in the calibration file and their options; the rest is in test_calibration.py."""

import re

import pytest

import ceinms_torch as ct

GROUPS = (("vaslat_r", "vasmed_r"), ("gasmed_r", "gaslat_r", "soleus_r"))
OBJECTIVE = ct.Objective(
    variance_floor=0.25,
    fibre_length_weight=50.0,
    peak_force_weight=0.25,
    parameter_prior_weight=1 / 3,
    group_coherence_weight=2.0,
    group_coherence_muscles=GROUPS,
)
XML = """<minimizeTorqueError>
  <varianceFloor>0.25</varianceFloor>
  <peakForce><weight>0.25</weight></peakForce>
  <parameterPrior><weight>1e-2</weight></parameterPrior>
  <groupCoherence>
    <weight>2</weight>
    <muscles>vaslat_r vasmed_r</muscles>
    <muscles>gasmed_r gaslat_r soleus_r</muscles>
  </groupCoherence>
</minimizeTorqueError>"""


@pytest.fixture
def calibration(gait_folder, tmp_path):
    """Return a function that reads the shipped calibration with another objective."""

    def read(xml):
        text = (gait_folder / "calibration.xml").read_text(encoding="utf-8")
        assert text.count("<minimizeTorqueError />") == 1
        path = tmp_path / "calibration.xml"
        path.write_text(text.replace("<minimizeTorqueError />", xml), encoding="utf-8")
        return ct.CalibrationPlan.read(path, must_exist=False)

    return read


def test_preferences_are_read(calibration):
    assert calibration(XML).steps[0].objective == ct.Objective(
        variance_floor=0.25,
        peak_force_weight=0.25,
        parameter_prior_weight=0.01,
        group_coherence_weight=2.0,
        group_coherence_muscles=GROUPS,
    )


PRIORS = """<range>0.5 2.5</range>
          </absolute>
          <prior>
            <weight>0.5</weight>
            <centre>1.25</centre>
            <muscles>soleus_r gasmed_r</muscles>
          </prior>
          <prior>
            <weight>0</weight>
          </prior>"""


@pytest.fixture
def with_priors(gait_folder, tmp_path):
    """Return a function that writes the shipped calibration with priors of the strength."""

    def write(priors=PRIORS):
        text = (gait_folder / "calibration.xml").read_text(encoding="utf-8")
        text, n = re.subn(
            r"(strengthCoefficient.*?)<range>.*?</absolute>",
            rf"\g<1>{priors}",
            text,
            flags=re.DOTALL,
        )
        assert n == 1
        path = tmp_path / "calibration.xml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_priors_are_read_and_written(with_priors, tmp_path):
    plan = ct.CalibrationPlan.read(with_priors(), must_exist=False)
    (strength,) = [one for one in plan.steps[0].parameters if one.kind == "strengthCoefficient"]
    assert strength.priors == (
        ct.Prior(weight=0.5, centre=1.25, muscles=("soleus_r", "gasmed_r")),
        ct.Prior(weight=0.0),
    )
    plan.write(tmp_path / "again.xml")
    assert ct.CalibrationPlan.read(tmp_path / "again.xml", must_exist=False).steps == plan.steps


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1.25", "250", r"prior of strengthCoefficient: expected a centre within the range"),
        ("<weight>0</weight>", "<weight>-1</weight>", "weight: expected a number >= 0, got -1"),
        ("<weight>0</weight>", "<muscles>soleus_r</muscles>", "expected one for soleus_r, got 2"),
    ],
)
def test_faulty_priors_are_refused_with_their_place(with_priors, old, new, message):
    with pytest.raises(ct.FileFormatError, match=rf"calibration\.xml:\d+.*{message}"):
        ct.CalibrationPlan.read(with_priors(PRIORS.replace(old, new)), must_exist=False)


def test_unknown_muscle_of_a_prior(with_priors, gait_folder):
    plan = ct.CalibrationPlan.read(
        with_priors(PRIORS.replace("gasmed_r", "gasmde_r")), must_exist=False
    )
    subject = ct.Subject.read(gait_folder / "subjectUncalibrated.xml")
    with pytest.raises(ct.DataError, match=r"<prior>: .*'gasmde_r'.*gasmed_r"):
        plan.check_names(subject)


def test_written_is_read_and_written_alike(calibration, tmp_path):
    plan = calibration(XML)
    first, second = tmp_path / "first.xml", tmp_path / "second.xml"
    plan.write(first)
    again = ct.CalibrationPlan.read(first, must_exist=False)
    assert again.steps == plan.steps
    again.write(second)
    assert first.read_bytes() == second.read_bytes()


def test_defaults_are_not_written(calibration, tmp_path):
    calibration("<minimizeTorqueError/>").write(tmp_path / "plain.xml")
    text = (tmp_path / "plain.xml").read_text(encoding="utf-8")
    assert re.search(r"<minimizeTorqueError\s*/>", text)


def test_dictionaries_hold_everything():
    values = OBJECTIVE.to_dict()
    assert values["parameterPrior"] == {"weight": 1 / 3}
    assert values["groupCoherence"]["muscles"] == [list(group) for group in GROUPS]
    assert ct.Objective.from_dict(values) == OBJECTIVE
    assert OBJECTIVE.without_preferences() == ct.Objective(
        variance_floor=0.25, fibre_length_weight=50.0
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variance_floor": -0.1}, "varianceFloor: expected a number from 0 to 1, got -0.1"),
        ({"variance_floor": 1.1}, "varianceFloor: expected a number from 0 to 1, got 1.1"),
        (
            {"variance_floor": 0.25, "normalisation": "rmse"},
            "varianceFloor: expected none, or 0, with the normalisation rmse, got 0.25",
        ),
        ({"peak_force_weight": -1.0}, "peakForce weight: expected a number >= 0, got -1.0"),
        ({"parameter_prior_weight": float("nan")}, "parameterPrior weight: expected a number >= 0"),
        ({"group_coherence_weight": "1"}, "groupCoherence weight: expected a number >= 0"),
        ({"group_coherence_weight": 1.0}, "groupCoherence muscles: expected at least one group"),
        (
            {"group_coherence_muscles": (("soleus_r",),)},
            "at least two different MTUs in every group, got 'soleus_r'",
        ),
        (
            {"group_coherence_muscles": (("soleus_r", "soleus_r"),)},
            "at least two different MTUs in every group, got 'soleus_r soleus_r'",
        ),
    ],
)
def test_options_outside_their_ranges_are_refused(changes, message):
    with pytest.raises(ct.OptionError, match=re.escape(message)):
        ct.Objective(**changes)


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        ("<parameterPrior><weight>-1</weight></parameterPrior>", "parameterPrior weight"),
        ("<varianceFloor>25</varianceFloor>", "varianceFloor"),
        (
            "<normalisation>rmse</normalisation><varianceFloor>0.25</varianceFloor>",
            "varianceFloor",
        ),
        ("<peakForce><weight>much</weight></peakForce>", "much"),
        ("<groupCoherence><weight>1</weight></groupCoherence>", "at least one group"),
        ("<peakForce/>", "weight"),
        ("<parameterPrior><range>0 1</range><weight>1</weight></parameterPrior>", "range"),
    ],
)
def test_faulty_elements_are_refused_with_their_place(calibration, xml, message):
    with pytest.raises(ct.FileFormatError, match=rf"calibration\.xml.*{message}"):
        calibration(f"<minimizeTorqueError>{xml}</minimizeTorqueError>")


def test_unknown_muscle_of_a_group(calibration, gait_folder):
    plan = calibration(XML.replace("gaslat_r", "gaslta_r"))
    subject = ct.Subject.read(gait_folder / "subjectUncalibrated.xml")
    with pytest.raises(ct.DataError, match=r"<groupCoherence>: .*'gaslta_r'.*gaslat_r"):
        plan.check_names(subject)
