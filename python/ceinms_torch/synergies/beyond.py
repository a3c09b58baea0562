"""What synergies make of a new trial that no calibration trial had: said, never hidden."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ceinms_torch.errors import CeinmsTorchWarning, Place
from ceinms_torch.model.trial import Trial
from ceinms_torch.simulation.trial_result import TrialResult
from ceinms_torch.synergies.trial_synergies import TrialSynergies

# Strides of one condition differ by less; beyond it, weightings are asked for what nobody saw.
FAR = 1.5
# An excitation that matters [-].
_LEAST_EXCITATION = 0.05


def beyond_calibration(
    calibration: Sequence[TrialResult], tests: Sequence[TrialResult], trials: Sequence[Trial]
) -> Iterator[CeinmsTorchWarning]:
    """Find synthesised excitations and moments far above all that calibration trials had.

    Parameters
    ----------
    calibration, tests : sequence of TrialResult
        What the calibrated subject did.
    trials : sequence of Trial
        The test trials, in the order of `tests`.

    Yields
    ------
    CeinmsTorchWarning
        One for each synthesised excitation or DOF whose largest value in a test trial is more than
        1.5 times that of all calibration trials; of a moment, measured or predicted.
    """
    for test, trial in zip(tests, trials, strict=True):
        for mtu in test.synthesised:
            known = max(float(one.excitation[mtu].max()) for one in calibration)
            reached = float(test.excitation[mtu].max())
            if reached > max(FAR * known, _LEAST_EXCITATION):
                yield _excitation_warning(test.name, mtu, reached, known, _dofs(trial, mtu))
        for dof, moment in test.simulation.joint_moment.items():
            known = max(
                float(np.abs(one).max())
                for result in calibration
                for one in (result.measured_moment[dof], result.simulation.joint_moment[dof])
            )
            step = int(np.argmax(np.abs(moment)))
            reached = float(abs(moment[step]))
            if reached > FAR * known:
                arms = trial.moment_arm[step, trial.dof_names.index(dof)]
                made = {
                    mtu: float(test.simulation.mtu_force[mtu][step] * arm * np.sign(moment[step]))
                    for mtu, arm in zip(trial.mtu_names, arms, strict=True)
                    if mtu in test.synthesised
                }
                yield _moment_warning(test.name, dof, reached, known, made)


def beyond_weightings(synergies: TrialSynergies, trial: Trial) -> Iterator[CeinmsTorchWarning]:
    """Find synergies that work far harder than in the calibration that their weightings are from.

    Parameters
    ----------
    synergies : TrialSynergies
        Found with weightings alone; 1 is the largest primitive of that calibration.
    trial : Trial
        Of which trial.

    Yields
    ------
    CeinmsTorchWarning
        One for each synthesised MTU that reaches, through such a synergy, more than 1.5 times what
        its synergies gave it at their largest.
    """
    table = synergies.weightings
    most = table.values.max(axis=1, initial=0.0)
    for mtu in table.synthesised:
        known = float(most[table.mtu_names.index(mtu)])
        reached = float(synergies.reconstruction[mtu].max())
        peak = float(synergies.primitives.array.max())
        if peak > FAR and reached > max(FAR * known, _LEAST_EXCITATION):
            yield _excitation_warning(trial.name, mtu, reached, known, _dofs(trial, mtu))


def _dofs(trial: Trial, mtu: str) -> list[str]:
    acts = np.any(trial.moment_arm[:, :, trial.mtu_names.index(mtu)], axis=0)
    return [name for name, one in zip(trial.dof_names, acts, strict=True) if one]


def _excitation_warning(
    trial: str, mtu: str, reached: float, known: float, dofs: Sequence[str]
) -> CeinmsTorchWarning:
    return CeinmsTorchWarning(
        f"The excitation of {mtu} that synergies make reaches {reached:.2g}, far above the "
        f"{known:.2g} of all calibration trials. Do not trust what this MTU does about "
        f"{', '.join(dofs)} here: calibrate on a trial like this one, give the MTU a signal, or "
        "tie it (--ties).",
        "beyond-calibration",
        Place(trial=trial),
    )


def _moment_warning(
    trial: str, dof: str, reached: float, known: float, made: Mapping[str, float]
) -> CeinmsTorchWarning:
    first = sorted(made, key=made.__getitem__, reverse=True)[:3]
    shares = ", ".join(f"{mtu} {made[mtu]:.0f} N m" for mtu in first)
    return CeinmsTorchWarning(
        f"The moment of {dof} reaches {reached:.0f} N m, far above the {known:.0f} N m of all "
        f"calibration trials, of which synthesised MTUs make: {shares}. Do not trust the moment: "
        "calibrate on a trial like this one.",
        "beyond-calibration",
        Place(trial=trial),
    )
