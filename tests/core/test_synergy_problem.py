"""Eq. (5): fused engine, tensor engine, and central differences agree."""

import dataclasses

import numpy as np
import pytest
import torch

import ceinms_torch as ct
from ceinms_torch import _kernel
from ceinms_torch._backend import _torch
from ceinms_torch.model.excitation_generator import Excitation, ExcitationGenerator
from ceinms_torch.plan.options import AdamW, Lbfgs
from ceinms_torch.synergies.calibration import synergy_setting
from ceinms_torch.synergies.gaussian_problem import GaussianProblem, GaussianSpace
from ceinms_torch.synergies.problem import SynergyProblem
from ceinms_torch.synergies.start import start_points
from engine_cases import make_subject, make_trial
from problem_cases import NARROW, make_step, space_of

# Both engines sum the same products in another order; gradients pass through a whole trajectory.
RTOL = 1e-11
GRADIENT_RTOL = 1e-9

SUBJECT = make_subject(
    [
        {},
        {"em_delay": 0.0137},
        {"shape_factor": -2.2},
        {"c1": -0.2},
        {"optimal_fibre_length": 0.055},
    ]
)
TRIALS = [
    make_trial(SUBJECT, "long", n_step=11, emg_rate=200.0, phase=0.3),
    make_trial(SUBJECT, "short", n_step=7, emg_rate=200.0, phase=1.7),
]
GENERATOR = ExcitationGenerator(
    input_signals=("a", "b"),
    excitations=(
        Excitation(id="mtu0", inputs=(("a", 1.0),)),
        Excitation(id="mtu1"),
        Excitation(id="mtu2", inputs=(("b", 1.0),)),
        Excitation(id="mtu3", inputs=(("b", 1.0),)),
        Excitation(id="mtu4"),
    ),
)
KINDS = ["c1", "shapeFactor", "optimalFibreLength", "tendonSlackLength", "strengthCoefficient"]


# 12 rows, of which every fourth is a node, and the last.
ONE_TRIAL = {
    "recorded": np.zeros((2, 4)),
    "expected": np.zeros((0, 4)),
    "n_row": 12,
    "rows_per_node": 4,
    "row_interval": 0.005,
}


def synergy_problem(engine, *, kinds=KINDS, exact=False, tendon="rosenbrockElastic", **choices):
    """Return a problem of an engine, and a point that is off every bound but beyond some."""
    step = make_step(kinds, **{"normalisation": choices.pop("normalisation", "variance"), **NARROW})
    space = space_of(SUBJECT, step)
    hybrid = ct.SynergyHybrid(**{"n_synergy": 2, "primitive_rate": 60.0, **choices})
    setting = synergy_setting(TRIALS, GENERATOR, hybrid, step)
    recorded_only = ct.build_problem(SUBJECT, TRIALS, step, space, tendon=tendon, engine=engine)
    problem = SynergyProblem(recorded_only, setting, exact_bounds=exact)
    layout = setting.space(len(space.components))
    random = np.random.default_rng(5)
    n = layout.first_primitive + layout.n_synergy * sum(layout.n_node)
    point = random.uniform(0.05, 0.95, size=n)
    point[layout.n_parameter :] = random.uniform(-0.1, 1.1, size=n - layout.n_parameter)
    return problem, point, layout


@pytest.mark.parametrize("weightings", ["shared", "trial"])
@pytest.mark.parametrize("normalisation", ["variance", "meanSquare", "rmse"])
@pytest.mark.parametrize("tendon", ["stiff", "rosenbrockElastic"])
def test_engines_agree(tendon, normalisation, weightings):
    choices = {"tendon": tendon, "normalisation": normalisation, "weightings": weightings}
    fused, x, _ = synergy_problem("fused", **choices)
    tensor, _, _ = synergy_problem("tensor", **choices)
    assert fused.term_names == tensor.term_names
    got, gradient = fused.gradient(x)
    expected, slope = tensor.gradient(x)
    assert min(expected.terms) > 0.0
    assert got.objective == pytest.approx(expected.objective, rel=RTOL)
    assert got.terms == pytest.approx(expected.terms, rel=RTOL)
    assert got.objective == pytest.approx(sum(got.terms), rel=RTOL)
    assert np.abs(gradient - slope).max() <= GRADIENT_RTOL * np.abs(slope).max()


