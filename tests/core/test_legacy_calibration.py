"""The annealing of CEINMS 0.9, repeated evaluation by evaluation."""

import dataclasses

import numpy as np
import pytest

from ceinms_torch import _kernel
from ceinms_torch.calibration.parameter_space import ParameterSpace
from ceinms_torch.errors import CeinmsTorchWarning, OptionError
from ceinms_torch.inputs.calibrate import calibrate
from ceinms_torch.inputs.folder import CalibrationFolder
from ceinms_torch.model.parameters import PARAMETER_KINDS, PARAMETERS
from ceinms_torch.model.subject import Subject
from ceinms_torch.plan.objective import Objective
from ceinms_torch.plan.options import AdamW
from ceinms_torch.simulation.legacy.inputs import legacy_model, legacy_tables, legacy_trial
from ceinms_torch.simulation.legacy.run import simulate_legacy
from helpers import edit, write_tiny_folder

# evaluations and final objective of the real program
CALIBRATIONS = {
    "stiff_short": (336, 0.306512),
    "elastic_short": (336, 0.621552),
    "stiff_full": (12320, 0.000737362),
    "elastic_full": (12320, 0.0105394),
}
RECORDED = {"stiff": (117000, 4.14125), "elastic": (126750, 3.4645)}


def assert_repeats(setup, expected_subject, evaluations, objective):
    folder = CalibrationFolder.read(setup, legacy=True)
    result = calibrate(folder, method="annealing", threads=2)
    assert result.evaluations == evaluations
    assert float(f"{result.objective:.6g}") == objective
    expected = Subject.read(expected_subject).parameters()
    np.testing.assert_allclose(result.subject.parameters(), expected, rtol=1e-9, atol=0.0)
    return result


@pytest.mark.parametrize("case", CALIBRATIONS)
def test_annealing_repeats_ceinms(golden_dir, case):
    result = assert_repeats(
        golden_dir / f"calibrate_{case}.xml",
        golden_dir / "expected" / f"subjectCalibrated_{case}.xml",
        *CALIBRATIONS[case],
    )
    assert (result.method, result.engine) == ("annealing", "legacy")
    assert result.history[-1].objective == result.objective
    assert sum(result.terms.values()) == pytest.approx(result.objective, rel=1e-12)
    objectives = [item.objective for item in result.history]
    assert objectives == sorted(objectives, reverse=True)


@pytest.mark.parametrize("tendon", RECORDED)
def test_annealing_of_recorded_gait_repeats_ceinms(shared_dir, tendon):
    folder = shared_dir / "data" / "lower_limb" / "ceinms"
    if not folder.is_dir():
        pytest.skip(f"no recordings at {folder}")
    assert_repeats(
        folder / f"calibrate_{tendon}.xml",
        folder / "reference" / f"subjectCalibrated_{tendon}.xml",
        *RECORDED[tendon],
    )


# ---- The objective -----------------------------------------------------------------------


def read(path, **options):
    return CalibrationFolder.read(
        write_tiny_folder(path, **options) / "calibrationSetup.xml", legacy=True
    )


def problem_of(folder, space, threads=1):
    return _kernel.LegacyProblem(
        tables=legacy_tables(folder.subject),
        model=legacy_model(folder.plan.tendon, folder.plan.activation, online=False),
        trials=[legacy_trial(folder.subject, trial) for trial in folder.trials],
        measured=[trial.measured_moment for trial in folder.trials],
        dofs=np.arange(len(folder.subject.dofs)),
        map=space.map(),
        threads=threads,
    )


def objective_of_outputs(folder, subject):
    """Return D.3 from what a run says, in plain NumPy."""
    total = 0.0
    for trial in folder.trials:
        result = simulate_legacy(
            subject, trial, tendon=folder.plan.tendon, activation=folder.plan.activation
        )
        q = np.abs(result.simulation.norm_fibre_length.array - 1.0)
        penalty = np.sum(np.where(q > 0.5, 100.0 * q**2, 0.0))
        penalty += 100.0 * sum(result.failed.values())
        error = trial.measured_moment - result.simulation.joint_moment.array
        for dof in range(error.shape[1]):
            variance = np.var(trial.measured_moment[:, dof], ddof=1)
            total += (np.sum(error[:, dof] ** 2) / variance + penalty) / len(trial.time)
    return total


