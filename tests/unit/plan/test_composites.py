"""Composite objectives in the calibration file: read, kept, refused by name."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ceinms_torch as ct
from ceinms_torch.plan.composites import QUANTITIES
from ceinms_torch.plan.objective import Objective
from helpers import DOF_NAMES, MTU_NAMES, edit

ERROR = (
    "<torqueErrorNormalised><targets>all</targets><weight>1</weight><exponent>1</exponent>"
    "</torqueErrorNormalised>"
)
PENALTY = (
    "<penalty><targets>all</targets><targetsType>normalisedFibreLength</targetsType>"
    "<weight>100</weight><exponent>2</exponent><range>0.6 1.4</range></penalty>"
)


@pytest.fixture
def calibration(tiny_folder):
    """Return a function that reads the small calibration with another objective."""
    path = tiny_folder / "calibration.xml"
    text = path.read_text(encoding="utf-8")

    def read(xml):
        path.write_text(text.replace("<minimizeTorqueError/>", xml), encoding="utf-8")
        return ct.CalibrationPlan.read(path)

    return read


def test_published_objective(calibration):
    (step,) = calibration(ERROR + PENALTY).steps
    assert step.objective == Objective(
        normalisation="rmse",
        composites=(
            ct.TorqueError(),
            ct.RangePenalty(
                quantity="normalisedFibreLength", range=(0.6, 1.4), weight=100.0, exponent=2.0
            ),
        ),
    )
    assert step.objective.unit == "N m"
    assert step.moment_dofs(("hip", *DOF_NAMES)) == ("hip", *DOF_NAMES)


def test_targets_are_dofs_and_mtus(calibration):
    dof, mtu = DOF_NAMES[1], MTU_NAMES[0]
    error = ERROR.replace("all", dof).replace("torqueErrorNormalised", "torqueError")
    plan = calibration(error + PENALTY.replace("all", mtu))
    (step,) = plan.steps
    assert step.objective.torque_errors == (ct.TorqueError(targets=(dof,), normalised=False),)
    assert step.objective.penalties[0].targets == (mtu,)
    assert step.moment_dofs(DOF_NAMES) == (dof,)


@pytest.mark.parametrize(
    ("xml", "element", "known"),
    [
        (ERROR.replace("all", "hips"), "torqueErrorNormalised", DOF_NAMES),
        (ERROR + PENALTY.replace("all", DOF_NAMES[0]), "penalty", MTU_NAMES),
    ],
)
def test_unknown_targets(calibration, tiny_folder, xml, element, known):
    subject = ct.Subject.read(tiny_folder / "subject.xml")
    message = rf"calibration.xml:\d+: <targets> of <{element}>: .*{known[0]}"
    with pytest.raises(ct.DataError, match=message):
        calibration(xml).check_names(subject)


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        *(
            (f"{ERROR}<{name}><targets>all</targets></{name}>", f"got <{name}>, which changelogs")
            for name in ("maxPeak", "SumExcitation", "ExcitationTrackingError", "MaxSumPeak")
        ),
        ("<maxPeak/>", "<peakForce> of <minimizeTorqueError>"),
        (ERROR + PENALTY.replace("normalisedFibreLength", "torque"), "got 'torque', which would"),
        (
            ERROR + PENALTY.replace("normalisedFibreLength", "scalarContactForce"),
            "needs joint contact forces",
        ),
        (
            ERROR + PENALTY.replace("normalisedFibreLength", "fibreLength"),
            "expected one of normalisedFibreLength, normalisedFibreVelocity",
        ),
        (PENALTY, "got penalties alone"),
        (ERROR.replace("<exponent>1</exponent>", ""), "expected <exponent> inside"),
        (ERROR.replace("<exponent>1<", "<exponent>0.5<"), "exponent: expected a number >= 1"),
        (ERROR.replace("<weight>1<", "<weight>-1<"), "weight: expected a number >= 0"),
        (ERROR.replace("all", ""), "expected 'all' or names, got none"),
        (ERROR + PENALTY.replace("0.6 1.4", "1.4 0.6"), "The bounds are inverted"),
        (ERROR + PENALTY.replace("0.6 1.4", "1.4"), "expected two numbers, low and high, got 1"),
        (f"<minimizeTorqueError/>{ERROR}", "minimizeTorqueError or torqueErrorNormalised"),
    ],
)
def test_what_cannot_be_computed_is_refused_by_name(calibration, xml, message):
    with pytest.raises(ct.FileFormatError, match=rf"calibration\.xml:\d+: .*{re.escape(message)}"):
        calibration(xml)


def test_a_misspelt_composite_is_no_comment(calibration):
    """Left out like other unknown elements, it would change what is minimised."""
    with (
        pytest.warns(ct.CeinmsTorchWarning, match="torqueErrorNormalized"),
        pytest.raises(ct.FileFormatError, match="Did you mean 'torqueErrorNormalised'"),
    ):
        calibration(PENALTY + ERROR + ERROR.replace("Normalised", "Normalized"))


@pytest.mark.parametrize(
    ("xml", "bounds", "weight"),
    [
        ("<fibreLengthPenalty><weight>5</weight></fibreLengthPenalty>", (0.5, 1.5), 5.0),
        ("<fibreLengthPenalty><range>0.7 1.2</range></fibreLengthPenalty>", (0.7, 1.2), 100.0),
        ("<fibreLengthPenalty/>", (0.5, 1.5), 100.0),
    ],
)
@pytest.mark.parametrize("name", ["fibreLength", "tendonStrain"])
def test_everything_in_a_native_penalty_is_optional(calibration, name, xml, bounds, weight):
    default = ct.Objective()
    prefix = {"fibreLength": "fibre_length", "tendonStrain": "tendon_strain"}[name]
    (step,) = calibration(
        f"<minimizeTorqueError>{xml.replace('fibreLength', name)}</minimizeTorqueError>"
    ).steps
    if "range" not in xml:
        bounds = getattr(default, f"{prefix}_range")
    expected = {f"{prefix}_range": bounds, f"{prefix}_weight": weight}
    assert step.objective == ct.Objective(**expected)


weights = st.floats(0.0, 1e6)
exponents = st.floats(1.0, 9.0)


@st.composite
def composites(draw):
    def some(names):
        return tuple(draw(st.lists(st.sampled_from(names), unique=True, max_size=2)))

    errors = [
        ct.TorqueError(
            targets=some(DOF_NAMES),
            weight=draw(weights),
            exponent=draw(exponents),
            normalised=draw(st.booleans()),
        )
        for _ in range(draw(st.integers(1, 3)))
    ]
    penalties = [
        ct.RangePenalty(
            quantity=draw(st.sampled_from(QUANTITIES)),
            targets=some(MTU_NAMES),
            range=(draw(st.floats(0.0, 0.9)), draw(st.floats(0.91, 3.0))),
            weight=draw(weights),
            exponent=draw(exponents),
        )
        for _ in range(draw(st.integers(0, 3)))
    ]
    return tuple(draw(st.permutations([*errors, *penalties])))


@given(composites())
def test_written_is_read_and_dictionaries_hold_everything(tmp_path_factory, some):
    objective = Objective(normalisation="rmse", composites=some)
    assert Objective.from_dict(objective.to_dict()) == objective
    step = ct.CalibrationStep(
        dofs=DOF_NAMES,
        objective=objective,
        parameters=(ct.ParameterSpec(kind="c1", low=-0.9, high=-0.1),),
    )
    folder = tmp_path_factory.mktemp("written")
    first, second = folder / "first.xml", folder / "second.xml"
    plan = ct.CalibrationPlan(
        algorithm=ct.AdamW(improvement="absolute"),
        tendon=ct.Tendon(kind="stiff"),
        steps=(step,),
        trial_files=(folder / "trial.xml",),
    )
    plan.write(first)
    again = ct.CalibrationPlan.read(first, must_exist=False)
    assert again.steps == plan.steps
    assert again.algorithm == plan.algorithm
    again.write(second)
    assert first.read_bytes() == second.read_bytes()


def test_unknown_elements_stay_where_they_were(calibration, tiny_folder):
    edit(tiny_folder / "calibration.xml", "<dofs>", "<labNotes>left leg</labNotes><dofs>")
    with pytest.warns(ct.CeinmsTorchWarning, match="labNotes"):
        plan = ct.CalibrationPlan.read(tiny_folder / "calibration.xml")
    plan.write(tiny_folder / "again.xml")
    assert "<labNotes>left leg</labNotes>" in (tiny_folder / "again.xml").read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"normalisation": "variance"}, "normalisation: expected rmse, with composites"),
        ({"fibre_length_weight": 1.0}, "fibre_length_weight: expected 100.0, with composites"),
        ({"composites": (ct.RangePenalty(quantity="tendonStrain", range=(0, 1)),)}, "a torque"),
    ],
)
def test_composites_stand_alone(options, message):
    values = {"normalisation": "rmse", "composites": (ct.TorqueError(),), **options}
    with pytest.raises(ct.OptionError, match=message):
        Objective(**values)


def test_preferences_beside_composites_are_for_python_only(tmp_path):
    objective = Objective(
        normalisation="rmse", composites=(ct.TorqueError(),), parameter_prior_weight=1.0
    )
    step = ct.CalibrationStep(
        dofs=DOF_NAMES,
        objective=objective,
        parameters=(ct.ParameterSpec(kind="c1", low=-0.9, high=-0.1),),
    )
    plan = ct.CalibrationPlan(algorithm=ct.AdamW(), tendon=ct.Tendon(kind="stiff"), steps=(step,))
    with pytest.raises(ct.OptionError, match="composites without preferences in a file"):
        plan.write(tmp_path / "calibration.xml")
    assert Objective.from_dict(objective.to_dict()) == objective
    assert objective.without_preferences().composites == objective.composites
