"""``--bands`` of ``ceinms-torch calibrate``: how far forces and moments may be off."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ceinms_torch.errors import CeinmsTorchWarning, DataError, OptionError
from ceinms_torch.terminal.display import counted, note

if TYPE_CHECKING:
    from ceinms_torch.calibration.result import CalibrationResult
    from ceinms_torch.inputs.folder import CalibrationFolder
    from ceinms_torch.model.trial import Trial
    from ceinms_torch.plan.calibration import CalibrationPlan


def check_bands(plan: CalibrationPlan, method: str, *, wanted: bool) -> None:
    """Refuse bands of what has none, before hours of calibration."""
    if wanted and (method == "annealing" or plan.synergy_hybrid is not None):
        raise OptionError(
            where="--bands",
            expected="lm, adamw or lbfgs, without synergies",
            got="annealing" if method == "annealing" else "synergies",
            hint="bands follow from refits of recorded excitations by Levenberg-Marquardt",
        )


def with_bands(
    result: CalibrationResult,
    folder: CalibrationFolder,
    tests: Sequence[Trial],
    *,
    wanted: bool,
    threads: int,
    seed: int,
    quiet: bool,
) -> CalibrationResult:
    """Return a result with the bands that are wanted.

    It has none where residuals do not tell the noise, and where somebody stops it.
    """
    if not wanted or result.status == "interrupted":
        return result
    from ceinms_torch.bands.uncertainty import uncertainty  # noqa: PLC0415

    with counted("fitting again", quiet=quiet) as progress:
        try:
            found = uncertainty(
                result, folder.trials, tests=tests, seed=seed, threads=threads, progress=progress
            )
        except DataError as error:  # what was calibrated is no less true
            warnings.warn(
                CeinmsTorchWarning(f"No bands: {error.what}", where=error.where), stacklevel=2
            )
            return result
        except KeyboardInterrupt:
            note("stopped before there were bands; the calibration is complete")
            return result
    return dataclasses.replace(result, uncertainty=found)