@pytest.mark.filterwarnings("ignore::ceinms_torch.errors.CeinmsTorchWarning")
@pytest.mark.parametrize("activation", ["exponential", "piecewise"])
@pytest.mark.parametrize("tendon", ["stiff", "equilibriumElastic"])
def test_objective_after_any_sequence_of_points_is_what_it_says(tmp_path, tendon, activation):
    """Results are kept between evaluations; the next test would miss what they get wrong."""
    folder = read(tmp_path, tendon=f"<{tendon}/>", activation=activation)
    step = folder.plan.steps[0]
    space = ParameterSpace.of(folder.subject, step, folder.plan, check_start=False)
    problem, threaded = problem_of(folder, space), problem_of(folder, space, threads=2)
    random = np.random.default_rng(1)
    x = np.array([component.start for component in space.components])
    for number in range(40):
        proposal = x.copy()
        k = random.integers(len(x))
        proposal[k] = random.uniform(space.lower[k], space.upper[k])
        got = problem.evaluate(proposal)
        matrix = space.map().parameters(proposal)
        expected = objective_of_outputs(folder, folder.subject.with_parameters(matrix))
        assert got.objective == pytest.approx(expected, rel=1e-12)
        assert sum(got.terms) == pytest.approx(got.objective, rel=1e-12)
        assert threaded.evaluate(proposal).objective == got.objective
        if number % 3 == 0:
            x = proposal


def test_penalties_count_once_per_dof(tmp_path):
    folder = read(tmp_path)
    matrix = folder.subject.parameters()
    matrix[PARAMETER_KINDS.index("tendonSlackLength")] *= 0.8  # fibres beyond 1.5 lmo
    subject = folder.subject.with_parameters(matrix)
    folder = dataclasses.replace(folder, subject=subject)
    space = ParameterSpace.of(subject, folder.plan.steps[0], folder.plan, check_start=False)
    got = problem_of(folder, space).evaluate(np.array([c.start for c in space.components]))
    assert got.terms[1] > 100.0
    assert got.objective == pytest.approx(objective_of_outputs(folder, subject), rel=1e-12)


# ---- Rules -------------------------------------------------------------------------------


def test_threads_do_not_change_results(tmp_path):
    folder = read(tmp_path, tendon="<equilibriumElastic/>")
    one, two = (calibrate(folder, method="annealing", threads=n) for n in (1, 2))
    np.testing.assert_array_equal(one.subject.parameters(), two.subject.parameters())
    assert [item.objective for item in one.history] == [item.objective for item in two.history]


def test_start_outside_its_range_is_taken_as_it_is(tmp_path):
    path = write_tiny_folder(tmp_path)
    edit(path / "subject.xml", "<c1>-0.6</c1>", "<c1>-0.99</c1>")
    folder = CalibrationFolder.read(path / "calibrationSetup.xml", legacy=True)
    result = calibrate(folder, method="annealing")
    assert -0.95 <= result.subject.mtus[0].c1 <= -0.05
    assert result.steps[0].space.components[0].start == -0.99


def test_keyboard_interrupt_keeps_the_best(tmp_path):
    folder = read(tmp_path)
    seen = []

    def stop(iteration):
        seen.append(iteration)
        raise KeyboardInterrupt

    result = calibrate(
        folder.subject, folder.trials, folder.plan, method="annealing", callback=stop
    )
    assert result.status == "interrupted"
    assert len(seen) == 1
    assert result.objective == seen[0].objective == result.history[-1].objective


def test_exceptions_of_the_callback_go_through(tmp_path):
    folder = read(tmp_path)

    def fail(_):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        calibrate(folder, method="annealing", callback=fail)


def test_settings_have_no_defaults(tmp_path):
    folder = read(tmp_path, algorithm="<adamW/>")
    assert folder.plan.algorithm == AdamW()
    with pytest.raises(OptionError, match="<simulatedAnnealing>, whose settings have no defaults"):
        calibrate(folder, method="annealing")


