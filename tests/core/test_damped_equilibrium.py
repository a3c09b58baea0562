"""The damped equilibrium tendon against scipy's solution of the same differential equation."""

import dataclasses
import itertools

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

import ceinms_torch as ct
from ceinms_torch.errors import DataError, OptionError
from ceinms_torch.inputs.folder import CalibrationFolder
from ceinms_torch.simulation.curves import curve_tables
from command_line import run_command
from helpers import write_tiny_folder

DAMPED = "dampedEquilibrium"


def value_of(table, x):
    """Return a table's value, in plain NumPy."""
    knots, pieces = table
    origin, *c = pieces[np.searchsorted(knots, x)]
    d = x - origin
    return c[0] + d * (c[1] + d * (c[2] + d * c[3]))


class Reference:
    """Eqs. (3) and (A6) of one MTU written once more, and l' = v integrated by scipy."""

    def __init__(self, subject, index, time, activation, mtu_length):
        self.mtu = subject.mtus[index]
        self.change = self.mtu.percentage_change
        self.curves = curve_tables(subject)
        self.inputs = (time, activation, mtu_length)

    def cosine(self, length):
        thickness = self.mtu.optimal_fibre_length * np.sin(self.mtu.pennation_angle)
        return np.sqrt(1.0 - (thickness / length) ** 2)

    def forces(self, t, length, norm_velocity):
        active, passive, velocity, tendon = self.curves
        time, activations, mtu_lengths = self.inputs
        a, lmt = np.interp(t, time, activations), np.interp(t, time, mtu_lengths)
        optimal, slack = self.mtu.optimal_fibre_length, self.mtu.tendon_slack_length
        muscle = value_of(active, length / (optimal * (1.0 + self.change * (1.0 - a))))
        muscle *= value_of(velocity, norm_velocity) * a
        muscle += value_of(passive, length / optimal) + self.mtu.damping * norm_velocity
        strain = (lmt - length * self.cosine(length)) / slack - 1.0
        return self.mtu.tendon_stiffness * value_of(tendon, strain), muscle * self.cosine(length)

    def imbalance(self, t, length, norm_velocity):
        tendon, muscle = self.forces(t, length, norm_velocity)
        return tendon - muscle

    def norm_velocity(self, t, length):
        return brentq(lambda v: self.imbalance(t, length, v), -1.0, 1.0, xtol=1e-14, rtol=1e-14)

    def lengths(self):
        """Return the fibre length at every time [m]."""
        time = self.inputs[0]
        optimal = self.mtu.optimal_fibre_length
        start = brentq(
            lambda length: self.imbalance(time[0], length, 0.0),
            0.5 * optimal,
            1.6 * optimal,
            xtol=1e-14,
        )
        peak = optimal * self.mtu.max_contraction_velocity
        lengths = [start]
        # From frame to frame, as the inputs have kinks there.
        for begin, end in itertools.pairwise(time):
            solution = solve_ivp(
                lambda t, y: [peak * self.norm_velocity(t, y[0])],
                (begin, end),
                [lengths[-1]],
                method="Radau",
                rtol=1e-9,
                atol=1e-12,
            )
            lengths.append(solution.y[0, -1])
        return np.array(lengths)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = write_tiny_folder(tmp_path_factory.mktemp("damped") / "tiny")
    return CalibrationFolder.read(path / "calibrationSetup.xml")


def with_damping(subject, **values):
    return dataclasses.replace(
        subject, mtus=tuple(dataclasses.replace(mtu, **values) for mtu in subject.mtus)
    )


def shortened(trial, n):
    """Return the first steps of a trial."""
    return dataclasses.replace(
        trial,
        time=trial.time[:n],
        mtu_length=trial.mtu_length[:n],
        moment_arm=trial.moment_arm[:n],
        measured_moment=None,
    )


