"""The subject's own values: fibres and tendons at the lengths of the trials, curves, activation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ceinms_torch.arrays import FloatArray
from ceinms_torch.errors import Place
from ceinms_torch.inputs.checks.attempts import Attempts
from ceinms_torch.inputs.checks.curves import check_curves
from ceinms_torch.inputs.checks.files import Inputs
from ceinms_torch.inputs.checks.findings import Finding, listed
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import Trial
from ceinms_torch.simulation.simulate import warn_if_slack

# Fibres make no active force beyond these optimal lengths (zeros of CEINMS's curve: 0.40 and
# 1.62), and a tendon of usual strain does not bring them back.
_FIBRE_RANGE = (0.2, 2.0)
# A share of rows that more than a moment of the movement takes.
_MANY_ROWS = 0.1
# At this length a third of the active force is left; more than this share of rows is where the
# muscle works. Recorded legs and shoulders are beyond 1.2 in up to half of the rows.
_DESCENDING, _MOST_ROWS = 1.4, 0.5
# What fitted shape factors are within, by activation (reference C.1).
_SHAPE_FACTORS = {"exponential": (-3.0, 0.0), "piecewise": (0.0, 0.12)}


def check_muscles(inputs: Inputs) -> list[Finding]:
    """Check the subject's values, as far as possible at the lengths of its trials.

    Parameters
    ----------
    inputs : Inputs
        What could be read.

    Returns
    -------
    list of Finding
    """
    subject = inputs.subject
    if subject is None:
        return []
    trials = [*inputs.aligned, *inputs.tests]
    return [
        *_check_stiff(inputs, subject, trials),
        *_check_lengths(subject, trials, stiff=inputs.tendon == "stiff"),
        *check_curves(subject, is_calibration=inputs.plan is not None),
        *_check_shape_factors(inputs, subject),
        *_check_damping(inputs, subject),
    ]


def _check_stiff(inputs: Inputs, subject: Subject, trials: list[Trial]) -> list[Finding]:
    """Let the model itself say where it breaks down: with a stiff tendon that is slack."""
    findings: list[Finding] = []
    attempt = Attempts(findings)
    for trial in trials if inputs.tendon == "stiff" else ():
        attempt("tendon-slack", trial.name, warn_if_slack, subject, trial)
    return findings


def _check_lengths(subject: Subject, trials: list[Trial], *, stiff: bool) -> Iterator[Finding]:
    """Compare MTU lengths with fibres and tendons, as if the tendon did not stretch."""
    if not trials:
        return
    length = np.concatenate([trial.mtu_length for trial in trials])
    slack = np.array([mtu.tendon_slack_length for mtu in subject.mtus])
    optimal = np.array([mtu.optimal_fibre_length for mtu in subject.mtus])
    thickness = optimal * np.sin([mtu.pennation_angle for mtu in subject.mtus])
    along = length - slack
    fibre = np.hypot(np.maximum(along, 0.0), thickness) / optimal
    short = np.mean(((along < 0.0) & (not stiff)) | (fibre < _FIBRE_RANGE[0]), axis=0)
    long = np.mean(fibre > _FIBRE_RANGE[1], axis=0)
    yield from _length_findings(
        subject,
        short,
        "tendon-too-long",
        f"shorter than tendonSlackLength, or leaves the fibre less than {_FIBRE_RANGE[0]:g}",
        "The tendon is slack: the MTU makes no force, whatever its activation.",
        "Shorten tendonSlackLength or optimalFibreLength, or check the scaling of the model.",
    )
    yield from _length_findings(
        subject,
        long,
        "tendon-too-short",
        f"so long that the fibre is longer than {_FIBRE_RANGE[1]:g}",
        "The fibre makes no active force there, and a passive one beyond all measure.",
        "Lengthen tendonSlackLength or optimalFibreLength, or check the scaling of the model.",
    )
    yield from _check_descending(subject, np.where(fibre > _FIBRE_RANGE[1], 0.0, fibre))


def _check_descending(subject: Subject, fibre: FloatArray) -> Iterator[Finding]:
    """Find fibres (n_row, n_mtu) that work where active force falls with length."""
    shares = np.mean(fibre > _DESCENDING, axis=0).tolist()
    names = [n for n, share in zip(subject.mtu_names, shares, strict=True) if share > _MOST_ROWS]
    if names:
        yield Finding(
            severity="warning",
            code="fibre-descending",
            where=Place(file=subject.path, element="<mtu>", column=listed(names)),
            what=f"{listed(names)}: in more than half of the rows of all trials, the fibre is "
            f"longer than {_DESCENDING:g} optimal lengths.",
            why="On the descending limb a muscle gets weaker as it is stretched; passive force "
            "takes over.",
            to_do="Check optimalFibreLength and tendonSlackLength, and the scaling of the model.",
        )


def _length_findings(
    subject: Subject, shares: FloatArray, code: str, what: str, why: str, to_do: str
) -> Iterator[Finding]:
    shared = dict(zip(subject.mtu_names, shares.tolist(), strict=True))
    concerned = {name: share for name, share in shared.items() if share > 0.0}
    if not concerned:
        return
    most = max(concerned.values())
    names = listed(sorted(concerned, key=concerned.__getitem__, reverse=True))
    yield Finding(
        severity="warning" if most > _MANY_ROWS else "note",
        code=code,
        where=Place(file=subject.path, element="<mtu>", column=names),
        what=f"{names}: in up to {100 * most:.3g} % of the rows of all trials, the MTU is {what} "
        "times its optimal length.",
        why=why,
        to_do=to_do,
    )


def _check_shape_factors(inputs: Inputs, subject: Subject) -> Iterator[Finding]:
    document = inputs.plan or inputs.execution
    if document is None:
        return
    low, high = _SHAPE_FACTORS[document.activation]
    outside = [mtu.name for mtu in subject.mtus if not low <= mtu.shape_factor <= high]
    if outside:
        yield Finding(
            severity="warning",
            code="shape-factor",
            where=Place(file=subject.path, element="<shapeFactor>", column=listed(outside)),
            what=f"{listed(outside)}: shapeFactor is outside {low:g} to {high:g}, those of "
            f"<{document.activation}/> activation.",
            why="Activation would bend the wrong way or be almost a switch.",
            to_do="Change shapeFactor, or the activation model.",
        )


def _check_damping(inputs: Inputs, subject: Subject) -> Iterator[Finding]:
    undamped = [mtu.name for mtu in subject.mtus if mtu.damping == 0.0]
    if undamped and inputs.tendon not in (None, "stiff"):
        yield Finding(
            severity="note",
            code="no-damping",
            where=Place(file=subject.path, element="<damping>", column=listed(undamped)),
            what=f"{listed(undamped)}: damping is 0.",
            why="With an elastic tendon, fibre velocity has no limit at low activation.",
            to_do="CEINMS's own value is 0.1.",
        )
