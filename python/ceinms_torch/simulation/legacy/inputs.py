"""Subjects, trials and options as the legacy layer of the kernel takes them."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path

import numpy as np

from ceinms_torch import _kernel
from ceinms_torch.errors import CeinmsTorchWarning, DataError, OptionError, Place
from ceinms_torch.model.nms_model import Activation, SimulatedAnnealing, Tendon
from ceinms_torch.model.parameters import PARAMETERS
from ceinms_torch.model.subject import CURVE_NAMES, Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.simulation.curves import Table
from ceinms_torch.simulation.trial_input import kernel_trial

# Tolerance of the fibre length [m] where the file gives none (reference C.6).
DEFAULT_TOLERANCE = 1e-6
TENDONS = ("stiff", "equilibriumElastic")


def legacy_tables(subject: Subject) -> list[Table]:
    """Return the four force curves as CEINMS draws them: splines, constant outside.

    Parameters
    ----------
    subject : Subject
        With all four curves.

    Returns
    -------
    list of (ndarray (n_knot,), ndarray (n_knot + 1, 5))

    Raises
    ------
    DataError
        If the subject has no curves: CEINMS has no built-in ones.
    """
    if not subject.curves:
        raise DataError(
            where=Place(subject.path, element="<mtuDefault>"),
            expected=f"the curves {', '.join(CURVE_NAMES)}",
            got="none",
            hint="the legacy model has no curves of its own; without it, smooth ones are used",
        )
    curves = (subject.curves[name] for name in CURVE_NAMES)
    return [_kernel.spline_table(np.asarray(curve.x), np.asarray(curve.y)) for curve in curves]


def check_tendon(tendon: Tendon, path: Path | None = None) -> None:
    """Check that the tendon is one that CEINMS runs.

    Parameters
    ----------
    tendon : Tendon
        The tendon.
    path : Path, optional
        The file that asks for it, for the message.

    Raises
    ------
    OptionError
        If it is not.
    """
    if tendon.kind not in TENDONS:
        hint = (
            "CEINMS 0.9 has it in its grammar but does not run it either"
            if tendon.kind == "integrationElastic"
            else "it is not one of CEINMS: run it without the legacy model, by ceinms-torch run"
        )
        where = Place(path, element="tendon")
        raise OptionError(
            where=where, expected=f"one of {', '.join(TENDONS)}", got=tendon.kind, hint=hint
        )


def legacy_model(tendon: Tendon, activation: Activation, *, online: bool) -> _kernel.LegacyModel:
    """Return how the model is run, for the kernel.

    Parameters
    ----------
    tendon : Tendon
        Stiff, or elastic in equilibrium.
    activation : {"exponential", "piecewise"}
        The activation model.
    online : bool
        Whether fibre velocities come from past frames only.

    Returns
    -------
    LegacyModel

    Raises
    ------
    OptionError
        If the tendon is not one that CEINMS runs.
    """
    check_tendon(tendon)
    tolerance = tendon.tolerance or 0.0
    return _kernel.LegacyModel(
        tendon=tendon.kind,
        activation=activation,
        online=online,
        tolerance=tolerance if tolerance > 0.0 else DEFAULT_TOLERANCE,
    )


def legacy_trial(subject: Subject, trial: Trial) -> _kernel.LegacyTrial:
    """Return a trial as CEINMS takes it: EMG rows as recorded, one per frame.

    Parameters
    ----------
    subject : Subject
        The subject; the delay of its first MTU is that of all (quirk F3).
    trial : Trial
        The trial, read with this subject.

    Returns
    -------
    LegacyTrial

    Raises
    ------
    DataError
        If the trial was read with another subject, a parameter that CEINMS lacks is not at its
        default, or a frame has no EMG row of its own.

    Warns
    -----
    CeinmsTorchWarning
        If MTUs have delays of their own, which CEINMS ignores.
    """
    taken = kernel_trial(subject, trial)
    for kind in PARAMETERS.values():
        changed = [mtu.name for mtu in subject.mtus if getattr(mtu, kind.attribute) != kind.default]
        if changed and not kind.in_ceinms:
            raise DataError(
                where=Place(subject.path, element=f"<{kind.name}>"),
                expected=f"{kind.default:g}",
                got=f"other values of {', '.join(changed)}",
                hint="CEINMS 0.9 has no such parameter: use another model than the legacy one",
            )
    delay = subject.mtus[0].em_delay
    ignored = [mtu.name for mtu in subject.mtus if mtu.em_delay != delay]
    if ignored:
        warnings.warn(
            f"As in CEINMS, the emDelay of {subject.mtus[0].name}, {delay:g} s, is used for all "
            f"MTUs; other values are ignored: {', '.join(ignored)}.",
            CeinmsTorchWarning,
            stacklevel=3,
        )
    _, rows = _kernel.legacy_rows(trial.time, trial.excitation_time, delay)
    if len(rows) < len(trial.time):
        raise DataError(
            where=Place(trial=trial.name),
            expected=f"an EMG row of its own for every frame, {delay:g} s (emDelay) before it",
            got=f"none for the frame at {trial.time[len(rows)]:g} s",
            hint="CEINMS needs EMG sampled at least as fast as the MTU lengths, from their start "
            "to their end less the delay",
        )
    return _kernel.LegacyTrial(trial=taken, excitation_time=trial.excitation_time, em_delay=delay)


def annealing_options(settings: SimulatedAnnealing, seed: int = 0) -> _kernel.AnnealingOptions:
    """Return the settings of an annealing for the kernel.

    Parameters
    ----------
    settings : SimulatedAnnealing
        The settings.
    seed : int
        Seed of the random numbers, >= 0; only the modern variant has one.

    Returns
    -------
    AnnealingOptions
    """
    return _kernel.AnnealingOptions(**dataclasses.asdict(settings), seed=seed)