def refined(trial, n):
    """Return a trial with n steps for each of its own, MTU lengths in straight lines between."""
    time = np.linspace(trial.time[0], trial.time[-1], n * (len(trial.time) - 1) + 1)
    lengths = [np.interp(time, trial.time, column) for column in trial.mtu_length.T]
    rows = np.minimum(np.arange(len(time)) // n, len(trial.time) - 1)
    return dataclasses.replace(
        trial,
        time=time,
        mtu_length=np.stack(lengths, axis=1),
        moment_arm=trial.moment_arm[rows],
        measured_moment=None,
    )


def test_equals_scipys_solution(folder):
    trial = shortened(folder.trials[0], 15)
    found = ct.simulate(folder.subject, trial, tendon=DAMPED)
    for i, name in enumerate(folder.subject.mtu_names):
        activation = found.activation.array[:, i]
        reference = Reference(folder.subject, i, trial.time, activation, trial.mtu_length[:, i])
        expected = reference.lengths()
        optimal = reference.mtu.optimal_fibre_length
        # Each sub-step may be 1e-9 optimal lengths off, and there are hundreds.
        np.testing.assert_allclose(
            found.fibre_length[name], expected, rtol=0.0, atol=1e-8 * optimal
        )
        velocity = [
            reference.norm_velocity(t, x) for t, x in zip(trial.time, expected, strict=True)
        ]
        np.testing.assert_allclose(found.norm_fibre_velocity[name], velocity, rtol=0.0, atol=1e-5)
        # The force along the tendon is the tendon's: they balance at every step.
        tendon = [
            reference.forces(t, length, 0.0)[0]
            for t, length in zip(trial.time, found.fibre_length[name], strict=True)
        ]
        peak = reference.mtu.max_isometric_force * reference.mtu.strength_coefficient
        np.testing.assert_allclose(found.mtu_force[name] / peak, tendon, rtol=0.0, atol=1e-10)


def test_rosenbrock_step_converges_to_it(folder):
    """The two follow one equation: the error of the step of first order falls with its length."""
    # Filter and delay count samples of the kinematics: constant excitation makes them the same.
    trial = folder.trials[0]
    trial = dataclasses.replace(trial, excitation=np.full_like(trial.excitation, 0.4))
    errors = []
    for n in (4, 8, 16):
        fine = refined(trial, n)
        damped = ct.simulate(folder.subject, fine, tendon=DAMPED, filter_start="zero")
        rosenbrock = ct.simulate(folder.subject, fine, filter_start="zero")
        late = slice(10 * n, None)  # after the filter, whose steps become shorter, too, has settled
        difference = rosenbrock.mtu_force.array[late] - damped.mtu_force.array[late]
        errors.append(np.sqrt(np.mean(difference**2)))
    assert errors[0] / errors[1] == pytest.approx(2.0, abs=0.3)
    assert errors[1] / errors[2] == pytest.approx(2.0, abs=0.3)


def test_zero_activation(folder):
    """Without activation, the passive fibre and its damping hold the tendon."""
    trial = folder.trials[0]
    trial = dataclasses.replace(trial, excitation=np.zeros_like(trial.excitation))
    found = ct.simulate(folder.subject, trial, tendon=DAMPED)
    assert np.all(found.activation.array == 0.0)
    assert np.all(np.isfinite(found.fibre_length.array))
    # The slack tendon pushes a little, see EQUATIONS.md; no active force is left.
    assert np.max(np.abs(found.norm_fibre_velocity.array)) < 0.5
    rosenbrock = ct.simulate(folder.subject, trial)
    limit = 0.02 * np.array([mtu.max_isometric_force for mtu in folder.subject.mtus])
    assert np.all(np.abs(found.mtu_force.array - rosenbrock.mtu_force.array) < limit)


def test_slack_tendon(folder):
    longer = dataclasses.replace(
        folder.subject,
        mtus=tuple(
            dataclasses.replace(mtu, tendon_slack_length=1.1 * mtu.tendon_slack_length)
            for mtu in folder.subject.mtus
        ),
    )
    found = ct.simulate(longer, folder.trials[0], tendon=DAMPED)
    assert np.all(np.isfinite(found.mtu_force.array))
    for i, mtu in enumerate(longer.mtus):
        along = found.fibre_length.array[:, i] * np.cos(found.pennation_angle.array[:, i])
        assert np.all(along >= 0.1 * mtu.optimal_fibre_length * (1.0 - 1e-9))


def test_very_stiff_tendon_is_the_stiff_one(folder):
    curves = dict(folder.subject.curves)
    tendon = curves["tendonForceStrain"]
    curves["tendonForceStrain"] = dataclasses.replace(tendon, y=tuple(100.0 * y for y in tendon.y))
    stiffer = dataclasses.replace(folder.subject, curves=curves)
    damped = ct.simulate(stiffer, folder.trials[0], tendon=DAMPED)
    stiff = ct.simulate(stiffer, folder.trials[0], tendon="stiff")
    # Forces below 1.5 F0 S over the tendon's least slope of 8 x 100, times lts / lmo below 6.5.
    difference = damped.norm_fibre_length.array - stiff.norm_fibre_length.array
    assert np.max(np.abs(difference)) < 0.012


def test_without_damping_it_says_so(folder):
    trial = folder.trials[0]
    trial = dataclasses.replace(trial, excitation=np.zeros_like(trial.excitation))
    subject = with_damping(folder.subject, damping=0.0)
    with pytest.raises(DataError, match=r"trial trial1: .*balance, got none .* above zero"):
        ct.simulate(subject, trial, tendon=DAMPED)


# ---- Where it is asked for -----------------------------------------------------------------


def test_gradients_are_refused(tmp_path, folder):
    message = "solved without derivatives, for running a trial only; rosenbrockElastic follows"
    path = write_tiny_folder(tmp_path / "tiny", tendon=f"<{DAMPED}/>")
    with pytest.raises(OptionError, match=rf"calibration\.xml: tendon: .*{message}"):
        CalibrationFolder.read(path / "calibrationSetup.xml")
    plan = dataclasses.replace(folder.plan, tendon=ct.Tendon(kind=DAMPED))
    with pytest.raises(OptionError, match=message):
        ct.calibrate(folder.subject, folder.trials, plan)
    with pytest.raises(OptionError, match=message):
        ct.Stream(folder.subject, rate=100.0, tendon=DAMPED)
    with pytest.raises(OptionError, match="It is not one of CEINMS"):
        ct.calibrate(folder.subject, folder.trials, plan, method="annealing", options=ANNEALING)


ANNEALING = ct.SimulatedAnnealing(
    no_epsilon=2, rt=0.3, temperature=20.0, ns=1, nt=1, epsilon=1e-3, max_no_eval=1
)


def test_run_from_the_execution_file_and_from_the_command_line(tmp_path):
    asked = write_tiny_folder(tmp_path / "asked", tendon=f"<{DAMPED}/>")
    named = write_tiny_folder(tmp_path / "named", tendon="<stiff/>")
    for result in (
        run_command("run", asked / "setup.xml"),
        run_command("run", named / "setup.xml", "--tendon", DAMPED),
    ):
        assert result.returncode == 0, result.stderr
    forces = [(path / "output" / "MuscleForces.sto").read_bytes() for path in (asked, named)]
    assert forces[0] == forces[1]
    execution = ct.Execution.read(asked / "execution.xml")
    execution.write(asked / "again.xml")
    assert ct.Execution.read(asked / "again.xml").tendon.kind == DAMPED
    result = run_command("run", asked / "setup.xml", "--legacy")
    assert result.returncode == 1
    assert "expected one of stiff, equilibriumElastic, got dampedEquilibrium" in result.stderr
