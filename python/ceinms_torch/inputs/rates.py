"""At which rate a subject was calibrated: its C1 and C2 count samples."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterable

from ceinms_torch.errors import CeinmsTorchWarning, Place
from ceinms_torch.io.paths import kind_of
from ceinms_torch.io.results import RESULT_FILE
from ceinms_torch.model.subject import Subject
from ceinms_torch.model.trial import SAME_RATE, Trial


def calibrated_rate(subject: Subject) -> float | None:
    """Return the rate of the trials that a subject was calibrated on.

    Parameters
    ----------
    subject : Subject
        The subject.

    Returns
    -------
    float or None
        [Hz]; None where no ``result.json`` beside its file says so.
    """
    if subject.path is None or kind_of(subject.path.parent / RESULT_FILE) != "file":
        return None
    try:
        text = (subject.path.parent / RESULT_FILE).read_text(encoding="utf-8")
        result = json.loads(text)
        is_of_this = result.get("subject") == subject.path.name
        step = float(result["time_step"]) if is_of_this else math.nan
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None  # some other program's, or of a version that did not say it
    return 1.0 / step if 0.0 < step < math.inf else None


def warn_of_another_rate(subject: Subject, trials: Iterable[Trial]) -> None:
    """Warn about trials at another rate than the subject was calibrated at.

    Parameters
    ----------
    subject : Subject
        The subject.
    trials : iterable of Trial
        What it shall run.

    Warns
    -----
    CeinmsTorchWarning
        Once, with the rates.
    """
    was = calibrated_rate(subject)
    if was is None:
        return
    rates = {trial.name: 1.0 / trial.time_step for trial in trials}
    other = {
        name: rate for name, rate in rates.items() if not 1.0 / SAME_RATE <= rate / was <= SAME_RATE
    }
    if other:
        listing = ", ".join(f"{name} {rate:.4g} Hz" for name, rate in other.items())
        rate = next(iter(other.values()))
        text = (
            f"c1 and c2 were calibrated at {was:.4g} Hz and count samples; at the rate of "
            f"{listing} activation is late by another time. Convert the subject: "
            f"ceinms-torch convert {subject.path} --rate {rate:.6g}"
        )
        warnings.warn(
            CeinmsTorchWarning(text, "rate-of-calibration", Place(subject.path)), stacklevel=4
        )