def test_engines_agree_on_the_shipped_subject(gait_folder):
    folder = ct.CalibrationFolder.read(gait_folder.parent / "gait_synergies" / "calibrate.xml")
    (step,) = folder.plan.steps
    space = ct.ParameterSpace.of(folder.subject, step, folder.plan)
    setting = synergy_setting(folder.trials, folder.generator, folder.plan.synergy_hybrid, step)
    (x,) = start_points(setting, space.start()[np.newaxis], seed=3)
    (got, gradient), (expected, slope) = (
        SynergyProblem(
            ct.build_problem(
                folder.subject,
                folder.trials,
                step,
                space,
                tendon="rosenbrockElastic",
                engine=engine,
            ),
            setting,
            exact_bounds=True,
        ).gradient(x)
        for engine in ("fused", "tensor")
    )
    assert got.terms == pytest.approx(expected.terms, rel=RTOL, abs=RTOL * expected.objective)
    assert np.abs(gradient - slope).max() <= GRADIENT_RTOL * np.abs(slope).max()


def test_delay_moves_synthesised_excitations_too():
    fused, x, _ = synergy_problem("fused", kinds=[*KINDS, "emDelay"])
    tensor, _, _ = synergy_problem("tensor", kinds=[*KINDS, "emDelay"])
    _, gradient = fused.gradient(x)
    _, slope = tensor.gradient(x)
    assert np.abs(gradient - slope).max() <= GRADIENT_RTOL * np.abs(slope).max()


@pytest.mark.parametrize("tendon", ["stiff", "rosenbrockElastic"])
def test_gradcheck(tendon):
    """Autograd against differences, for parameters, weightings and primitives."""
    problem, x, _ = synergy_problem("tensor", kinds=KINDS[3:], tendon=tendon)

    def root(point):  # of a size that suits absolute tolerances
        return problem.core.evaluate(point).objective().sqrt()

    variable = torch.tensor(x, requires_grad=True)
    # Rounding over the step, amplified by the stiff curves, and truncation (test_gradients.py).
    assert torch.autograd.gradcheck(root, variable, eps=1e-6, atol=1e-6, rtol=1e-5)


def test_fused_gradient_equals_central_differences():
    problem, x, _ = synergy_problem("fused")
    _, gradient = problem.gradient(x)
    h = 1e-6
    for i in range(len(x)):
        ahead, behind = x.copy(), x.copy()
        ahead[i] += h
        behind[i] -= h
        difference = problem.gradient(ahead)[0].objective - problem.gradient(behind)[0].objective
        # Rounding of the objective over the step, and truncation.
        tolerance = 1e-6 * abs(gradient[i]) + 1e-8 * np.abs(gradient).max()
        assert abs(difference / (2.0 * h) - gradient[i]) <= tolerance, i


def test_terms_are_what_they_say():
    problem, x, layout = synergy_problem("fused", normalisation="meanSquare", bounds_weight=7.0)
    point, _ = problem.gradient(x)
    terms = dict(zip(problem.term_names, point.terms, strict=True))
    sums = {"excitation": 0.0, "synthesised": 0.0, "bounds": 0.0}
    hybrid = ct.SynergyHybrid(n_synergy=2, primitive_rate=60.0)
    setting = synergy_setting(TRIALS, GENERATOR, hybrid, make_step(KINDS))

    def outside(values):
        return np.sum(np.clip(values - 1.0, 0.0, None) ** 2 + np.clip(-values, 0.0, None) ** 2)

    for trial, nodes, weightings, primitives in zip(
        TRIALS, setting.nodes, layout.weightings(x), layout.primitives(x), strict=True
    ):
        excitation = weightings @ primitives
        # mtu2 and mtu3 share an electrode: two channels, not three.
        error = excitation[:2] - trial.excitation[nodes.rows][:, [0, 2]].T
        sums["excitation"] += 1000.0 * np.mean(error**2) / 2
        sums["synthesised"] += np.mean(excitation[2:] ** 2) / 2
        inner = outside(excitation[2:]) + outside(primitives)
        sums["bounds"] += 7.0 * (inner / len(nodes) + outside(weightings)) / 2
    for name, value in sums.items():
        assert terms[name] == pytest.approx(value, rel=RTOL), name


