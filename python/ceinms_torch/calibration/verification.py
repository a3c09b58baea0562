"""What a calibrated subject is worth in CEINMS 0.9 itself, whose tendon is solved differently."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ceinms_torch.errors import DataError, OptionError, Place
from ceinms_torch.io.display import OneLine
from ceinms_torch.model.nms_model import Tendon
from ceinms_torch.model.parameters import PARAMETERS
from ceinms_torch.model.settings import check_choice
from ceinms_torch.model.subject import CURVE_NAMES, Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.plan.calibration import CalibrationPlan
from ceinms_torch.simulation.fit import Fit, moment_fit
from ceinms_torch.simulation.legacy.run import simulate_legacy
from ceinms_torch.simulation.simulate import engine_tendon

Program = Literal["ceinms"]
PROGRAMS: tuple[Program, ...] = ("ceinms",)


@dataclass(frozen=True, kw_only=True)
class Verification(OneLine):
    """How well a calibrated subject predicts moments in another program.

    Parameters
    ----------
    program : {"ceinms"}
        CEINMS 0.9, by the legacy model, number for number.
    tendon : str
        The tendon it ran with, by its XML name.
    fit, test_fit : dict of str to dict of str to MomentFit
        Moment errors there, by calibration or test trial and DOF.
    """

    program: Program
    tendon: str
    fit: Fit = field(repr=False)
    test_fit: Fit = field(repr=False)


def ceinms_tendon(tendon: Tendon) -> Tendon:
    """Return the tendon with which CEINMS runs what was calibrated with another.

    Parameters
    ----------
    tendon : Tendon
        That of the calibration.

    Returns
    -------
    Tendon
        Stiff, or CEINMS's own equilibrium for every elastic one.
    """
    is_stiff = engine_tendon(tendon) == "stiff"
    return Tendon(kind="stiff" if is_stiff else "equilibriumElastic", tolerance=tendon.tolerance)


def check_can_verify(program: str, subject: Subject, plan: CalibrationPlan) -> None:
    """Check before a calibration that its subject will be one that the program runs.

    Parameters
    ----------
    program : {"ceinms"}
        The program.
    subject : Subject
        The subject to calibrate.
    plan : CalibrationPlan
        What is calibrated.

    Raises
    ------
    OptionError
        If there is no such program, or the plan calibrates a parameter that it lacks.
    DataError
        If the subject has no curves.
    """
    check_choice("verify_in", program, PROGRAMS)
    if not subject.curves:
        raise DataError(
            where=Place(subject.path, element="<mtuDefault>"),
            expected=f"the curves {', '.join(CURVE_NAMES)}, to verify in CEINMS",
            got="none",
            hint="CEINMS has no curves of its own: write them into the subject file",
        )
    kinds = dict.fromkeys(one.kind for step in plan.steps for one in step.parameters)
    lacking = [name for name in kinds if not PARAMETERS[name].in_ceinms]
    if lacking:
        raise OptionError(
            where="verify_in",
            expected="a calibration of parameters that CEINMS 0.9 has",
            got=", ".join(lacking),
            hint="calibrate without verifying, or without them",
        )


def verify(
    program: Program,
    subject: Subject,
    plan: CalibrationPlan,
    trials: Iterable[Trial],
    tests: Sequence[Trial] = (),
) -> Verification:
    """Run a calibrated subject in another program, open loop.

    Parameters
    ----------
    program : {"ceinms"}
        The program.
    subject : Subject
        The calibrated subject.
    plan : CalibrationPlan
        What it was calibrated by: its tendon and activation.
    trials, tests : iterable of Trial
        Calibration and test trials with measured moments; excitations as they drive the MTUs.

    Returns
    -------
    Verification

    Raises
    ------
    DataError
        If subject or trials are not such as CEINMS takes.

    Warns
    -----
    CeinmsTorchWarning
        As `simulate_legacy`: frames without equilibrium, delays that CEINMS ignores.
    """
    tendon = ceinms_tendon(plan.tendon)

    def fit_of(some: Iterable[Trial]) -> Fit:
        return {
            one.name: moment_fit(
                one,
                simulate_legacy(subject, one, tendon=tendon, activation=plan.activation).simulation,
            )
            for one in some
        }

    return Verification(
        program=program, tendon=tendon.kind, fit=fit_of(trials), test_fit=fit_of(tests)
    )
