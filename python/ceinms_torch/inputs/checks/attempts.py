"""Call the readers one after the other: what they raise and warn becomes findings."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import ParamSpec, TypeVar

from ceinms_torch.errors import CeinmsTorchError, CeinmsTorchWarning
from ceinms_torch.inputs.checks.findings import Finding

P = ParamSpec("P")
T = TypeVar("T")

# What readers warn about and what changes no number in a well-made folder.
_NOTES = frozenset(
    {
        "unknown-element",
        "curve-ignored",
        "delays-differ",
        "emg-outside-range",
        "stop-beyond-data",
        "time-digits",
    }
)

_WHY = {
    "file-missing": "Nothing that needs this file can be computed.",
    "column-missing": "Columns are matched by their labels; without one there are no data.",
    "decimal-comma": "A comma is not a decimal point in these files; the number cannot be read.",
    "not-a-number": "A gap in the data would make everything computed from it a gap, too.",
    "time-order": "Rows are samples in time; out of order, rates and slopes are wrong.",
    "row-count": "The file is not what its header says: it may be cut short.",
    "pennation-unit": "Angles are in radians; 20 rad for 20 degrees turns the fibre round.",
    "parameter-value": "The muscle model is not defined for this value.",
    "other-clock": "Nothing tells which row of one file belongs to which row of the other.",
    "column-ambiguous": "Columns are matched by the names in their labels; one name, one column.",
    "column-other-quantity": "Numbers of another quantity would give a result that means nothing.",
    "subject-of-rt": "CEINMS-RT has other elements, angles in degrees, and its EMG map inside.",
    "stop-beyond-data": "Behind the last row of a file there is nothing to compute with.",
    "trial-cut": "More than a tenth of the trial is left out.",
    "time-digits": "Rows at the same time have no order; evenly spaced rows explain the digits.",
    "emg-too-short": "Without EMG, delay included, nothing drives the muscles there.",
    "emg-uneven": "The activation filter steps from sample to sample; gaps are guessed.",
    "emg-slow": "EMG between its samples is a guess.",
    "times-interpolated": "Values between samples are a guess, and a shift in time goes unnoticed.",
    "times-not-covered": "Lengths, moment arms and moments are needed at the same instants.",
    "parameter-doubtful": "It can be computed with, but what comes out means little.",
    "parameter-repeated": "Only one of the two ranges counts.",
    "moment-arm-file-repeated": "Only one of the two files counts.",
    "moment-arm-file-missing": "A DOF without moment arms has no moments.",
    "moments-missing": "A calibration compares predicted with measured moments.",
    "model-not-supported": "The calculation stops before it begins.",
    "delays-differ": "CEINMS 0.9 gives all MTUs the delay of the first, so its results differ.",
    "tendon-slack": "A stiff tendon has no length when it is slack: the fibre is made up.",
    "test-is-calibrated-on": "How well it fits is not how well the model predicts.",
    "unknown-name": "Nobody knows what is meant.",
    "objective-unknown": "Without it, something else would be minimised.",
    "group-without-values": "Muscles are kept together by values of their own, which these lack.",
    "start-outside-range": "The search does not begin where the subject is.",
    "rate-of-calibration": "Activation is late by another time than in the calibration.",
    "rates-differ": "The filter of c1 and c2 counts samples: in each trial they are other delays.",
    "moment-constant": "Errors are divided by the variance of the moment, which is zero.",
    "output-over-input": "It would be lost, and nothing that came from it could be repeated.",
    "trial-name-repeated": "Their results would overwrite each other.",
}
_WHY_OTHERWISE = "The calculation stops here, or goes on without this."
# What to do about what readers warn of.
_TO_DO = {
    "unknown-element": "Nothing, if another program needs them; otherwise correct their names.",
    "curve-ignored": "Nothing, if they are left over; otherwise correct their names.",
    "delays-differ": "Nothing; to compare with CEINMS 0.9, give all MTUs one emDelay.",
    "emg-outside-range": "Divide every channel by its largest value of all recordings, maximum "
    "contractions included.",
    "emg-uneven": "Export the EMG at an even rate and without gaps.",
    "emg-slow": "Export the EMG at the rate of the MTU lengths or faster.",
    "times-interpolated": "Export all files of the trial for the same instants.",
    "parameter-doubtful": "Correct these values, or go on if they are meant.",
    "parameter-repeated": "Take one of the two out.",
    "moment-arm-file-repeated": "Take one of the two out, or correct its dofName.",
    "stop-beyond-data": "Nothing, if so much may be missing at the end; otherwise export all files "
    "up to the stop.",
    "trial-cut": "Export all files of the trial up to its stop.",
    "time-digits": "Nothing, or export times with more digits.",
    "start-outside-range": "Nothing, if the range is meant, as with the shapeFactor of 0.1 that "
    "converters write; otherwise widen it, or change the values in the subject.",
    "tendon-slack": "Shorten the tendonSlackLength of these MTUs, or use an elastic tendon.",
    "test-is-calibrated-on": "Test on trials that are not calibrated on.",
    "rate-of-calibration": "Convert the subject with ceinms-torch convert --rate.",
}


class Attempts:
    """Calls what may fail, and keeps as findings what it raises and warns.

    Parameters
    ----------
    findings : list of Finding
        Added to.
    """

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = findings

    def __call__(
        self,
        code: str,
        trial: str | None,
        function: Callable[P, T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T | None:
        """Call a function of the package.

        Parameters
        ----------
        code : str
            Code of a finding whose error has none of its own.
        trial : str, optional
            The trial it is about.
        function : callable
            What to call.
        *args, **kwargs
            Its arguments.

        Returns
        -------
        object or None
            What it returns, or None if it raises an error of the package.
        """
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", CeinmsTorchWarning)
            try:
                result = function(*args, **kwargs)
            except CeinmsTorchError as error:
                self.findings.append(_of_error(error, code, trial))
                result = None
        for item in caught:
            if isinstance(item.message, CeinmsTorchWarning):
                self.findings.append(_of_warning(item.message, trial))
        return result


def _of_error(error: CeinmsTorchError, code: str, trial: str | None) -> Finding:
    code = error.code or code
    return Finding(
        severity="error",
        code=code,
        where=replace(error.where, trial=trial or error.where.trial),
        what=error.what,
        why=_WHY.get(code, _WHY_OTHERWISE),
        to_do=error.hint or _cure(error),
    )


def _cure(error: CeinmsTorchError) -> str:
    """Say what to do about an error that has no hint: put there what is expected."""
    if error.got.endswith(" twice"):
        return f"Leave {error.got.removesuffix(' twice')} there once."
    if error.got.partition(" ")[0] in ("no", "none", "one"):
        return f"Add {error.expected}."
    return f"Write {error.expected} there, in place of {error.got}."


def _of_warning(warning: CeinmsTorchWarning, trial: str | None) -> Finding:
    return Finding(
        severity="note" if warning.code in _NOTES else "warning",
        code=warning.code,
        where=replace(warning.where, trial=trial or warning.where.trial),
        what=warning.what,
        why=_WHY.get(warning.code, _WHY_OTHERWISE),
        to_do=_TO_DO.get(warning.code, f"Change {warning.where} if this is not meant."),
        source=str(warning),
    )