@pytest.mark.parametrize("amplitude", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("ties", [("mtu4:mtu0+mtu2",), ("mtu4:mean", "mtu1:mtu2")])
@pytest.mark.parametrize("engine", ["fused", "tensor"])
def test_ties_are_distances_to_what_was_recorded(engine, ties, amplitude):
    choices = {"normalisation": "meanSquare", "ties": ties, "tie_weight": 3.0}
    problem, x, layout = synergy_problem(engine, **choices, tie_amplitude=amplitude)
    hybrid = ct.SynergyHybrid(n_synergy=2, primitive_rate=60.0)
    nodes = synergy_setting(TRIALS, GENERATOR, hybrid, make_step(KINDS)).nodes
    sources = {"mtu0+mtu2": [0, 2], "mean": [0, 2, 3], "mtu2": [2]}
    parts = list(zip(TRIALS, nodes, layout.weightings(x), layout.primitives(x), strict=True))
    shaped, plain = 0.0, 0.0
    for text in ties:
        mtu, _, to = text.partition(":")
        place = 2 + ("mtu1", "mtu4").index(mtu)
        made = [(weightings @ primitives)[place] for _, _, weightings, primitives in parts]
        pattern = [
            trial.excitation[one.rows][:, sources[to]].mean(axis=1) for trial, one, _, _ in parts
        ]
        pairs = list(zip(made, pattern, strict=True))
        size = sum(np.mean(p**2) for p in pattern)
        factor = sum(np.mean(e * p) for e, p in pairs) / size
        shaped += sum(np.mean((e - factor * p) ** 2) for e, p in pairs)
        shaped += amplitude * (factor - 1.0) ** 2 * size
        plain += sum(np.mean((e - p) ** 2) for e, p in pairs)
    weight = 3.0 / len(ties) / len(TRIALS)
    terms = dict(zip(problem.term_names, problem.gradient(x)[0].terms, strict=True))
    assert terms["tie"] == pytest.approx(weight * shaped, rel=RTOL)
    if amplitude == 1.0:
        assert shaped == pytest.approx(plain, rel=RTOL)
    without, _, _ = synergy_problem(engine, ties="none")
    assert "tie" not in without.term_names


@pytest.mark.parametrize("ties", ["neighbours", ("mtu4:mean", "mtu1:mtu2")])
@pytest.mark.parametrize("amplitude", [0.0, 0.3, 1.0])
def test_gradients_of_ties_agree(ties, amplitude):
    choices = {"ties": ties, "tie_weight": 3e4, "tie_amplitude": amplitude}  # above all else
    fused, x, _ = synergy_problem("fused", **choices)
    tensor, _, _ = synergy_problem("tensor", **choices)
    got, gradient = fused.gradient(x)
    expected, slope = tensor.gradient(x)
    assert got.terms == pytest.approx(expected.terms, rel=RTOL)
    assert np.abs(gradient - slope).max() <= GRADIENT_RTOL * np.abs(slope).max()
    assert max(got.terms) == dict(zip(fused.term_names, got.terms, strict=True))["tie"]


def test_a_pattern_of_zeros_is_silence():
    zeros = [dataclasses.replace(one, excitation=0.0 * one.excitation) for one in TRIALS]
    hybrid = ct.SynergyHybrid(n_synergy=2, primitive_rate=60.0, ties=("mtu4:mtu0",))
    setting = synergy_setting(TRIALS, GENERATOR, hybrid, make_step(KINDS))
    setting = dataclasses.replace(
        setting, expected=tuple(np.zeros((1, len(one))) for one in setting.nodes)
    )
    values = []
    for engine in ("fused", "tensor"):
        step = make_step(KINDS)
        space = space_of(SUBJECT, step)
        plain = ct.build_problem(SUBJECT, zeros, step, space, tendon="stiff", engine=engine)
        problem = SynergyProblem(plain, setting)
        n = setting.space(len(space.components)).first_primitive
        point = np.full(n + 2 * sum(len(one) for one in setting.nodes), 0.4)
        evaluation, gradient = problem.gradient(point)
        assert np.all(np.isfinite(gradient))
        values.append(dict(zip(problem.term_names, evaluation.terms, strict=True))["tie"])
    assert values[0] == pytest.approx(values[1], rel=RTOL)
    assert values[0] > 0.0


@pytest.mark.parametrize("normalisation", ["variance", "meanSquare"])
def test_gradient_by_gaussians(normalisation):
    problem, _, layout = synergy_problem("fused", normalisation=normalisation)
    hybrid = ct.SynergyHybrid(n_synergy=2, primitive_rate=60.0)
    setting = synergy_setting(TRIALS, GENERATOR, hybrid, make_step(KINDS))
    space = GaussianSpace.of(setting, layout.n_parameter, 2)
    gaussian = GaussianProblem(problem, space)
    n = layout.first_primitive + len(TRIALS) * layout.n_synergy * 3 * 2
    point = np.random.default_rng(3).uniform(0.2, 0.8, size=n)
    _, gradient = gaussian.gradient(point)
    h = 1e-6
    for i in range(n):
        step = h * (np.arange(n) == i)
        ends = [gaussian.gradient(point + sign * step)[0].objective for sign in (1.0, -1.0)]
        # A central difference of an objective around 100 has some 1e-8 of rounding and curvature.
        tolerance = 1e-6 * np.abs(gradient).max()
        assert (ends[0] - ends[1]) / (2.0 * h) == pytest.approx(gradient[i], abs=tolerance), i


def test_primitives_that_are_gaussians_are_found_again():
    _, x, layout = synergy_problem("fused")
    hybrid = ct.SynergyHybrid(n_synergy=2, primitive_rate=200.0)
    setting = synergy_setting(TRIALS, GENERATOR, hybrid, make_step(KINDS))
    space = GaussianSpace.of(setting, layout.n_parameter, 1)
    full = setting.space(layout.n_parameter)
    parts = []
    for one in setting.nodes:
        time = one.rows * one.row_interval
        parts.append([np.exp(-0.5 * ((time - c * time[-1]) / 0.03) ** 2) for c in (0.3, 0.6)])
    point = full.join(full.parameters(x), np.full((1, 4, 2), 0.5), [np.array(one) for one in parts])
    again = space.full(space.reduced(point))
    np.testing.assert_allclose(again, np.clip(point, 0.0, 1.0), atol=1e-4)


def test_where_it_begins_is_where_the_objective_ends_lower():
    plan = make_plan(begin="both")
    both = calibrated(plan)
    alone = {begin: calibrated(make_plan(begin=begin)) for begin in ("emgDriven", "subject")}
    # The subject's own values must be clearly better.
    is_clear = alone["subject"].objective < 0.99 * alone["emgDriven"].objective
    best = "subject" if is_clear else "emgDriven"
    assert both.objective == alone[best].objective
    assert both.begun_at == alone[best].begun_at
    assert alone["subject"].emg_driven is None
    # What it is compared with is what `calibrate` gives without synergies.
    driven = ct.calibrate(
        SUBJECT, TRIALS, dataclasses.replace(plan, synergy_hybrid=None), method="lm", starts=1
    )
    assert both.emg_driven_fit == driven.fit
    # Where it is silent, where its neighbours drive it, and the subject's own values.
    assert len(both.steps[0].starts) == 3
    assert both.objective in [one.objective for one in both.steps[0].starts]


def make_plan(**choices):
    step = make_step(["c1", "strengthCoefficient"], normalisation="variance", **NARROW)
    return ct.CalibrationPlan(
        algorithm=Lbfgs(max_iterations=30),
        tendon=ct.Tendon(kind="stiff"),
        steps=(step,),
        synergy_hybrid=ct.SynergyHybrid(n_synergy=2, primitive_rate=60.0, **choices),
    )


def calibrated(plan, **choices):
    return ct.calibrate(SUBJECT, TRIALS, plan, generator=GENERATOR, **choices)


@pytest.mark.parametrize("choices", [{"n_gaussian": 2}, {"weightings": "trial"}])
def test_other_primitives_and_weightings_are_calibrated_and_kept(choices):
    result = calibrated(make_plan(begin="subject", **choices))
    assert result.history[-1].objective < result.history[0].objective
    # What is kept gives the very excitations that were scored.
    scored = result.history[-1].rmse
    for dof, value in scored.items():
        mean = np.mean([fit[dof].rmse for fit in result.fit.values()])
        assert mean == pytest.approx(value, rel=1e-3)


def test_gaussians_have_no_adamw():
    with pytest.raises(ct.OptionError, match="method: expected another one for this problem"):
        calibrated(make_plan(n_gaussian=2, begin="subject"), method="adamw")


def test_every_trial_starts_at_synergies_of_its_own():
    hybrid = ct.SynergyHybrid(n_synergy=1, primitive_rate=60.0, weightings="trial")
    setting = synergy_setting(TRIALS, GENERATOR, hybrid, make_step(KINDS))
    shared = dataclasses.replace(
        setting, synergy_hybrid=dataclasses.replace(hybrid, weightings="shared")
    )
    errors = []
    for one in (setting, shared):
        layout = one.space(3)
        (point,) = start_points(one, np.full((1, 3), 0.5), seed=2)
        sets = layout.weightings(point)
        errors.append(
            [
                np.sum((weightings[:2] @ primitives - recorded) ** 2)
                for weightings, primitives, recorded in zip(
                    sets, layout.primitives(point), setting.recorded, strict=True
                )
            ]
        )
        assert np.array_equal(sets[0], sets[1]) == (one is shared)
    # The shared ones are a compromise. Iterations stop a little early in either.
    assert np.all(np.array(errors[0]) <= 1.001 * np.array(errors[1]))


def test_recorded_excitations_drive_their_mtus():
    """With the synergies' own excitations in the trials, it is the objective of eq. (4)."""
    problem, x, layout = synergy_problem("fused")
    hybrid = ct.SynergyHybrid(n_synergy=2, primitive_rate=60.0)
    step = make_step(KINDS, normalisation="variance", **NARROW)
    setting = synergy_setting(TRIALS, GENERATOR, hybrid, step)
    driven = []
    for trial, nodes, weightings, primitives in zip(
        TRIALS, setting.nodes, layout.weightings(x), layout.primitives(x), strict=True
    ):
        excitation = trial.excitation.copy()
        # Beyond 0 to 1 a synthesised excitation acts as a recorded one would.
        excitation[:, [1, 4]] = np.clip(nodes.to_rows(weightings[2:] @ primitives), 0.0, 1.0).T
        driven.append(dataclasses.replace(trial, excitation=excitation))
    plain = ct.FusedProblem(
        SUBJECT, driven, step, space_of(SUBJECT, step), tendon="rosenbrockElastic"
    )
    expected, _ = plain.gradient(layout.parameters(x))
    got, _ = problem.gradient(x)
    assert any(np.any(trial.excitation[:, [1, 4]] == 0.0) for trial in driven)
    assert got.terms[:3] == pytest.approx(expected.terms, rel=RTOL)


def test_results_do_not_depend_on_threads():
    step = make_step(KINDS, **NARROW)
    space = space_of(SUBJECT, step)
    setting = synergy_setting(TRIALS, GENERATOR, ct.SynergyHybrid(n_synergy=2), step)
    results = []
    for threads in (1, 2):
        recorded_only = ct.FusedProblem(
            SUBJECT, TRIALS, step, space, tendon="rosenbrockElastic", threads=threads
        )
        problem = SynergyProblem(recorded_only, setting, exact_bounds=True)
        x = np.full(problem.core.n_component, 0.4)
        results.append(problem.gradient(x))
    assert results[0][0] == results[1][0]
    np.testing.assert_array_equal(results[0][1], results[1][1])


def test_bounds_are_exact_or_a_penalty():
    exact, x, layout = synergy_problem("fused", exact=True)
    assert exact.core.n_boxed == len(x)
    with pytest.raises(ValueError, match="expected numbers from 0 to 1"):
        exact.gradient(x)
    free, _, _ = synergy_problem("fused")
    assert free.core.n_boxed == layout.n_parameter
    assert free.gradient(x)[0].terms[-1] > 0.0
    assert exact.gradient(np.clip(x, 0.0, 1.0) * 0.7)[0].terms[-1] == 0.0


def test_adamw_of_both_engines_goes_the_same_way():
    fused, x, layout = synergy_problem("fused")
    tensor, _, _ = synergy_problem("tensor")
    start = np.clip(x, 0.05, 0.95)
    options = AdamW(max_iterations=12)
    one, two = (ct.minimise(problem, start, options) for problem in (fused, tensor))
    assert one.objective < one.history[0].objective
    np.testing.assert_allclose(one.x, two.x, atol=1e-6)  # Adam divides by small gradients
    boxed = layout.parameters(one.x)
    assert np.all((boxed >= 0.0) & (boxed <= 1.0))


def test_lbfgs_ends_as_without_equilibration():
    problem, x, _ = synergy_problem("fused", exact=True)
    start = np.clip(x, 0.05, 0.95)
    minimum = ct.minimise(problem, start, Lbfgs())
    problem.is_uneven = False
    unchanged = ct.minimise(problem, start, Lbfgs())
    assert minimum.status == unchanged.status == "converged"
    # With kinks in the objective either may stop a little early, and rounding decides which.
    assert minimum.objective == pytest.approx(unchanged.objective, rel=5e-3)
    _, slope = problem.gradient(minimum.x)
    low, high = minimum.x == 0.0, minimum.x == 1.0
    assert np.any(low | high)
    assert np.all(slope[low] >= 0.0)
    assert np.all(slope[high] <= 0.0)


def test_lbfgs_of_both_engines_goes_the_same_way():
    fused, x, _ = synergy_problem("fused", exact=True)
    tensor, _, _ = synergy_problem("tensor", exact=True)
    start = np.clip(x, 0.05, 0.95)
    one, two = (
        ct.minimise(problem, start, Lbfgs(max_iterations=52)) for problem in (fused, tensor)
    )
    # Rounding grows from iteration to iteration.
    for first, second in zip(one.history[:10], two.history[:10], strict=True):
        assert first.objective == pytest.approx(second.objective, rel=1e-8)
    for minimum in (one, two):
        evaluations = [point.evaluations for point in minimum.history]
        assert evaluations[51] - evaluations[50] >= 12  # equilibration


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_synergy": 0}, "n_synergy: expected at least 1"),
        ({"synthesised": np.array([7])}, "synthesised: expected indices from 0 to 4, got 7"),
        ({"synthesised": np.array([], dtype=int)}, "synthesised: expected at least one MTU"),
        ({"rows_per_node": [0, 1]}, "rows_per_node: expected 1 to"),
        ({"row_interval": [0.005, 0.0]}, "row_interval: expected one positive number per trial"),
        ({"recorded": [np.zeros((2, 3))] * 2}, "recorded: expected shape"),
        ({"tied": np.array([2])}, "tied: expected indices from 0 to 1, got 2"),
        ({"expected": [np.zeros((1, 3))] * 2}, "expected: expected shape"),
        (
            {name: [value] for name, value in ONE_TRIAL.items()},
            "synergies: expected those of ",
        ),
    ],
)
@pytest.mark.parametrize("engine", [ct.FusedProblem, ct.TensorProblem])
def test_faulty_arrays_are_refused(engine, changes, message):
    step = make_step(KINDS)
    setting = synergy_setting(TRIALS, GENERATOR, ct.SynergyHybrid(n_synergy=2), step)
    plain = engine(SUBJECT, TRIALS, step, space_of(SUBJECT, step), tendon="stiff")
    arguments = {
        "n_synergy": 2,
        "synthesised": np.array(setting.channels.synthesised),
        "tied": np.array([], dtype=np.intp),
        "recorded": list(setting.recorded),
        "expected": [np.zeros((0, len(one))) for one in setting.nodes],
        "n_row": [one.n_row for one in setting.nodes],
        "rows_per_node": [one.rows_per_node for one in setting.nodes],
        "row_interval": [one.row_interval for one in setting.nodes],
        "shared_weightings": True,
        "exact_bounds": True,
        "objective": _kernel.SynergyObjective(setting.synergy_hybrid),
    }
    hybrid = {ct.FusedProblem: _kernel, ct.TensorProblem: _torch}[engine].SynergyProblem
    with pytest.raises(ValueError, match=message):
        hybrid(problem=plain.core, synergies=_kernel.Synergies(**{**arguments, **changes}))


