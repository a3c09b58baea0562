"""Outputs of CEINMS 0.21: contributions of MTUs, tendon lengths, components of the objective."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ceinms_torch as ct
from ceinms_torch.model.nms_model import Tendon
from ceinms_torch.simulation.later_outputs import later_outputs
from ceinms_torch.simulation.legacy.run import optimise_legacy, simulate_legacy
from engine_cases import make_subject, make_trial

NAMES = [f"mtu{i}" for i in range(4)]
SUBJECT = make_subject(
    [{"tendon_slack_length": 0.25, "strength_coefficient": 1.0 + 0.1 * i} for i in range(4)]
)
COMPONENTS = "ObjectiveFunctionComponentsAndWeightings"


@st.composite
def models(draw):
    """A subject whose DOFs have any MTUs in any order, and a trial of it with its DOFs."""
    dofs = draw(st.lists(st.sampled_from(["hip", "knee", "ankle"]), min_size=1, unique=True))
    subject = dataclasses.replace(
        SUBJECT,
        dofs=tuple(
            ct.Dof(name=dof, mtu_names=tuple(draw(st.lists(st.sampled_from(NAMES), unique=True))))
            for dof in dofs
        ),
    )
    trial = make_trial(SUBJECT, "walk", n_step=12)
    arms = np.random.default_rng(draw(st.integers(0, 99))).uniform(-0.05, 0.05, (12, len(dofs), 4))
    for j, dof in enumerate(subject.dofs):
        arms[:, j, [name not in dof.mtu_names for name in NAMES]] = 0.0
    moment = np.random.default_rng(1).normal(0.0, 20.0, (12, len(dofs)))
    trial = dataclasses.replace(
        trial, dof_names=subject.dof_names, moment_arm=arms, measured_moment=moment
    )
    return subject, trial


def assert_sums(subject, simulation, later, dofs):
    """Contributions sum to the moments of the DOFs that were tracked, and of no others."""
    contribution = later["MusclesContribution"]
    pairs = [(mtu, dof) for dof in subject.dofs if dof.name in dofs for mtu in dof.mtu_names]
    assert list(contribution) == [f"{mtu}_{dof.name}" for mtu, dof in pairs]
    for dof in subject.dofs:
        if dof.name in dofs:
            columns = [contribution[f"{mtu}_{dof.name}"] for mtu in dof.mtu_names]
            total = np.sum(columns, axis=0) if columns else np.zeros(len(contribution.time))
            # Thousands of newtons, in another order of the sum.
            np.testing.assert_allclose(total, simulation.joint_moment[dof.name], atol=1e-9)


@given(models(), st.sampled_from(["stiff", "rosenbrockElastic", "dampedEquilibrium"]))
def test_contributions_sum_to_the_moments(model, tendon):
    subject, trial = model
    simulation = ct.simulate(subject, trial, tendon=tendon)
    assert_sums(subject, simulation, later_outputs(subject, trial, simulation), trial.dof_names)
    some = trial.dof_names[:1]
    assert_sums(subject, simulation, later_outputs(subject, trial, simulation, some), some)


@pytest.mark.parametrize("tendon", ["stiff", "rosenbrockElastic"])
def test_fibre_and_tendon_make_up_the_mtu(tendon):
    trial = make_trial(SUBJECT, "walk", n_step=30)
    simulation = ct.simulate(SUBJECT, trial, tendon=tendon)
    later = later_outputs(SUBJECT, trial, simulation)
    fibre = simulation.fibre_length.array * np.cos(simulation.pennation_angle.array)
    length = later["TendonLengths"]
    assert (length.units, later["NormTendonLengths"].units) == ("m", "-")
    np.testing.assert_allclose(length.array + fibre, trial.mtu_length, rtol=1e-12)
    slack = [mtu.tendon_slack_length for mtu in SUBJECT.mtus]
    np.testing.assert_allclose(later["NormTendonLengths"].array, length.array / slack, rtol=1e-12)
    assert np.all(np.abs(length.array / slack - 1.0) > 1e-6) == (tendon != "stiff")


ANNEALING = ct.SimulatedAnnealing(
    no_epsilon=1, rt=0.3, temperature=1.0, ns=1, nt=1, epsilon=1.0, max_no_eval=5
)


@st.composite
def searches(draw):
    """A model, and weights, MTUs and DOFs of a search in it."""
    subject, trial = draw(models())
    mtus = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    n_adjust = draw(st.integers(0, len(mtus)))
    alpha, beta, gamma = draw(st.tuples(*[st.integers(1, 9)] * 3))
    dofs = draw(st.sets(st.sampled_from(trial.dof_names)))
    hybrid = ct.Hybrid(
        alpha=alpha,
        beta=beta,
        gamma=gamma,
        adjust_mtus=tuple(mtus[:n_adjust]),
        synth_mtus=tuple(mtus[n_adjust:]),
        algorithm=ANNEALING,
    )
    return subject, trial, hybrid, tuple(sorted(dofs))


def weighted(components):
    """Return the sum over terms of each frame."""
    assert list(components) == ["moment", "effort", "tracking", "alpha", "beta", "gamma"]
    return np.sum(components.array[:, :3] * components.array[:, 3:], axis=1)


@given(searches())
def test_components_sum_to_the_objective_of_the_search(search):
    subject, trial, hybrid, dofs = search
    result = ct.TrialSearch(subject, trial, hybrid, tendon="stiff", dofs=dofs).solve(
        max_iterations=3
    )
    components = result.later[COMPONENTS]
    assert weighted(components).sum() == pytest.approx(result.objective, rel=1e-9)
    for name in ("moment", "effort", "tracking"):
        total = getattr(result.terms, name)
        assert components[name].sum() == pytest.approx(total, rel=1e-9, abs=1e-12)
    assert_sums(subject, result.simulation, result.later, dofs or subject.dof_names)


@given(searches(), st.sampled_from(["annealing", "gradient"]))
def test_components_are_the_objective_of_each_frame_of_ceinms(search, solver):
    subject, trial, hybrid, dofs = search
    run = optimise_legacy(
        subject, trial, hybrid, tendon=Tendon(kind="stiff"), solver=solver, dofs=dofs
    )
    components = run.later[COMPONENTS]
    np.testing.assert_allclose(weighted(components), run.objective["objective"], rtol=1e-12)
    assert_sums(subject, run.simulation, run.later, dofs or subject.dof_names)
    assert "MusclesContribution" not in run.series()


@given(models())
def test_contributions_of_the_legacy_model(model):
    subject, trial = model
    run = simulate_legacy(subject, trial, tendon=Tendon(kind="stiff"))
    assert_sums(subject, run.simulation, run.later, trial.dof_names)
    assert set(run.later) == {"TendonLengths", "NormTendonLengths", "MusclesContribution"}