@pytest.mark.parametrize(
    "options",
    [
        {"starts": 2},
        {"start": "random"},
        {"polish": True},
        {"seed": 3},
        {"engine": "tensor"},
        {"objective": Objective()},
    ],
    ids=lambda options: next(iter(options)),
)
def test_what_annealing_cannot_do_is_refused(tmp_path, options):
    folder = read(tmp_path)
    with pytest.raises(OptionError, match=f"{next(iter(options))}: expected the default, with ann"):
        calibrate(folder, method="annealing", **options)


# ---- The modern variant --------------------------------------------------------------------


def modern(folder, **options):
    settings = dataclasses.replace(folder.plan.algorithm, variant="modern")
    return calibrate(folder, options=settings, **options)


@pytest.mark.filterwarnings("ignore::ceinms_torch.errors.CeinmsTorchWarning")
def test_modern_annealing_is_never_worse_than_its_start(tmp_path):
    folder = read(tmp_path, tendon="<equilibriumElastic/>")
    space = ParameterSpace.of(folder.subject, folder.plan.steps[0], folder.plan)
    start = problem_of(folder, space).evaluate(np.array([c.start for c in space.components]))
    found = [modern(folder, seed=seed) for seed in range(5)]
    for result in found:
        assert result.history[0].objective == start.objective
        assert (result.history[0].iteration, result.history[0].evaluations) == (0, 1)
        assert result.objective <= start.objective
        assert result.evaluations % (4 * len(space.components)) == 1
        assert result.iterations == result.history[-1].iteration
    assert [result.seed for result in found] == list(range(5))
    assert len({result.objective for result in found}) == 5
    again = modern(folder, seed=3, threads=2)
    np.testing.assert_array_equal(again.subject.parameters(), found[3].subject.parameters())


def test_modern_annealing_draws_these_numbers_everywhere(tmp_path):
    """Stiff, one temperature: what a build of another compiler or machine must find, too."""
    folder = read(tmp_path)
    settings = dataclasses.replace(folder.plan.algorithm, variant="modern", max_no_eval=2)
    result = calibrate(folder, options=settings, seed=5)
    assert result.evaluations == 61
    # Rounding of exp and sqrt may differ in the last digit, decisions do not.
    assert result.objective == pytest.approx(22.012843682859376, rel=1e-10)


def test_modern_annealing_starts_within_its_ranges(tmp_path):
    path = write_tiny_folder(tmp_path)
    edit(path / "subject.xml", "<c1>-0.6</c1>", "<c1>-0.99</c1>")
    folder = CalibrationFolder.read(path / "calibrationSetup.xml", legacy=True)
    with pytest.warns(CeinmsTorchWarning, match=r"Start values outside .*: soleus_r \(-0.99\)"):
        result = modern(folder)
    assert result.steps[0].space.components[0].start == -0.95


def test_seed_is_for_the_modern_variant_only(tmp_path):
    folder = read(tmp_path)
    with pytest.raises(OptionError, match=r"seed: .*; set its variant to modern"):
        calibrate(folder, method="annealing", seed=1)
    with pytest.raises(OptionError, match="starts: expected the default, with annealing"):
        modern(folder, starts=2)


def test_objectives_and_parameters_of_our_own_are_refused(tmp_path):
    folder = read(tmp_path)
    step = folder.plan.steps[0]
    other = dataclasses.replace(step, objective=Objective(normalisation="rmse"))
    plan = dataclasses.replace(folder.plan, steps=(other,))
    with pytest.raises(OptionError, match="<minimizeTorqueError/> as CEINMS has it"):
        calibrate(folder, plan=plan, method="annealing")
    refused = [one.name for one in PARAMETERS.values() if not one.in_annealing]
    assert {"emDelay", "tendonStiffness"} <= set(refused)
    for kind in refused:
        spec = dataclasses.replace(step.parameters[0], kind=kind, low=0.0, high=2.0)
        steps = (dataclasses.replace(step, parameters=(spec,)),)
        plan = dataclasses.replace(folder.plan, steps=steps)
        with pytest.raises(OptionError, match=f"a parameter that CEINMS can calibrate, got {kind}"):
            calibrate(folder, plan=plan, method="annealing")