# ---- smooth excitations


@pytest.mark.parametrize("normalisation", ["variance", "meanSquare", "rmse"])
def test_smoothness_is_the_mean_squared_derivative(normalisation):
    plain = {"normalisation": normalisation, "primitive_rate": 40.0}
    choices = {**plain, "smoothness_weight": 0.02}
    fused, x, layout = synergy_problem("fused", **choices)
    tensor, _, _ = synergy_problem("tensor", **choices)
    assert fused.term_names == tensor.term_names
    assert fused.term_names[-1] == "smoothness"
    got, gradient = fused.gradient(x)
    expected, slope = tensor.gradient(x)
    assert got.terms == pytest.approx(expected.terms, rel=RTOL)
    assert np.abs(gradient - slope).max() <= GRADIENT_RTOL * np.abs(slope).max()
    without, _, _ = synergy_problem("fused", **plain)
    assert got.terms[:-1] == without.gradient(x)[0].terms
    hybrid = ct.SynergyHybrid(n_synergy=2, primitive_rate=40.0)
    nodes = synergy_setting(TRIALS, GENERATOR, hybrid, make_step(KINDS)).nodes
    total = 0.0
    for trial, one, weightings, primitives in zip(
        TRIALS, nodes, layout.weightings(x), layout.primitives(x), strict=True
    ):
        made = weightings[2:] @ primitives
        time = trial.excitation_time[one.rows]
        speed = np.diff(made) / np.diff(time)
        total += 0.02 * np.mean(speed**2 @ np.diff(time)) / (time[-1] - time[0])
    assert len(set(np.diff(nodes[0].rows))) == 2  # the last interval is a shorter one
    total *= 2.0 if normalisation == "variance" else 1.0 / len(TRIALS)
    assert got.terms[-1] == pytest.approx(total, rel=1e-9)


def test_fused_gradient_with_smoothness_equals_central_differences():
    problem, x, layout = synergy_problem("fused", smoothness_weight=0.02)
    _, gradient = problem.gradient(x)
    h = 1e-6
    for i in range(layout.n_parameter, len(x)):
        ahead, behind = x.copy(), x.copy()
        ahead[i] += h
        behind[i] -= h
        difference = problem.gradient(ahead)[0].objective - problem.gradient(behind)[0].objective
        tolerance = 1e-6 * abs(gradient[i]) + 1e-8 * np.abs(gradient).max()  # as above
        assert abs(difference / (2.0 * h) - gradient[i]) <= tolerance, i
